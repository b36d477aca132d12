"""Recognize black and isort with `--check`: the files that they would change, or could not read."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, Parser, finding

_WOULD = expression(r"^would reformat (\S.*)$")
_CANNOT = expression(r"^error: cannot format (\S.*?): (.*)$")
_PARSE = expression(r"^error: cannot parse: (\S[^:]*):(\d+):\d+$")
_POSITION = expression(r"^Cannot parse(?: for target version [\w.]+)?: (\d+):\d+: (.*)$")
_TOTAL = expression(
    r"^(?:(\d+) files? would be reformatted)?(?:, )?(?:\d+ files? would be left unchanged)?"
    r"(?:, )?(?:(\d+) files? would fail to reformat)?\.$"
)
_ISORT = expression(r"^ERROR: (\S.*?) (Imports are incorrectly sorted and/or formatted\.)$")


class Black(Parser):
    """black."""

    name = "black"
    starts = ("would reformat", "error: cannot", r"\d[0-9]* files? would ")

    def __init__(self) -> None:
        super().__init__()
        self._unparsed: tuple[str, str, int] | None = None
        self._left = 0

    def feed(self, line: str) -> bool:
        """Read a line; the reason why a file could not be parsed is some lines below its name."""
        if self._unparsed:
            return self._reason(self._unparsed, line)
        if match := _WOULD.match(line):
            self.report(finding(match[1], None, None, "would be reformatted"), SURE)
        elif match := _CANNOT.match(line):
            position = _POSITION.match(match[2])
            self.report(finding(match[1], position[1] if position else None, None, match[2]), SURE)
        elif match := _PARSE.match(line):
            self._unparsed, self._left = (match[1], match[2], self.at), 4
        elif self._call and (match := _TOTAL.match(line)):
            errors = int(match[1] or 0) + int(match[2] or 0)
            self.finish({"errors": errors}, errors)
        return self._unparsed is not None

    def _reason(self, one: tuple[str, str, int], line: str) -> bool:
        self._left -= 1
        if self._left and line.startswith(" "):
            return True
        file, number, at = one
        self._unparsed = None
        self.report(finding(file, number, None, f"cannot parse: {line}" if line.strip() else "cannot parse"), SURE, at)
        return False


class Isort(Parser):
    """isort."""

    name = "isort"
    starts = ("ERROR: ",)

    def feed(self, line: str) -> bool:
        """Read a line with a file whose imports are not sorted."""
        if match := _ISORT.match(line):
            self.report(finding(match[1], None, None, match[2]), LIKELY)
        return False
