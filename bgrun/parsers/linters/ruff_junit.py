"""Read the JUnit report that ruff prints into a log: `--output-format junit`."""

from __future__ import annotations

from html import unescape

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

START = '<testsuites name="ruff"'
_FILE = expression(r'^ +<testsuite name="([^"]+)"')
_CASE = expression(r'^ +<testcase name="org\.ruff\.([\w-]+)" classname="[^"]*" line="(\d+)"')
_FAILURE = expression(r'^ +<failure message="([^"]*)"')


class RuffJunit:
    """Reads the report and reports its problems to the parser of ruff; the report is one call of it."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._file = self._rule = self._line = ""
        self.is_open = False

    def feed(self, line: str) -> bool:
        """Read a line; return whether it belongs to a report. It ends where a line is not indented."""
        if line.startswith(START):
            self._parser.begin(owns=True)
            self._file = self._rule = self._line = ""
            self.is_open = True
        elif self.is_open and line[:1] != " ":
            self.is_open = False
            if line.startswith("</testsuites>"):
                self._parser.finish()
                return True
            self._parser.close()
        elif self.is_open:
            self._within(line)
        return self.is_open

    def _within(self, line: str) -> None:
        if match := _FILE.match(line):
            self._file = unescape(match[1])
        elif match := _CASE.match(line):
            self._rule, self._line = match.groups()
        elif self._rule and (match := _FAILURE.match(line)):
            self._parser.report(finding(self._file, self._line, self._rule, unescape(match[1])), SURE)
            self._rule = ""
