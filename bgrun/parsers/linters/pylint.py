"""Recognize pylint: its forms default, colorized, parseable and msvs, and its JSON documents."""

from __future__ import annotations

from bgrun.parsers import documents
from bgrun.parsers.documents import Documents
from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding, numbered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_DEFAULT = expression(r"^(\S[^:]*):(\d+):(\d+): ([CRWEFI])(\d{4}): (.*)$")
_SYMBOL = expression(r"^(.*) \(([a-z0-9-]+)\)$")
_OTHER = expression(r"^(\S[^:(]*)(?::(\d+):|\((\d+)\):) \[([CRWEFI])\d{4}\(([a-z0-9-]+)\)[^\]]*\] (.*)$")
_TYPE = '"type": "(?:convention|refactor|warning|error|fatal|info)",'
"""The first key of an item in JSON; others print it, too, so that the values limit what is read."""
_SEVERITIES = {"E": "error", "F": "error", "W": "warning", "C": "notice", "R": "notice", "I": "info"}


class Pylint(Parser):
    """pylint. Fatal messages are errors; conventions and refactorings are less than warnings."""

    name = "pylint"
    stems = (*numbered(".py:"), *numbered(".pyi:"), *numbered(".py("), *numbered(".pyi("))
    starts = ("Your code has been rated", _TYPE, *documents.starts(documents.PYLINT[1:]))
    context = documents.CONTEXT

    def __init__(self) -> None:
        super().__init__()
        self._documents = Documents(self, documents.PYLINT)

    def feed(self, line: str) -> bool:
        """Read a line; the rating is the last one of a call."""
        if self._documents.feed(line):
            return self._documents.is_open
        if match := _DEFAULT.match(line):
            file, number, before, kind, code, text = match.groups()
            symbol = _SYMBOL.match(text)
            rule, message = (symbol[2], symbol[1]) if symbol else (kind + code, text)
            column = str(int(before[:9]) + 1)
            self.report(finding(file, number, rule, message, _SEVERITIES[kind], column=column), SURE)
        elif match := _OTHER.match(line):
            file, before, after, kind, rule, message = match.groups()
            self.report(finding(file, before or after, rule, message, _SEVERITIES[kind]), SURE)
        elif line.startswith("Your code has been rated at ") and self._call:
            self.finish()
        return False

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported; the log may end within a document."""
        self._documents.close()
        return super().findings()
