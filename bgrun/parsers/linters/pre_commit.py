"""Recognize pre-commit: which hooks failed. What a hook printed is of its tool, if that is known."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, WRAPPER, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_RESULT = expression(r"\.{3}(?:\([^)]*\))?(Passed|Failed|Skipped)$")
_ID = expression(r"^- hook id: (\S+)$")
_EXIT = expression(r"^- exit code: (\d+)$")
_DETAIL = expression(r"^- duration: ")
_MODIFIED = "- files were modified by this hook"
_MOST_LINES = 10_000


class PreCommit(Parser):
    """pre-commit and prek. A hook that changed files says nothing else, so that is its problem."""

    name = "pre-commit"
    stems = ("..Failed", ")Failed")

    def __init__(self) -> None:
        super().__init__()
        self._id = ""
        self._code = ""
        self._first = ""
        self._modified = False
        self._at = 0
        self._left = 0

    def feed(self, line: str) -> bool:
        """Read a failed hook and what it printed, up to the next hook."""
        result = _RESULT.search(line)
        if self._left and not result:
            self._inside(line)
            self._left -= 1
        else:
            self._end()
        if result and result[1] == "Failed":
            self.begin(certainty=WRAPPER)
            self._id = self._code = self._first = ""
            self._modified, self._at, self._left = False, self.at, _MOST_LINES
        return bool(self._left)

    def _inside(self, line: str) -> None:
        if match := _ID.match(line):
            self._id = match[1]
        elif match := _EXIT.match(line):
            self._code = match[1]
        elif line == _MODIFIED:
            self._modified = True
        elif line.strip() and not _DETAIL.match(line):
            self._first = self._first or line

    def _end(self) -> None:
        """Report the hook, over all of its lines: it counts if no other tool is known in them."""
        if self._id and self._modified:
            self.report(finding(None, None, self._id, "files were modified by this hook"), LIKELY, self._at)
        elif self._id:
            message = self._first or f"exit code {self._code}"
            self.report(finding(None, None, self._id, message), WRAPPER, self._at)
        if self._call:
            self.finish(certainty=WRAPPER)
        self._id, self._left = "", 0

    def findings(self) -> tuple[Findings, ...]:
        """Return one result for each failed hook."""
        self._end()
        return super().findings()
