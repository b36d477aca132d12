"""Recognize mypy: one line for each error, the form of `--pretty`, JSON lines, and its total."""

from __future__ import annotations

import json
from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, WEAK, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_PLACE = expression(r"^(\S[^:]*):(\d+):(?:(\d+):(?:\d+:){0,2})? (error|warning|note): (.*)$")
_CODE = expression(r"^(.*?)  \[([a-z][a-z0-9-]*)\]$")
_LOOSE = expression(r"^(\S[^:]*): error: (.*)$")
_TOTAL = expression(
    r"^Found (\d+) errors? in \d+ files? \((?:checked \d+ source files?|errors prevented further checking)\)$"
)
_MOST_WRAPPED = 4
_MOST_LOOSE = 50
_SEVERITIES = ("error", "warning")


class _Error(NamedTuple):
    file: str
    line: str
    column: str | None
    severity: str
    at: int


class Mypy(Parser):
    """mypy and dmypy. Notes explain an error or answer `reveal_type`: they are no problems."""

    name = "mypy"
    stems = (": error:", (": warning:", ".py"), (": warning:", "  ["))
    starts = ("Found ", r'\{"file": "')

    def __init__(self) -> None:
        super().__init__()
        self._open: _Error | None = None
        self._texts: list[str] = []
        self._loose: list[tuple[str, str, int]] = []
        self._mild = 0

    def feed(self, line: str) -> bool:
        """Read a line; `--pretty` wraps a message, and only its last line has the code."""
        if not self._continued(line):
            self._first(line)
        return self._open is not None

    def _continued(self, line: str) -> bool:
        """Return whether a line belongs to the message before it."""
        if self._open is None:
            return False
        self._texts.append(line)
        if line.startswith("    ") or len(self._texts) > _MOST_WRAPPED or _PLACE.match(line) or _TOTAL.match(line):
            self._report(self._texts[0], None)
            return False
        if match := _CODE.match(" ".join(self._texts)):
            self._report(match[1], match[2])
        return True

    def _first(self, line: str) -> None:
        if match := _PLACE.match(line):
            file, number, column, severity, text = match.groups()
            if severity in _SEVERITIES and (_is_checked(file) or _CODE.match(text)):
                self._open, self._texts = _Error(file, number, column, severity, self.at), [text]
                if code := _CODE.match(text):
                    self._report(code[1], code[2])
        elif match := _TOTAL.match(line):
            self._total(int(match[1]))
        elif match := _LOOSE.match(line):
            self._loose = [*self._loose[-_MOST_LOOSE:], (match[1], match[2], self.at)]
        elif line.startswith('{"file": "'):
            self._json(line)

    def _report(self, message: str, code: str | None) -> None:
        if self._open:
            file, number, column, severity, at = self._open
            certainty = LIKELY if code else WEAK
            self.report(finding(file, number, code, message, severity, column=column), certainty, at)
            self._mild += severity != "error"
        self._open, self._texts = None, []

    def _total(self, errors: int) -> None:
        for file, message, at in self._loose:
            self.report(finding(file, None, None, message), at=at)
        self.finish({"errors": errors, **({"warnings": self._mild} if self._mild else {})}, errors + self._mild)
        self._loose, self._mild = [], 0

    def _json(self, line: str) -> None:
        try:
            one = json.loads(line)
            severity, message = one["severity"], str(one["message"])
            if severity in _SEVERITIES:
                column = str(int(one["column"]) + 1)  # from 0, unlike in text
                self.report(finding(one["file"], str(one["line"]), one["code"], message, severity, column=column), SURE)
        except (ValueError, KeyError, TypeError):
            return

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported; the log may end within a message."""
        self._report(self._texts[0] if self._texts else "", None)
        return super().findings()


def _is_checked(file: str) -> bool:
    return file.endswith((".py", ".pyi", ".ipynb"))
