"""Recognize rustc, cargo and Clippy: errors and warnings in the long and short form and JSON, totals of crates."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_HEAD = expression(r"^(error|warning)(?:\[([\w:]+)\])?: (.*)$")
_PLACE = expression(r"^ +--> (\S[^:]*):(\d+):(\d+)$")
_SHORT = expression(r"^(\S[^:]*\.rs):(\d+):(\d+): (error|warning)(?:\[([\w:]+)\])?: (.*)$")
_LINT = expression(r"`(?:#\[(?:warn|deny|forbid)\(|-[DWF] )([\w:-]+)(?:\)\])?`")
_CLIPPY = expression(r"rust-clippy/[^#]*index\.html#(\w+)$")
_FAILED = expression(
    r"^error: (?:could not compile `[^`]+`.* due to|aborting due to) (?:(\d+) )?previous errors?"
    r"(?:; (\d+) warnings? emitted)?$"
)
_CARGO = expression(
    r"^error: ((?:no matching package"
    r"|failed to (?:select a version|parse|load|get|resolve|run custom|download|compile|read)"
    r"|linking with|linker `|could not find `Cargo|no targets specified|package `|the lock file|couldn't read).*)$"
)
_PLACE_WITHIN = 2


class _Open(NamedTuple):
    """A finding whose lines are being read; its lint may follow its place."""

    severity: str
    rule: str | None
    message: str
    at: int
    file: str = ""
    line: str = ""
    column: str = ""


class Rustc(Parser):
    """rustc, alone or called by cargo, and Clippy."""

    name = "rustc"
    stems = ((": error", ".rs:"), (": warning", ".rs:"))
    starts = ("error", "warning", r'\{"reason":"compiler-message"', r'\{"\$message_type":"diagnostic"')
    longest = 64 << 10

    def __init__(self) -> None:
        super().__init__()
        self._open: _Open | None = None
        self._lines = 0
        self._totals: list[tuple[int, int, int]] = []

    def feed(self, line: str) -> bool:
        """Read the heading of a finding, its place, or the note with its lint."""
        if self._open and self._within(self._open, line):
            return True
        self._flush()
        if line.startswith("{"):
            self._json(line)
        elif match := _FAILED.match(line):
            self._totals.append((int(match[1] or 1), int(match[2] or 0), self.at))
        elif match := _SHORT.match(line):
            file, number, column, severity, rule, message = match.groups()
            self.report(finding(file, number, rule, message, severity, column=column), SURE)
        elif match := _HEAD.match(line):
            self._open, self._lines = _Open(match[1], match[2], match[3], self.at), 0
        return self._open is not None

    def _within(self, one: _Open, line: str) -> bool:
        self._lines += 1
        if not one.file:
            if match := _PLACE.match(line):
                self._open = one._replace(file=match[1], line=match[2], column=match[3])
            return bool(match) or (self._lines < _PLACE_WITHIN and not _HEAD.match(line))
        if not one.rule and (match := _LINT.search(line) or _CLIPPY.search(line)):
            lint = match[1].replace("-", "_")
            self._open = one._replace(rule=f"clippy::{lint}" if match.re.pattern == _CLIPPY.pattern else lint)
        return bool(line.strip()) and not _HEAD.match(line)

    def _json(self, line: str) -> None:
        """Report a finding that cargo or rustc prints as JSON in one line; its place is its primary span."""
        try:
            read = json.loads(line)
            one = read["message"] if "reason" in read else read
            place: dict[str, Any] = next((span for span in one["spans"] if span["is_primary"]), {})
            severity, code, text = one["level"], one["code"] or {}, str(one["message"])
            if severity not in ("error", "warning"):
                return
            if match := _FAILED.match(f"error: {text}"):
                self._totals.append((int(match[1] or 1), int(match[2] or 0), self.at))
            elif place:
                number, column = str(place["line_start"]), str(place["column_start"])
                self.report(finding(place["file_name"], number, code.get("code"), text, severity, column=column), SURE)
            elif match := _CARGO.match(f"error: {text}"):
                self.report(finding(None, None, None, match[1]), LIKELY)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return

    def _flush(self) -> None:
        """Report the finding that was read; without a place only if cargo itself prints such an error."""
        one, self._open = self._open, None
        if one and one.file:
            made = finding(one.file, one.line, one.rule, one.message, one.severity, column=one.column)
            self.report(made, SURE, one.at)
        elif one and (match := _CARGO.match(f"{one.severity}: {one.message}")):
            self.report(finding(None, None, None, match[1]), LIKELY, one.at)

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported. Of several crates the totals do not add up: an error may count for two of them."""
        self._flush()
        if self._call and len(self._totals) == 1:
            errors, warnings, self.at = self._totals[0]
            mild = max(warnings, sum(one.problem.mild for one in self._found))
            self.finish({"errors": errors, **({"warnings": mild} if mild else {})}, errors + mild)
        self._totals = []
        return super().findings()
