"""Show a log while it is being written: its lines, an unfinished line so far, its last line.

All of it is clean text with its secrets masked.
"""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.logs import masked
from bgrun.parsers import terminal
from bgrun.store import masking
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.store.masking import Mark

LONGEST_LINE = masking.LONGEST_LINE
"""A longer line is returned in parts, which limits the memory that a line takes."""


class Piece(NamedTuple):
    """A part of a line.

    more: the text to append to what was returned of the line before; None if the line no longer begins with that.
    whole: the text to show on a new line instead.
    ends: whether the line is complete.
    """

    more: str | None
    whole: str
    ends: bool


class Lines:
    """Splits a log that comes in pieces into lines, in linear time however long a line is."""

    def __init__(self, known: Sequence[Mark]) -> None:
        self._known = known
        self._rest = masked.Unended()
        self._text: masked.Text | None = None
        self._begun = ""

    @property
    def is_open(self) -> bool:
        """Whether there is an unfinished line."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Piece]:
        """Return the lines that are complete, and the part so far of a very long one."""
        first, *others = data.split(b"\n")
        self._rest.add(first)
        pieces: list[Piece] = []
        for part in others:
            pieces.append(self._line())
            self._rest.add(part)
        if self._rest.size > LONGEST_LINE and not self._goes_back():
            pieces.append(self._part())
        return pieces

    def early(self) -> Piece | None:
        """Return what can be shown of an unfinished line, or None if nothing is new.

        With secrets the end of it is held back: it may be the beginning of one.
        """
        if self._text or not self._rest:
            return None
        whole, _ = terminal.settled(self._rest.data())
        text = terminal.clean(terminal.decode(whole))
        text = masked.Text(self._known).feed(text) if self._known else text
        if not text or text == self._begun:
            return None
        piece = Piece(self._behind(text), text, ends=False)
        self._begun = text
        return piece

    def end(self) -> Piece | None:
        """Return the rest of the last line, which has no line feed."""
        return self._line() if self._rest or self._text or self._begun else None

    def _behind(self, text: str) -> str | None:
        return text[len(self._begun) :] if self._begun and text.startswith(self._begun) else None

    def _line(self) -> Piece:
        data = self._rest.take()
        if self._text:
            text, self._text = self._text, None
            rest = text.feed(terminal.clean(terminal.decode(data))) + text.end()
            return Piece(rest, rest, ends=True)
        whole = masking.shown(terminal.decode(data), self._known)
        more, self._begun = self._behind(whole), ""
        return Piece(more, whole, ends=True)

    def _part(self) -> Piece:
        """Return the part so far of a very long line, except bytes whose meaning may still change."""
        data, held = terminal.settled(self._rest.take())
        self._rest.add(held)
        begun = self._begun if self._text is None else ""
        self._text, self._begun = self._text or masked.Text(self._known), ""
        text = self._text.feed(terminal.clean(terminal.decode(data)))
        return Piece(text[len(begun) :] if text.startswith(begun) else None, text, ends=False)

    def _goes_back(self) -> bool:
        """Drop text that a carriage return overwrote: only the newest state of a progress bar is shown."""
        data = self._rest.take()
        standing = data.rstrip(b"\r")
        gone = 0 if self._text else standing.rfind(b"\r") + 1
        self._rest.add(data[gone:])
        return gone > 0 and self._rest.size <= LONGEST_LINE


def last_line(path: str, known: Sequence[Mark], most: int, *, unended: bool = False) -> str:
    """Return the end of the last line of a log.

    Args:
        path: the log.
        known: the marks of its secrets.
        most: how many bytes of the line are read at most.
        unended: whether to return '' if the line has a line feed.
    """
    reach = max((mark.length for mark in known), default=1) - 1
    start = max(0, reading.size(path) - most - (masked.ahead(known) if known else 0))
    data = b"".join(piece.data for piece in masked.read_from(path, start, known))
    if unended and data.endswith(b"\n"):
        return ""
    _, feed, line = data.removesuffix(b"\n").rpartition(b"\n")
    # The first bytes of a cut line may be the end of a secret.
    is_cut = start > 0 and not feed
    return masking.hide(terminal.clean(terminal.decode(line)), known, skip=reach if is_cut else 0)
