"""Read a log in pages: whole lines within limits, with a cursor to the next page."""

from __future__ import annotations

from collections import deque

from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.logs import masked, reader
from bgrun.parsers import bounded_regex, terminal
from bgrun.store import masking
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONGEST_LINE = 64 << 10
"""A longer line is split into parts of this size, in bytes."""
SEARCH_S = 3.0
START = "start"


class Cursor(NamedTuple):
    """An offset in the log of a run, in bytes."""

    run_id: str
    offset: int


class Line(NamedTuple):
    """A line of a log without its line feed, its secrets masked; `end` is the offset of the next line."""

    data: bytes
    end: int


class PageRequest(NamedTuple):
    """Which lines of a log a page has; None is no limit.

    pattern: a line has to match it.
    context: how many lines before and after a match are included.
    head: the first so many of these lines.
    tail: the last so many of these lines.
    most_bytes: the limit on the size of the page.
    raw: whether the bytes are returned with escape sequences and control characters.
    """

    pattern: bounded_regex.Pattern | None = None
    context: int = 0
    head: int | None = None
    tail: int | None = None
    most_bytes: int | None = None
    raw: bool = False


class Page(NamedTuple):
    """Lines of a log.

    next_offset: the offset at which the next page begins.
    truncated: whether requested lines are missing because a limit or the search time was reached.
    """

    lines: tuple[str, ...]
    next_offset: int
    truncated: bool


def pack(cursor: Cursor) -> str:
    """Return a cursor as text: `RUN_ID@OFFSET`."""
    return f"{cursor.run_id}@{cursor.offset}"


def unpack(text: str, run_id: str) -> Cursor:
    """Return the cursor that `pack` returned as `text`; `start` is the beginning of the run's log.

    Raises:
        UsageError: it is no cursor, or belongs to another run.
    """
    if text == START:
        return Cursor(run_id, 0)
    owner, at, offset = text.rpartition("@")
    if not at or not offset.isascii() or not offset.isdigit() or len(offset) > 18:
        raise UsageError(f"invalid cursor {text!r}", f"begin with --since {START}, then pass the cursor it prints")
    if owner != run_id:
        raise UsageError(f"cursor {text!r} belongs to {owner}, not to {run_id}", f"bgrun logs {owner} --since {text}")
    return Cursor(owner, int(offset))


def begin(path: str, start: int) -> int:
    """Return the offset to continue reading at: `start`, or 0 if the log has become shorter."""
    return 0 if start > reading.size(path) else start


def lines_from(
    path: str, start: int, known: Sequence[masking.Mark] = (), *, final: bool = True, raw: bool = False
) -> Iterator[Line]:
    """Yield the lines of a log from an offset on.

    Args:
        path: the log.
        start: the offset; a log that has become shorter is read from its beginning.
        known: the marks of the secrets. With any, the lines are clean text, except raw ones without a secret.
        final: whether the log is complete, so that a last line without a line feed is whole.
        raw: whether escape sequences and control characters are kept.
    """
    at = begin(path, start)
    if not known:
        return (Line(part.data, part.end) for part in _parts_from(path, at, (), final=final))
    parts = _parts_from(path, at, known, final=final)
    return _masked(parts, _before(path, at), known, raw=raw)


class _Part(NamedTuple):
    """A line of a log, or a part of a very long one; then `after` has the bytes that follow it."""

    data: bytes
    end: int
    after: bytes = b""


def _parts_from(path: str, at: int, known: Sequence[masking.Mark], *, final: bool) -> Iterator[_Part]:
    """Yield the lines of a log from an offset on, very long ones in parts."""
    rest = b""
    ahead = masked.ahead(known) if known else 0
    for data, end in masked.read_from(path, at, known):
        if end - at != len(data):  # a notice in place of dropped bytes
            yield from (_Part(part, at) for part in (rest,) if part)
            yield from (_Part(part, end) for part in data.split(b"\n") if part)
            rest = b""
        else:
            *whole, rest = (rest + data).split(b"\n")
            begin = end - len(rest) - sum(len(part) + 1 for part in whole)
            for line in whole:
                *early, last = _parts(line, begin + len(line), ahead)
                yield from early
                yield last._replace(end=last.end + 1)
                begin = last.end + 1
            *early, (rest, _, _) = _parts(rest, end, ahead)
            yield from early
        at = end
    if rest and final:
        yield _Part(rest, at)


