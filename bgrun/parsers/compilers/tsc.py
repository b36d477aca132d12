"""Recognize the TypeScript compiler: errors in plain and in pretty form, and its total."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

_PLAIN = expression(r"^(\S[^(]*)\((\d+),(\d+)\): (error|warning) (TS\d+): (.*)$")
_PRETTY = expression(r"^(\S[^:]*):(\d+):(\d+) - (error|warning) (TS\d+): (.*)$")
_OPTION = expression(r"^error (TS\d+): (.*)$")
_TOTAL = expression(r"^Found (\d+) errors?(?:\.| in (?:\d+ files|the same file, starting at: .*|\S+:\d+)\.?)$")


class Tsc(Parser):
    """tsc, `tsc --build` and tools that print as it does (vue-tsc)."""

    name = "tsc"
    stems = ("error TS", "warning TS")
    starts = ("Found ",)

    def __init__(self) -> None:
        super().__init__()
        self._found_pretty = 0

    def feed(self, line: str) -> bool:
        """Read a line; only the pretty form has a total."""
        if match := _PLAIN.match(line) or _PRETTY.match(line):
            file, number, column, severity, code, message = match.groups()
            self._found_pretty += match.re.pattern == _PRETTY.pattern
            self.report(finding(file, number, code, message, severity, column=column), SURE)
        elif match := _OPTION.match(line):
            self.report(finding(None, None, match[1], match[2]), SURE)
        elif self._found_pretty and (match := _TOTAL.match(line)):
            self.finish({"errors": int(match[1])}, int(match[1]))
            self._found_pretty = 0
        return False
