"""Recognize Node.js: the exception that ended a program, and the first line of its own code."""

from __future__ import annotations

import re
from itertools import takewhile

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import WEAK, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_ERROR = expression(r"^(?:Uncaught )?([A-Z][\w$]*)(?: \[([A-Z][A-Z\d_]+)\])?: (.*)$")
_KIND = expression(r"^(?:Uncaught )?([A-Z]\w*(?:Error|Exception))$")
_FRAME = expression(r"^    at (?:.*\()?(.+?):(\d+):\d+\)?(?: \{)?$")
_SOURCE = expression(r"^(/.*|file:///.*|[A-Za-z]:\\.*):(\d+)$")
_VERSION = expression(r"^Node\.js v\d+\.\d+\.\d+")
_IMPORTED = expression(r"imported from (\S+)$")
_FOREIGN = ("node:", "internal/", "<anonymous>", "[eval]", "[stdin]")
_CARET = expression(r"^\s*\^+\s*$")
_THROWN = "(Use `node --trace-uncaught ...` to show where the exception was thrown)"
_NO_MESSAGE = ("at ", "Require stack:")
_LONGEST_MESSAGE = 30
_RECENT = 6
_MOST_JOINED = 4
"""How many lines of a message are joined to its first one."""


class NodeTraceback(Parser):
    """An uncaught exception or rejection of Node.js. A stack that was only printed is a warning."""

    name = "nodejs"
    stems = ("Error", "Exception")
    starts = ("Node", r"\(Use `node", "Unhandled")
    context = 5

    def __init__(self) -> None:
        super().__init__()
        self._recent: list[str] = []
        self._error: tuple[str, str, int] | None = None
        self._origin: tuple[str, str] | None = None
        self._place: tuple[str, str] | None = None
        self._frames = 0
        self._waited = 0
        self._rest: list[str] = []
        self._uncaught = False

    def feed(self, line: str) -> bool:
        """Read a line of a stack, the error before it, or the version that Node.js prints at its end."""
        if self._error and self._in_stack(line):
            return True
        if _VERSION.match(line):
            self._uncaught = True
            self._flush()
        elif line == _THROWN:
            self._thrown()
        elif match := _ERROR.match(line) or _KIND.match(line):
            self._begin(match)
        self._recent = [*self._recent[1 - _RECENT :], line]
        return self._error is not None and not self._frames

    def _begin(self, match: re.Match[str]) -> None:
        kind, message = match[1], match[3] if match.re.pattern == _ERROR.pattern else ""
        recent = self._recent
        self._flush()
        self._error = (kind, message, self.at)
        self._frames = self._waited = 0
        self._rest = []
        self._place = None
        found = _sources(recent)
        self._origin = found[-1] if found else None
        self._uncaught = bool(found) or any(_CARET.match(line) for line in recent)

    def _in_stack(self, line: str) -> bool:
        """Return whether a line belongs to the error: a frame, or the rest of its message before the first one."""
        if match := _FRAME.match(line):
            self._frames += 1
            file = match[1].removeprefix("async ")
            if not self._place and not file.startswith(_FOREIGN) and "/node_modules/" not in file:
                self._place = (file, match[2])
            return True
        if self._frames:
            return line.startswith("    at ") or line.startswith("    ... ")
        self._waited += 1
        self._rest.append(line.strip())
        if self._waited > _LONGEST_MESSAGE or _ERROR.match(line):
            self._error = None
        return self._error is not None

    def _thrown(self) -> None:
        """Take a thrown value that is no error: its text is on the line before."""
        recent, found = self._recent, _sources(self._recent)
        self._flush()
        if found:
            self._error, self._rest = ("", recent[-1], self.at), []
            self._origin, self._place, self._frames = found[-1], None, 1

    def _flush(self) -> None:
        if self._error and self._frames:
            kind, message, at = self._error
            imported = _IMPORTED.search(message)
            file, number = self._place or self._origin or (imported[1] if imported else "", "")
            severity = "error" if self._uncaught else "warning"
            rest = [line for line in takewhile(lambda line: not line.startswith(_NO_MESSAGE), self._rest) if line]
            message = " ".join([message, *rest[:_MOST_JOINED]])
            self.report(finding(file.removeprefix("file://"), number, kind, message, severity), WEAK, at)
            self.close()
        self._error, self._frames, self._uncaught = None, 0, False
        self._recent = []

    def findings(self) -> tuple[Findings, ...]:
        """Return one result for each stack."""
        self._flush()
        return super().findings()


def _sources(lines: list[str]) -> list[tuple[str, str]]:
    """Return the places that Node.js printed above a line of source."""
    return [(match[1], match[2]) for line in lines if (match := _SOURCE.match(line))]