def _parts(line: bytes, end: int, ahead: int) -> list[_Part]:
    """Split a line that ends at offset `end` into parts of at most `LONGEST_LINE` bytes."""
    parts = []
    begin = end - len(line)
    while len(line) > LONGEST_LINE + ahead:
        cut = _boundary(line, LONGEST_LINE)
        begin += cut
        parts.append(_Part(line[:cut], begin, line[cut : cut + ahead]))
        line = line[cut:]
    return [*parts, _Part(line, end)]


def _before(path: str, at: int) -> bytes:
    """Return the bytes before an offset on the same line: a secret may begin in them."""
    start = max(0, at - LONGEST_LINE)
    data = b"".join(piece.data for piece in reader.read_from(path, start, at))
    return data.rpartition(b"\n")[2]


def _masked(parts: Iterable[_Part], before: bytes, known: Sequence[masking.Mark], *, raw: bool) -> Iterator[Line]:
    """Yield the parts with their secrets masked, including those that extend over two parts."""
    for part in parts:
        if raw and not before and not part.after:
            data = masking.mask(part.data, known)
        else:
            data = _in_context(before, part.data, part.after, known)
        yield Line(data, part.end)
        before = part.data if part.after else b""


def _in_context(before: bytes, data: bytes, after: bytes, known: Sequence[masking.Mark]) -> bytes:
    """Return a part of a line as clean text, masked as it would be in the whole line."""
    standing = data.rstrip(b"\r")
    if (back := standing.rfind(b"\r")) >= 0:  # a carriage return: the text before it was overwritten
        before, standing = b"", standing[back + 1 :]
    before = before[before.rfind(b"\r") + 1 :]
    after = b"" if data.endswith(b"\r") else after.partition(b"\r")[0]
    skip, end = (_length(terminal.clean(terminal.decode(one))) for one in (before, before + standing))
    whole = terminal.clean(terminal.decode(before + standing + after))
    return masking.hide(whole, known, skip, end if after else None).encode("utf-8", "replace")


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _boundary(data: bytes, most: int) -> int:
    """Return where to split so that no UTF-8 character is split."""
    cut = most
    while cut > most - 4 and data[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut


def page(lines: Iterable[Line], start: int, wanted: PageRequest) -> Page:
    """Return the page of these lines, the first of which begins at the offset `start`."""
    clock = bounded_regex.Clock(SEARCH_S)
    chosen = _Chosen(wanted)
    at = start
    for line in lines:
        text = terminal.decode(line.data) if wanted.raw else terminal.clean(terminal.decode(line.data))
        taken = _matches(text, wanted, clock)
        if clock.is_up or not chosen.offer(text, taken=taken):
            return Page(tuple(chosen.lines), at, truncated=True)
        at = line.end
    return Page(tuple(chosen.lines), at, chosen.dropped)


def _matches(text: str, wanted: PageRequest, clock: bounded_regex.Clock) -> bool:
    return wanted.pattern is None or clock.search(wanted.pattern, text) is not None


class _Chosen:
    """The lines of a page so far, with their context, within its limits."""

    def __init__(self, wanted: PageRequest) -> None:
        self.wanted = wanted
        self.lines: deque[str] = deque()
        self.bytes = 0
        self.dropped = False
        self.before: deque[str] = deque(maxlen=wanted.context)
        self.after = 0
        self.gap = False

    def offer(self, text: str, *, taken: bool) -> bool:
        """Add a line or its context; return False if the page is full."""
        if not taken and not self.after:
            self.gap = self.gap or len(self.before) == self.wanted.context
            self.before.append(text)
            return True
        new = [*self.before, text] if taken else [text]
        if taken and self.wanted.context and self.gap and self.lines:
            new.insert(0, "--")
        if not self._add(new):
            return False
        self.after = self.wanted.context if taken else self.after - 1
        self.before.clear()
        self.gap = False
        return True

    def _add(self, new: Sequence[str]) -> bool:
        size = sum(len(text.encode("utf-8", "replace")) + 1 for text in new)
        wanted = self.wanted
        if wanted.tail is None:
            full = wanted.head is not None and len(self.lines) + len(new) > wanted.head
            over = wanted.most_bytes is not None and self.bytes + size > wanted.most_bytes
            if self.lines and (full or over):
                return False
        self.lines.extend(new)
        self.bytes += size
        while wanted.tail is not None and self._too_much():
            self.bytes -= len(self.lines.popleft().encode("utf-8", "replace")) + 1
            self.dropped = True
        return True

    def _too_much(self) -> bool:
        wanted = self.wanted
        over = wanted.most_bytes is not None and self.bytes > wanted.most_bytes and len(self.lines) > 1
        return over or len(self.lines) > (wanted.tail or 0)
