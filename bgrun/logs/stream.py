"""What is shown of a log while it is being written: whole lines, what came of one without an end, the last one.

All of it is clean text with its secrets masked.
"""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.logs import masked, reader
from bgrun.parsers import terminal
from bgrun.store import masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.store.masking import Mark

LONGEST_LINE = masking.LONGEST_LINE
"""A longer line is given in parts, so that no line takes more memory than that."""


class Piece(NamedTuple):
    """Something of a line.

    `more` is what comes behind what was given of the line before, None where that is no longer how it begins;
    `whole` is what to show on a line of its own instead. `ends`: nothing more comes of this line.
    """

    more: str | None
    whole: str
    ends: bool


class Lines:
    """The lines of a log that comes in pieces; takes as long as the log, however long a line of it is."""

    def __init__(self, known: Sequence[Mark]) -> None:
        self._known = known
        self._rest: list[bytes] = []
        self._size = 0
        self._text: masked.Text | None = None
        self._begun = ""

    @property
    def is_open(self) -> bool:
        """Whether there is something of a line whose end has not come."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Piece]:
        """Return each line that has ended by now, and of a very long one what came of it."""
        first, *others = data.split(b"\n")
        self._add(first)
        pieces: list[Piece] = []
        for part in others:
            pieces.append(self._line())
            self._add(part)
        if self._size > LONGEST_LINE and not self._goes_back():
            pieces.append(self._part())
        return pieces

    def early(self) -> Piece | None:
        """Return what can be shown of a line without an end, where there is anything new of it.

        With secrets that is not its very end, which may be the beginning of one.
        """
        if self._text or not self._rest:
            return None
        whole, _ = terminal.settled(b"".join(self._rest))
        text = terminal.clean(terminal.decode(whole))
        text = masked.Text(self._known).feed(text) if self._known else text
        if not text or text == self._begun:
            return None
        piece = Piece(self._behind(text), text, ends=False)
        self._begun = text
        return piece

    def end(self) -> Piece | None:
        """Return the rest of the last line, which no line feed closed."""
        return self._line() if self._rest or self._text or self._begun else None

    def _behind(self, text: str) -> str | None:
        return text[len(self._begun) :] if self._begun and text.startswith(self._begun) else None

    def _add(self, data: bytes) -> None:
        if data:
            self._rest.append(data)
            self._size += len(data)

    def _take(self) -> bytes:
        taken = b"".join(self._rest)
        self._rest, self._size = [], 0
        return taken

    def _line(self) -> Piece:
        data = self._take()
        if self._text:
            text, self._text = self._text, None
            rest = text.feed(terminal.clean(terminal.decode(data))) + text.end()
            return Piece(rest, rest, ends=True)
        whole = masking.shown(terminal.decode(data), self._known)
        more, self._begun = self._behind(whole), ""
        return Piece(more, whole, ends=True)

    def _part(self) -> Piece:
        """Give what has come of a very long line, but for what the next bytes may change."""
        data, held = terminal.settled(self._take())
        self._add(held)
        begun = self._begun if self._text is None else ""
        self._text, self._begun = self._text or masked.Text(self._known), ""
        text = self._text.feed(terminal.clean(terminal.decode(data)))
        return Piece(text[len(begun) :] if text.startswith(begun) else None, text, ends=False)

    def _goes_back(self) -> bool:
        """Let go of what a progress bar wrote over: only its newest state is ever shown, however often it goes back."""
        data = self._take()
        standing = data.rstrip(b"\r")
        gone = 0 if self._text else standing.rfind(b"\r") + 1
        self._add(data[gone:])
        return gone > 0 and self._size <= LONGEST_LINE


def last_line(path: str, known: Sequence[Mark], most: int, *, unended: bool = False) -> str:
    """Return the end of the last line of a log, of which at most so many bytes are looked at.

    Args:
        path: the log.
        known: the marks of its secrets.
        most: how many bytes of the line.
        unended: whether only a line is meant that no line feed closes; '' for any other.
    """
    reach = max((mark.length for mark in known), default=1) - 1
    start = max(0, reader.size(path) - most - (masked.ahead(known) if known else 0))
    data = b"".join(piece.data for piece in masked.read_from(path, start, known))
    if unended and data.endswith(b"\n"):
        return ""
    _, feed, line = data.removesuffix(b"\n").rpartition(b"\n")
    # What is cut off at its beginning may be the end of a secret.
    is_cut = start > 0 and not feed
    return masking.hide(terminal.clean(terminal.decode(line)), known, skip=reach if is_cut else 0)
