"""Give each parser the lines of a log that it needs, in linear time and little memory.

A log is searched for the stems of all parsers at once, as bytes; only around hits it is split into lines. What lines
begin with costs next to nothing, however many there are: one expression is tried at each line feed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bgrun.parsers.shape import Parser

LONGEST_LINE = 4096
"""How many characters of a line a parser gets."""
MOST_BYTES = 64 << 10
"""How many bytes of a line are held; of the rest of it only what follows the last carriage return is kept."""
COMMON = (b"rror", b"FAIL", b"ailed", b"ailing", b"assed", b"arning", b"irectory")
"""Stems that stand for many longer ones."""
_CONTEXT = 4 << 10
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\([0-9A-Z])")


class Sieve:
    """Splits a log that comes in blocks, and feeds parsers.

    Args:
        makers: make the parsers; again at each `restart`.
        show: turns the bytes of a line into clean text with secrets masked.
        held: how many bytes of a line are held at most.
        watch: gets all lines after the parsers, without escape sequences, and their position.
    """

    def __init__(
        self,
        makers: Sequence[Callable[[], Parser]],
        show: Callable[[bytes], str],
        held: int = MOST_BYTES,
        watch: Callable[[bytes, int], None] | None = None,
    ) -> None:
        self._makers = makers
        self._show = show
        self._held = held
        self._watch = watch
        self._offsets: list[int] = []
        self._places: list[int] = []
        self.parsers: list[Parser] = []
        self._inside: set[int] = set()
        self._fed_to: list[int] = []
        self._at = 0
        self._rest = b""
        self._before = b""
        self.restart()
        self._plan = _plan(tuple((parser.stems, parser.starts) for parser in self.parsers))

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

    def feed_lines(self, lines: Sequence[bytes], places: Sequence[int]) -> None:
        """Read lines that are parts of another log, where they begin at other places."""
        old = bisect_right(self._offsets, max(0, self._at - _CONTEXT)) - 1
        if old > 0:
            del self._offsets[:old], self._places[:old]
        at = self._at
        for line, place in zip(lines, places, strict=True):
            self._offsets.append(at)
            self._places.append(place)
            at += len(line) + 1
        self._lines(b"\n".join([*lines, b""]))

    def place(self, at: int) -> int:
        """Return where the line at a position is in the log of which these lines are a part."""
        return self._places[bisect_right(self._offsets, at) - 1] if self._offsets else at

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

    def _lines(self, data: bytes) -> None:
        """Read whole lines."""
        if b"\x1b" in data:
            data = _ESCAPES.sub(b"", data)
        at = 0
        for start, wanted in self._hits(data):
            at = self._inner(data, at, start)
            at = self._line(data, start, wanted)
        self._inner(data, at, len(data))
        if self._watch:
            self._watch(data, self._at)
        self._before = data[-_CONTEXT:] if len(data) >= _CONTEXT else (self._before + data)[-_CONTEXT:]
        self._at += len(data)

    def _hits(self, data: bytes) -> list[tuple[int, set[int]]]:
        """Return the start of each line with a stem, and the parsers that may want it."""
        found: dict[int, set[int]] = {}
        if self._plan.always:
            at = 0
            while at < len(data):
                found[at] = set(self._plan.always)
                at = data.index(b"\n", at) + 1
        begun = b"\n" + (data.replace(b"\r", b"\n") if b"\r" in data else data)
        for match in self._plan.starts.finditer(begun):
            first = match.start(1) - 1
            found.setdefault(data.rfind(b"\n", 0, first) + 1, set()).update(self._plan.begun_by[data[first]])
        is_ascii = data.isascii()
        for stem, wanted in self._plan.stems:
            at = -1 if is_ascii and not stem.isascii() else data.find(stem)
            while at >= 0:
                found.setdefault(data.rfind(b"\n", 0, at) + 1, set()).update(wanted)
                at = data.find(stem, data.index(b"\n", at))
        return sorted(found.items())

    def _inner(self, data: bytes, at: int, end: int) -> int:
        """Feed lines to the parsers that want every line, until there is none."""
        while self._inside and at < end:
            at = self._line(data, at, ())
        return at

    def _line(self, data: bytes, start: int, wanted: Iterable[int]) -> int:
        """Feed a line to the parsers that want it; return where the next one begins."""
        end = data.index(b"\n", start)
        raw = data[start:end]
        shown = raw.rstrip(b"\r")
        begun = b"\n" + shown[shown.rfind(b"\r") + 1 :]
        readers = {one for one in wanted if one not in self._inside and self._plan.needed[one].match(raw, begun)}
        readers |= self._inside
        if readers:
            text = self._show(raw)
            for number in sorted(readers):
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


class _Plan:
    """What lines to search for, and which parsers may want them.

    needed: of each parser, the lines that it needs.
    always: the parsers that need every line.
    stems: each stem, and the parsers that may want a line with it.
    starts: an expression for the start of a line, and by its first byte the parsers that may want it.
    """

    def __init__(self, wanted: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
        self.needed = [_Needed(stems, starts) for stems, starts in wanted]
        self.always = {number for number, needed in enumerate(self.needed) if needed.is_all}
        every = _reduced({stem for needed in self.needed for stem in needed.stems})
        self.stems = [(stem, self._wanting(stem)) for stem in every]
        begun = [(start, number) for number, (_, starts) in enumerate(wanted) for start in starts]
        self.starts = _any_start(start for start, _ in begun)
        self.begun_by: dict[int, set[int]] = {}
        for start, number in begun:
            for byte in _first(start):
                self.begun_by.setdefault(byte, set()).add(number)

    def _wanting(self, stem: bytes) -> set[int]:
        return {number for number, needed in enumerate(self.needed) if any(stem in one for one in needed.stems)}


_plan = cache(_Plan)


class _Needed:
    """Decides which lines a parser needs."""

    def __init__(self, stems: Sequence[str], starts: Sequence[str]) -> None:
        self.stems = [stem.encode() for stem in stems]
        self.is_all = not stems and not starts
        self._starts = _any_start(starts) if starts else None

    def match(self, raw: bytes, begun: bytes) -> bool:
        """Return whether the parser needs a line; `begun` is a line feed and what is shown of it."""
        for stem in self.stems:  # a fourth of the time of `any`, for lines that many parsers may want
            if stem in raw:
                return True
        return self.is_all or (self._starts is not None and self._starts.match(begun) is not None)


def _reduced(stems: set[bytes]) -> list[bytes]:
    """Return fewer and shorter stems, one of which is in each of these."""
    short = {next((common for common in COMMON if common in stem), stem) for stem in stems}
    return sorted(stem for stem in short if not any(other in stem for other in short if other != stem))


def _token(start: str) -> str:
    """Return the first part of an expression: a character, or an escaped one."""
    return start[: 2 if start.startswith("\\") else 1]


def _first(start: str) -> bytes:
    """Return the bytes with which a line begins that matches an expression."""
    return b"0123456789" if start.startswith("\\d") else _token(start)[-1].encode()[:1]


def _any_start(starts: Iterable[str]) -> re.Pattern[bytes]:
    """Return an expression for a line feed and one of these expressions, grouped by their first character."""
    groups: dict[str, list[str]] = {}
    for start in dict.fromkeys(starts):
        groups.setdefault(_token(start), []).append(start[len(_token(start)) :])
    every = "|".join(f"{token}(?:{'|'.join(some)})" for token, some in groups.items())
    return re.compile(b"\n[ \t]*(" + (every.encode() or b"(?!)") + b")")
