"""Recognize ESLint: the default form (stylish), JSON, and the forms compact, unix and visualstudio of ESLint 8."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, WEAK, Parser, finding

_FINDING = expression(r"^ +(\d+):(\d+) +(error|warning) +(\S.*)$")
_TOTAL = expression(r"^[✖×] \d+ problems? \((\d+) errors?, (\d+) warnings?\)$")
_COMPACT = expression(r"^(\S.*): line (\d+), col (\d+), (Error|Warning) - (.*)$")
_UNIX = expression(r"^(\S[^:]*):(\d+):(\d+): (.*) \[(Error|Warning)(?:/([^\]\s]+))?\]$")
_STUDIO = expression(r"^(\S[^(]*)\((\d+),(\d+)\): (error|warning) ((?![A-Z]+\d)[\w@/-]+) : (.*)$")
_RULE = expression(r" \(([\w@/-]+)\)$")
_CRASH = "Oops! Something went wrong!"


class Eslint(Parser):
    """ESLint. A file's findings follow its name; a blank line ends them."""

    name = "eslint"
    stems = (" error", "  warning  ", ", Error - ", ", Warning - ", "[Error", "[Warning", "): warning ")
    starts = ("Oops! ", r'\[\{"filePath":')
    context = 4
    longest = 32 << 10

    def __init__(self) -> None:
        super().__init__()
        self._file = ""
        self._crashed = False

    def feed(self, line: str) -> bool:
        """Read a line; one before the first finding names its file."""
        if self._crashed:
            return self._reason(line)
        if match := _FINDING.match(line):
            return self._finding(match)
        if match := _TOTAL.match(line):
            errors, warnings = int(match[1]), int(match[2])
            self.finish({"errors": errors, "warnings": warnings}, errors + warnings)
        elif line.startswith('[{"filePath":'):
            self._json(line)
        elif line.startswith(_CRASH):
            self._crashed = True
        elif line[:1].strip() and not self._on_one_line(line):
            self._file = line
            return False
        return self._crashed

    def _finding(self, match: re.Match[str]) -> bool:
        _, column, severity, text = match.groups()
        message, _, rule = text.rstrip().rpartition("  ")
        if not message or " " in rule:
            message, rule = text, ""
        if self._file:
            self.report(finding(self._file, match[1], rule, message.strip(), severity, column=column))
        return bool(self._file)

    def _on_one_line(self, line: str) -> bool:
        if match := _COMPACT.match(line):
            file, number, column, severity, message = match.groups()
            rule = _RULE.search(message)
            self._report(file, number, rule[1] if rule else "", _RULE.sub("", message), severity, column)
        elif match := _UNIX.match(line):
            file, number, column, message, severity, name = match.groups()
            self._report(file, number, name, message, severity, column)
        elif match := _STUDIO.match(line):
            file, number, column, severity, name, message = match.groups()
            self._report(file, number, name, message, severity, column)
        return bool(match)

    def _report(self, file: str, number: str, rule: str | None, message: str, severity: str, column: str) -> None:
        made = finding(file, number, rule, message, severity.lower(), column=column)
        self.report(made, LIKELY if rule else WEAK)

    def _json(self, line: str) -> None:
        """Report the findings of a JSON report. Of one that is too long the files up to there count."""
        decoder, at = json.JSONDecoder(), 0
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            while at < len(line) and line[at] in "[,":
                file, at = decoder.raw_decode(line, at + 1)
                for one in file["messages"]:
                    self._message(file["filePath"], one)

    def _message(self, file: str, one: dict[str, Any]) -> None:
        severity = "error" if one["severity"] == 2 else "warning"
        rule = one.get("ruleId")
        number, column = (str(one.get(key, "")) for key in ("line", "column"))
        self.report(finding(file, number, rule, str(one["message"]), severity, column=column), SURE)

    def _reason(self, line: str) -> bool:
        """Report why ESLint itself failed: the first line after its version."""
        if not line.strip() or line.startswith("ESLint: "):
            return True
        self._crashed = False
        self.report(finding(None, None, None, line), SURE)
        return False
