"""Read what JavaScript test runners have in common: stack frames, code frames, and messages with differences. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FRAME = expression(
    r"^\s*(?:at (?:async )?(?:.*\()?|❯ (?:[\w.$<>]+ )?)(?:file://)?([^\s()][^()]*?):(\d+):\d+\)?(?: \{)?$"
)
_CODE = expression(r"^ {3,}(?:> *)?(?:\d+ *)?\||^ *(?:> *)?\d+ ?\|")
_VALUE = expression(r"^(?:Expected|Received)\b[^:]*: .")
_CHANGE = expression(r"^[-+] *\S")
_LEGEND = ("+ actual - expected", "- Expected", "+ Received", "+ expected - actual")
_MOST_LINES = 30
"""How many lines of a section are kept; a message begins at its beginning."""


class Frame(NamedTuple):
    """A line of a stack trace that names a file."""

    file: str
    line: int | None


class Section:
    """The section of a failed test: its message, its stack trace, and what follows that."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.rest: list[str] = []
        self.frames: list[Frame] = []

    def feed(self, line: str) -> None:
        """Read a line of the section."""
        if frame := _FRAME.match(line):
            if len(self.frames) < _MOST_LINES:
                self.frames.append(Frame(frame[1], number(frame[2])))
        elif len(kept := self.rest if self.frames else self.lines) < _MOST_LINES:
            kept.append(line)

    @property
    def message(self) -> str:
        """The error, and after it the values that differ."""
        lines = [line.strip() for line in self.lines if not _CODE.match(line)]
        lines = [line for line in lines if line]
        return headline(lines[0], lines[1:]) if lines else ""

    def line_in(self, file: str) -> int | None:
        """Return the line of the innermost frame in a file."""
        return next((frame.line for frame in self.frames if is_same(frame.file, file)), None)

    @property
    def own_frames(self) -> list[Frame]:
        """The frames of neither Node.js nor an installed package."""
        return [one for one in self.frames if not is_foreign(one.file)]


def is_same(one: str, other: str) -> bool:
    """Return whether two paths may name one file: one of them ends with the other."""
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def is_foreign(file: str) -> bool:
    """Return whether a file belongs to Node.js or to an installed package, or is none: the code of `node -e`."""
    return file.startswith(("node:", "internal/", "[eval", "[stdin]")) or "node_modules/" in file


def headline(first: str, rest: Sequence[str]) -> str:
    """Return the first line of an error, with what differs if it does not say that itself."""
    is_bare = first.startswith(("expect(", "Error: expect("))
    head = first.partition(" // ")[0] if is_bare else first
    if not is_bare and not head.endswith(":"):
        return head
    if not is_bare and rest and not rest[0].startswith(("+", "-")):
        return f"{head} {rest[0]}"
    extra = [line for line in rest if _VALUE.match(line)] or list(_changes(rest))
    return " ".join([head, *extra[:4]]).removesuffix(",")


def _changes(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of the first difference that only one side has."""
    is_begun = False
    for line in lines:
        if line.startswith(_LEGEND):
            if is_begun:
                return
        elif _CHANGE.match(line):
            is_begun = True
            yield " ".join(line.split())
