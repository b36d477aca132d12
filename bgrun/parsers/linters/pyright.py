"""Recognize pyright and basedpyright: errors and warnings with their rule, the total, and the JSON document."""

from __future__ import annotations

from bgrun.parsers import documents
from bgrun.parsers.documents import Documents
from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_FINDING = expression(r"^ +(\S[^:]*):(\d+):(\d+) - (error|warning): (.*)$")
_RULE = expression(r"^(.*?) ?\((report\w+)\)$")
_TOTAL = expression(r"^(\d+) errors?, (\d+) warnings?, \d+ (?:informations?|notes?) *$")
_CONTINUED = expression(r"^  [ \xa0]{2}")


class Pyright(Parser):
    """pyright. A message may have several lines, and the last one ends with the rule."""

    name = "pyright"
    stems = (" - error: ", " - warning: ", (" error", " warning"))
    starts = documents.starts(documents.PYRIGHT)
    context = documents.CONTEXT

    def __init__(self) -> None:
        super().__init__()
        self._pending: tuple[str, str, str, str, str, int] | None = None
        self._documents = Documents(self, documents.PYRIGHT)

    def feed(self, line: str) -> bool:
        """Read a line of a message, the first line of one, or the total."""
        if not self._pending and self._documents.feed(line):
            return self._documents.is_open
        if self._pending and _CONTINUED.match(line) and not _FINDING.match(line):
            if rule := _RULE.match(line):
                self._report(rule[2])
            return self._pending is not None
        self._report(None)
        if match := _FINDING.match(line):
            file, number, column, severity, text = match.groups()
            rule = _RULE.match(text)
            self._pending = (file, number, column, severity, rule[1] if rule else text, self.at)
            if rule:
                self._report(rule[2])
        elif match := _TOTAL.match(line):
            errors, warnings = int(match[1]), int(match[2])
            self.finish({"errors": errors, "warnings": warnings}, errors + warnings)
        return self._pending is not None

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported; the log may end within a document or a message."""
        self._documents.close()
        self._report(None)
        return super().findings()

    def _report(self, rule: str | None) -> None:
        if self._pending:
            file, number, column, severity, message, at = self._pending
            self.report(finding(file, number, rule, message, severity, column=column), SURE, at)
        self._pending = None
