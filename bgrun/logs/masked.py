"""Mask secrets in logs that come in pieces, and around bytes that were dropped."""

from __future__ import annotations

from bgrun.logs import reader
from bgrun.parsers import terminal
from bgrun.store.masking import LONGEST_LINE, MASK, Mark, mask, spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_MORE_BYTES = 1024


def read_from(path: str, offset: int, known: Sequence[Mark]) -> Iterator[reader.Piece]:
    """Yield the bytes of a log as `reader.read_from` does, without parts of secrets around dropped bytes.

    On the line before and after the gap, as many bytes as a secret may have are replaced by asterisks.
    """
    pieces = reader.read_from(path, offset)
    if not known:
        return pieces
    is_cut = reader.bytes_before(path, offset, 1) == b"\0"  # dropped bytes read as zeros
    return _starred(pieces, offset, ahead(known), cut=is_cut)


def ahead(known: Sequence[Mark]) -> int:
    """Return how many bytes of a log a secret may occupy, with escape sequences in it."""
    return 4 * max((mark.length for mark in known), default=0) + _MORE_BYTES


def _starred(pieces: Iterable[reader.Piece], at: int, reach: int, *, cut: bool) -> Iterator[reader.Piece]:
    before: reader.Piece | None = None
    for piece in pieces:
        is_gap, at = piece.end - at != len(piece.data), piece.end
        if before:
            yield before._replace(data=_without_end(before.data, reach)) if is_gap else before
        data = piece.data
        before = piece if is_gap or not cut else piece._replace(data=_without_end(data[::-1], reach)[::-1])
        if is_gap:
            yield piece
            before = None
        cut = is_gap
    if before:
        yield before


def _without_end(data: bytes, reach: int) -> bytes:
    length = min(len(data) - data.rfind(b"\n") - 1, reach)
    return data[: len(data) - length] + b"*" * length


class Text:
    """Masks clean text that comes in pieces, including secrets that extend over two pieces.

    Text that may be the beginning of a secret is held back until more is fed.
    """

    def __init__(self, known: Sequence[Mark]) -> None:
        self._known = known
        self._reach = max((mark.length for mark in known), default=1) - 1
        self._data = b""
        self._done = 0

    def feed(self, text: str) -> str:
        """Return the text that can be shown so far."""
        self._data += text.encode("utf-8", "surrogatepass")
        cut = max(self._done, len(self._data) - self._reach)
        while self._done < cut < len(self._data) and self._data[cut] & 0xC0 == 0x80:
            cut -= 1  # not within a character
        return self._up_to(cut)

    def end(self) -> str:
        """Return the rest."""
        return self._up_to(len(self._data))

    def _up_to(self, cut: int) -> str:
        parts = []
        at = self._done
        for span in spans(self._data, self._known):
            if span.start >= cut:
                break
            if span.end > at:
                # A secret that began before was replaced before.
                parts += [self._data[at : span.start], MASK.encode()] if span.start >= at else []
                at = span.end
        parts.append(self._data[at:cut])
        self._done = max(at, cut)
        # Text that was returned is kept as far as a secret may overlap with it.
        gone = max(0, self._done - self._reach)
        self._data, self._done = self._data[gone:], self._done - gone
        return b"".join(parts).decode("utf-8", "surrogatepass")


class Unended:
    """The bytes of a line that has not ended, which come in pieces; takes as long as the line."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def __bool__(self) -> bool:
        """Return whether there is anything of the line."""
        return bool(self._parts)

    def add(self, data: bytes) -> None:
        """Append what came of the line."""
        if data:
            self._parts.append(data)
            self.size += len(data)

    def data(self) -> bytes:
        """Return all that came of the line."""
        return b"".join(self._parts)

    def take(self) -> bytes:
        """Return all that came of the line, and forget it."""
        taken = self.data()
        self._parts, self.size = [], 0
        return taken


class Stream:
    """Masks the bytes of a log that come in pieces, line by line, and keeps control characters."""

    def __init__(self, known: Sequence[Mark]) -> None:
        self._known = known
        self._rest = Unended()
        self._text: Text | None = None

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that can be shown so far: whole lines if there are secrets, else all."""
        if not self._known:
            return data
        first, feed, others = data.partition(b"\n")
        self._rest.add(first)
        out: list[bytes] = []
        if feed:
            whole, feed_again, last = others.rpartition(b"\n")
            out = [self._line(), feed, mask(whole, self._known), feed_again]
            self._rest.add(last)
        if self._rest.size > LONGEST_LINE:
            out.append(self._part())
        return b"".join(out)

    def early(self) -> bytes:
        """Return what can be shown of an unfinished line if it is plain text, else b""."""
        rest = self._rest.data()
        if not rest or terminal.decode(rest).encode() != rest or not terminal.decode(rest).isprintable():
            return b""
        return self._part()

    def end(self) -> bytes:
        """Return the last line, which has no line feed."""
        return self._line()

    def _line(self) -> bytes:
        if self._text is None:
            return mask(self._rest.take(), self._known)
        text, self._text = self._text, None
        last = text.feed(terminal.without_controls(terminal.decode(self._rest.take())))
        return (last + text.end()).encode("utf-8", "surrogatepass")

    def _part(self) -> bytes:
        """Return what can be shown of an unfinished line, as clean text."""
        self._text = self._text or Text(self._known)
        whole, held = terminal.settled(self._rest.take())
        self._rest.add(held)
        return self._text.feed(terminal.without_controls(terminal.decode(whole))).encode("utf-8", "surrogatepass")
