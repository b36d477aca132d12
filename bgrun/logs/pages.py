"""Reading on in a log: pages of whole lines, bounded, each with a cursor to the next one."""

from __future__ import annotations

from collections import deque

from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.logs import masked, reader
from bgrun.parsers import bounded_regex, terminal
from bgrun.store import masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONGEST_LINE = 64 << 10
"""A longer line is given in parts of so many bytes."""
SEARCH_S = 3.0
START = "start"


class Cursor(NamedTuple):
    """A place in the log of one run, in bytes."""

    run_id: str
    offset: int


class Line(NamedTuple):
    """A line of a log as bytes, without its line feed and with its secrets masked; `end` is where the next begins."""

    data: bytes
    end: int


class PageRequest(NamedTuple):
    """Which lines of a log are wanted.

    `pattern` is searched in each, `context` lines around a match come with it. `head` gives the first
    so many lines, `tail` the last; `most_bytes` bounds the text of either. None is no bound.
    """

    pattern: bounded_regex.Pattern | None = None
    context: int = 0
    head: int | None = None
    tail: int | None = None
    most_bytes: int | None = None
    raw: bool = False


class Page(NamedTuple):
    """Lines of a log, where reading goes on, and whether wanted lines were left out for want of room or time."""

    lines: tuple[str, ...]
    next_offset: int
    truncated: bool


def pack(cursor: Cursor) -> str:
    """Return a cursor as one word."""
    return f"{cursor.run_id}@{cursor.offset}"


def unpack(text: str, run_id: str) -> Cursor:
    """Return the cursor that a word stands for; `start` is the beginning of this run's log.

    Raises:
        UsageError: it is none, or one of another run.
    """
    if text == START:
        return Cursor(run_id, 0)
    owner, at, offset = text.rpartition("@")
    if not at or not offset.isascii() or not offset.isdigit() or len(offset) > 18:
        raise UsageError(f"{text!r} is no cursor", f"a cursor comes from `bgrun logs` with --since, first: {START}")
    if owner != run_id:
        raise UsageError(f"the cursor is one of {owner}, and this is {run_id}", f"bgrun logs {owner} --since {text}")
    return Cursor(owner, int(offset))


def begin(path: str, start: int) -> int:
    """Return where reading begins that is to go on at an offset: 0 in a log that became shorter than that."""
    return 0 if start > reader.size(path) else start


def lines_from(
    path: str, start: int, known: Sequence[masking.Mark] = (), *, final: bool = True, raw: bool = False
) -> Iterator[Line]:
    """Give the lines of a log from an offset on.

    Args:
        path: the log.
        start: where to begin; a log that has become shorter than that is read from its beginning.
        known: what to mask. Then the lines are clean text, but for raw ones that hold no secret.
        final: whether nothing more comes, so that a last line without a line feed is whole.
        raw: whether the bytes are wanted as they are.
    """
    at = begin(path, start)
    if not known:
        return (Line(part.data, part.end) for part in _parts_from(path, at, (), final=final))
    parts = _parts_from(path, at, known, final=final)
    return _masked(parts, _before(path, at), known, raw=raw)


class _Part(NamedTuple):
    """A line of a log or, if it is very long, a part of one; then `after` is how the line goes on."""

    data: bytes
    end: int
    after: bytes = b""


def _parts_from(path: str, at: int, known: Sequence[masking.Mark], *, final: bool) -> Iterator[_Part]:
    """Give the lines of a log from an offset on, very long ones in parts, each with what follows where that matters."""
    rest = b""
    ahead = masked.ahead(known) if known else 0
    for data, end in masked.read_from(path, at, known):
        if end - at != len(data):  # a word on what was dropped, instead of it
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
    """Return a line that ends at `end` in parts that are not too long."""
    parts = []
    begin = end - len(line)
    while len(line) > LONGEST_LINE + ahead:
        cut = _boundary(line, LONGEST_LINE)
        begin += cut
        parts.append(_Part(line[:cut], begin, line[cut : cut + ahead]))
        line = line[cut:]
    return [*parts, _Part(line, end)]


def _before(path: str, at: int) -> bytes:
    """Return what stands before an offset on the same line, as far as a secret that is cut there may reach."""
    start = max(0, at - LONGEST_LINE)
    data = b"".join(piece.data for piece in reader.read_from(path, start, at))
    return data.rpartition(b"\n")[2]


def _masked(parts: Iterable[_Part], before: bytes, known: Sequence[masking.Mark], *, raw: bool) -> Iterator[Line]:
    """Give the parts with their secrets masked, those too that are in two of them, or that begin before the first."""
    for part in parts:
        if raw and not before and not part.after:
            data = masking.mask(part.data, known)
        else:
            data = _in_context(before, part.data, part.after, known)
        yield Line(data, part.end)
        before = part.data if part.after else b""


def _in_context(before: bytes, data: bytes, after: bytes, known: Sequence[masking.Mark]) -> bytes:
    """Return a part of a line as clean text, masked as it is within the whole."""
    standing = data.rstrip(b"\r")
    if (back := standing.rfind(b"\r")) >= 0:  # it went back: what was before is written over
        before, standing = b"", standing[back + 1 :]
    before = before[before.rfind(b"\r") + 1 :]
    after = b"" if data.endswith(b"\r") else after.partition(b"\r")[0]
    skip, end = (_length(terminal.clean(terminal.decode(one))) for one in (before, before + standing))
    whole = terminal.clean(terminal.decode(before + standing + after))
    return masking.hide(whole, known, skip, end if after else None).encode("utf-8", "replace")


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _boundary(data: bytes, most: int) -> int:
    """Return where to cut so that no UTF-8 character is cut in two."""
    cut = most
    while cut > most - 4 and data[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut


def page(lines: Iterable[Line], start: int, wanted: PageRequest) -> Page:
    """Return the wanted ones of these lines, which begin at `start`."""
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
    """The lines that were taken so far, with their context, within the bounds."""

    def __init__(self, wanted: PageRequest) -> None:
        self.wanted = wanted
        self.lines: deque[str] = deque()
        self.bytes = 0
        self.dropped = False
        self.before: deque[str] = deque(maxlen=wanted.context)
        self.after = 0
        self.gap = False

    def offer(self, text: str, *, taken: bool) -> bool:
        """Take a line or pass it over; return False where there is no room for it."""
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
