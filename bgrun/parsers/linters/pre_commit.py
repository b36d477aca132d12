"""Recognize pre-commit: which hooks failed. What a hook printed is of its tool, if that is known."""

from __future__ import annotations

import re

from bgrun.parsers.shape import LIKELY, WRAPPER, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_RESULT = re.compile(r"^(\S.*?)\.{3,}(?:\([^)]*\))?(Passed|Failed|Skipped)$")
_ID = re.compile(r"^- hook id: (\S+)$")
_EXIT = re.compile(r"^- exit code: (\d+)$")
_DETAIL = re.compile(r"^- (?:duration: |files were modified)")
_MODIFIED = "- files were modified by this hook"


class PreCommit(Parser):
    """pre-commit and prek. A hook that changed files says nothing else, so that is its problem."""

    name = "pre-commit"
    stems = ("..Failed", ")Failed")

    def __init__(self) -> None:
        super().__init__()
        self._hook = ""
        self._id = ""
        self._code = ""
        self._modified = False
        self._at = 0

    def feed(self, line: str) -> bool:
        """Read a failed hook: its id, its exit code and whether it changed files; then the first line it printed."""
        if self._hook:
            if match := _ID.match(line):
                self._id = match[1]
            elif match := _EXIT.match(line):
                self._code = match[1]
            elif _DETAIL.match(line):
                self._modified = self._modified or line == _MODIFIED
            elif line.strip():
                self._end(line)
        if (match := _RESULT.match(line)) and match[2] == "Failed":
            self._end("")
            self._hook, self._id, self._code, self._modified, self._at = match[1], "", "", False, self.at
        return bool(self._hook)

    def _end(self, first: str) -> None:
        if self._hook and self._id:
            if self._modified:
                message, certainty = "files were modified by this hook", LIKELY
            else:
                printed = "" if _RESULT.match(first) else first
                message, certainty = printed or f"exit code {self._code}", WRAPPER
            self.report(finding(None, None, self._id, message), certainty, self._at)
            self.close()
        self._hook = ""

    def findings(self) -> tuple[Findings, ...]:
        """Return one result for each failed hook."""
        self._end("")
        return super().findings()
