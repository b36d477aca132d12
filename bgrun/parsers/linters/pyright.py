"""Recognize pyright and basedpyright: errors and warnings with their rule, and the total."""

from __future__ import annotations

import re

from bgrun.parsers.shape import SURE, Parser, finding

_FINDING = re.compile(r"^ +(\S[^:]*):(\d+):\d+ - (error|warning): (.*)$")
_RULE = re.compile(r"^(.*?) ?\((report\w+)\)$")
_TOTAL = re.compile(r"^(\d+) errors?, (\d+) warnings?, \d+ (?:informations?|notes?) *$")
_CONTINUED = re.compile(r"^  [ \xa0]{2}")


class Pyright(Parser):
    """pyright. A message may have several lines, and the last one ends with the rule."""

    name = "pyright"
    stems = (" - error: ", " - warning: ", " error")

    def __init__(self) -> None:
        super().__init__()
        self._pending: tuple[str, str, str, str, int] | None = None

    def feed(self, line: str) -> bool:
        """Read a line of a message, the first line of one, or the total."""
        if self._pending and _CONTINUED.match(line) and not _FINDING.match(line):
            if rule := _RULE.match(line):
                self._report(rule[2])
            return self._pending is not None
        self._report(None)
        if match := _FINDING.match(line):
            file, number, severity, text = match.groups()
            rule = _RULE.match(text)
            self._pending = (file, number, severity, rule[1] if rule else text, self.at)
            if rule:
                self._report(rule[2])
        elif match := _TOTAL.match(line):
            errors, warnings = int(match[1]), int(match[2])
            self.finish({"errors": errors, "warnings": warnings}, errors + warnings)
        return self._pending is not None

    def _report(self, rule: str | None) -> None:
        if self._pending:
            file, number, severity, message, at = self._pending
            self.report(finding(file, number, rule, message, severity), SURE, at)
        self._pending = None
