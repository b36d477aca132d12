"""Recognize ShellCheck in its forms tty, gcc, json and json1."""

from __future__ import annotations

from bgrun.parsers import documents
from bgrun.parsers.documents import Documents
from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

_PLACE = expression(r"^In (\S.*) line (\d+):$")
_FINDING = expression(r"^ *\^-*[-^]+ (SC\d+)(?: \((error|warning|info|style)\))?: (.*)$")
_GCC = expression(r"^(\S[^:]*):(\d+):(\d+): (error|warning|note): (.*) \[(SC\d+)\]$")
_LEVELS = {"style": "info"}


class Shellcheck(Parser):
    """ShellCheck. Several findings may follow the place and the source of one line."""

    name = "shellcheck"
    stems = ("[SC",)
    starts = (r"\^-", *documents.starts(documents.SHELLCHECK))
    context = 2
    longest = documents.LONGEST

    def __init__(self) -> None:
        super().__init__()
        self._place: tuple[str, str] | None = None
        self._documents = Documents(self, documents.SHELLCHECK)

    def feed(self, line: str) -> bool:
        """Read a line; the place is two lines above the first finding."""
        if self._documents.feed(line):
            return False
        if match := _PLACE.match(line):
            self._place = (match[1], match[2])
        elif self._place and (match := _FINDING.match(line)):
            rule, level, message = match.groups()
            severity = _LEVELS.get(level, level) if level else "error"
            self.report(finding(*self._place, rule, message, severity), SURE)
        elif match := _GCC.match(line):
            file, number, column, level, message, rule = match.groups()
            self.report(finding(file, number, rule, message, level, column=column), SURE)
        return False
