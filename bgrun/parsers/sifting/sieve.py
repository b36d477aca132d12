"""Give each parser the lines of a log that it needs, in linear time and little memory.

A log is searched for the stems of all parsers at once, as bytes (`stems.py`); only around hits it is split into lines.
Where a single parser wants every line, it may leap over many at once.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import Protocol

from bgrun.parsers.expression import expression
from bgrun.parsers.sifting import stems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgrun.parsers.shape import Parser

LONGEST_LINE = 4096
"""How many characters of a line a parser gets."""
MOST_BYTES = 64 << 10
"""How many bytes of a line are held; of the rest of it only what follows the last carriage return is kept."""
_CONTEXT = 4 << 10
_WINDOW = 8 << 10
"""How many bytes are searched at a time: a parser may leap over those that follow."""
_ESCAPES = expression(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\([0-9A-Z])")


class Watch(Protocol):
    """Gets all lines after the parsers, without escape sequences, and their position.

    is_plain: whether no stem is in them; lines may begin with a start all the same.
    """

    def __call__(self, data: bytes, at: int, /, *, is_plain: bool) -> None:
        """Read lines."""


class _Segment:
    """Lines that are parts of another log; where they are is found only if a parser gets one of them."""

    def __init__(self, at: int, lines: Sequence[bytes], places: Sequence[int] | Callable[[], Sequence[int]]) -> None:
        self.at = at
        self._lines = lines
        self._offsets: list[int] = []
        self._places = places

    def place(self, at: int) -> int:
        """Return where the line at a position is in the other log."""
        if callable(self._places):
            self._places = self._places()
        if not self._offsets:
            self._offsets = [0, *accumulate(len(line) + 1 for line in self._lines)]
        return self._places[min(bisect_right(self._offsets, at - self.at), len(self._places)) - 1]


class Sieve:
    """Splits a log that comes in blocks, and feeds parsers.

    Args:
        makers: make the parsers; again at each `restart`.
        show: turns the bytes of a line into clean text with secrets masked.
        held: how many bytes of a line are held at most.
        watch: gets all lines, too.
    """

    def __init__(
        self,
        makers: Sequence[Callable[[], Parser]],
        show: Callable[[bytes], str],
        held: int = MOST_BYTES,
        watch: Watch | None = None,
    ) -> None:
        self._makers = makers
        self._show = show
        self._held = held
        self._watch = watch
        self._segments: list[_Segment] = []
        self._is_plain = False
        self.parsers: list[Parser] = []
        self._inside: set[int] = set()
        self._fed_to: list[int] = []
        self._at = 0
        self._rest = b""
        self._before = b""
        self.restart()
        self._leaping = {number for number, parser in enumerate(self.parsers) if parser.leaps}
        self._has_context = {number for number, parser in enumerate(self.parsers) if parser.context}

    @cached_property
    def _stems(self) -> stems.Stems:
        """What all parsers look for; a log without lines needs none of it."""
        return stems.of(tuple((parser.stems, parser.starts) for parser in self.parsers))

    def restart(self) -> None:
        """Replace the parsers with new ones: what was fed before does not count."""
        self.parsers = [make() for make in self._makers]
        self._inside.clear()
        self._fed_to = [0] * len(self.parsers)

    def feed(self, block: bytes) -> None:
        """Read the next bytes of the log."""
        whole, feed, rest = block.rpartition(b"\n")
        if feed:
            self._lines(self._rest + whole + feed)
            self._rest = b""
        self._rest += rest
        if len(self._rest) > self._held:
            overwritten = self._rest.rstrip(b"\r").rfind(b"\r") + 1
            self._rest = self._rest[overwritten : overwritten + self._held]

    def feed_lines(
        self,
        lines: Sequence[bytes],
        places: Sequence[int] | Callable[[], Sequence[int]],
        *,
        is_plain: bool = False,
    ) -> None:
        """Read lines that are parts of another log.

        Args:
            lines: the lines without their line feeds.
            places: where they begin in the other log, or what finds that.
            is_plain: whether no stem is in them.
        """
        old = bisect_right(self._segments, max(0, self._at - _CONTEXT), key=lambda one: one.at) - 1
        if old > 0:
            del self._segments[:old]
        self._segments.append(_Segment(self._at, lines, places))
        self._lines(b"\n".join([*lines, b""]), is_plain=is_plain)

    def place(self, at: int) -> int:
        """Return where the line at a position is in the log of which these lines are a part."""
        if not self._segments:
            return at
        return self._segments[bisect_right(self._segments, at, key=lambda one: one.at) - 1].place(at)

    def end(self) -> None:
        """Read the last line, which has no line feed."""
        rest, self._rest = self._rest, b""
        if rest:
            self._lines(rest + b"\n")

    def jump(self) -> None:
        """Leave a part of the log out; the next bytes begin a line."""
        self._rest = self._before = b""
        self._inside.clear()

    def lines_after(self, at: int) -> list[str]:
        """Return the lines after the one at a position, as far as they are in the last 4 KiB of the log."""
        start = self._at - len(self._before)
        if at < start:
            data = self._before.partition(b"\n")[2] if start else self._before
        else:
            data = self._before[at - start :].partition(b"\n")[2]
        return [self._show(line) for line in data.split(b"\n")[:-1]]

    def _lines(self, data: bytes, *, is_plain: bool = False) -> None:
        """Read whole lines, in which no stem is if they are plain."""
        if b"\x1b" in data:
            data = _ESCAPES.sub(b"", data)
        at, place = 0, self._at
        self._is_plain = True
        while at < len(data):
            if self._may_leap:
                reached, end = self.parsers[next(iter(self._inside))].leap(data, at)
                self._is_plain = self._is_plain and reached == at
                self._passed(data[at:reached])
                self._searched(data[reached:end], is_plain=is_plain)
                at = end
            else:
                end = data.find(b"\n", at + _WINDOW) + 1 or len(data)
                at += self._searched(data[at:end], is_plain=is_plain, until_leap=True)
        if self._watch:
            self._watch(data, place, is_plain=self._is_plain)

    @property
    def _may_leap(self) -> bool:
        return len(self._inside) == 1 and not self._leaping.isdisjoint(self._inside)

    def _searched(self, data: bytes, *, is_plain: bool, until_leap: bool = False) -> int:
        """Read whole lines, those that parsers may need; return how many bytes, which may be fewer `until_leap`."""
        at = 0
        hits, has_stems = self._stems.hits(data, is_plain=is_plain)
        self._is_plain = self._is_plain and not has_stems
        for start, judged in hits:
            at = self._inner(data, at, start)
            at = self._line(data, start, judged)
            if until_leap and self._inside and self._may_leap:
                self._passed(data[:at])
                return at
        self._inner(data, at, len(data))
        self._passed(data)
        return len(data)

    def _passed(self, data: bytes) -> None:
        """Note that these lines were read."""
        self._before = data[-_CONTEXT:] if len(data) >= _CONTEXT else (self._before + data)[-_CONTEXT:]
        self._at += len(data)

    def _inner(self, data: bytes, at: int, end: int) -> int:
        """Feed lines to the parsers that want every line, until there is none."""
        while self._inside and at < end:
            at = self._line(data, at, 0)
        return at

    def _line(self, data: bytes, start: int, judged: int) -> int:
        """Feed a line to the parsers that need it; return where the next one begins."""
        end = data.index(b"\n", start)
        raw = data[start:end]
        readers = self._stems.readers(judged, raw) if judged else ()
        if self._inside:
            readers = sorted({*readers, *self._inside}) if readers else sorted(self._inside)
        if readers:
            text = self._show(raw)
            for number in readers:
                if number in self._has_context and self.parsers[number].needs_context(text):
                    self._context(number, data, start)
                self._give(number, text, self._at + start, end + 1 - start)
        return end + 1

    def _give(self, number: int, text: str, at: int, length: int) -> None:
        parser = self.parsers[number]
        parser.at = self.place(at)
        self._fed_to[number] = at + length
        (self._inside.add if parser.feed(text[: parser.longest]) else self._inside.discard)(number)

    def _context(self, number: int, data: bytes, start: int) -> None:
        """Feed the lines before a line to a parser that wants them and has not seen them."""
        most = self.parsers[number].context
        if not most or number in self._inside or self._fed_to[number] >= self._at + start:
            return
        lines = (
            (self._before + data[max(0, start - _CONTEXT) : start])
            if start < _CONTEXT
            else data[start - _CONTEXT : start]
        )
        earlier = lines.split(b"\n")[-most - 1 : -1]
        at = self._at + start - sum(len(line) + 1 for line in earlier)
        for line in earlier:
            if at >= self._fed_to[number]:
                self._give(number, self._show(line), at, len(line) + 1)
            at += len(line) + 1
