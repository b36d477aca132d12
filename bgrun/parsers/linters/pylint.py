"""Recognize pylint in its text forms: default, colorized, parseable and msvs."""

from __future__ import annotations

import re

from bgrun.parsers.shape import SURE, Parser, finding

_DEFAULT = re.compile(r"^(\S[^:]*):(\d+):\d+: ([CRWEFI])(\d{4}): (.*)$")
_SYMBOL = re.compile(r"^(.*) \(([a-z0-9-]+)\)$")
_OTHER = re.compile(r"^(\S[^:(]*)(?::(\d+):|\((\d+)\):) \[([CRWEFI])\d{4}\(([a-z0-9-]+)\)[^\]]*\] (.*)$")
_SEVERITIES = {"E": "error", "F": "error", "W": "warning", "C": "notice", "R": "notice", "I": "info"}


class Pylint(Parser):
    """pylint. Fatal messages are errors; conventions and refactorings are less than warnings."""

    name = "pylint"
    stems = (".py",)
    starts = ("Your code has been rated",)

    def feed(self, line: str) -> bool:
        """Read a line; the rating is the last one of a call."""
        if match := _DEFAULT.match(line):
            file, number, kind, code, text = match.groups()
            symbol = _SYMBOL.match(text)
            rule, message = (symbol[2], symbol[1]) if symbol else (kind + code, text)
            self.report(finding(file, number, rule, message, _SEVERITIES[kind]), SURE)
        elif match := _OTHER.match(line):
            file, before, after, kind, rule, message = match.groups()
            self.report(finding(file, before or after, rule, message, _SEVERITIES[kind]), SURE)
        elif line.startswith("Your code has been rated at ") and self._call:
            self.finish()
        return False
