"""Recognize Prettier with `--check`: the files that it would change, or could not parse."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

_FILE = expression(r"^\[warn\] (\S.*)$")
_SYNTAX = expression(r"^\[error\] (\S.*?): (\w*Error: .*?)(?: \((\d+):\d+\))?$")
_OTHER = expression(r"^\[error\] ((?:No |Invalid |Cannot |Could not |Unknown |Couldn't |Explicitly ).*)$")
_TOTAL = expression(
    r"^\[warn\] Code style issues (?:found )?in (?:(\d+) files|(?:the )?above file(\(s\))?)(?:[. ].*)?$"
)
_BROKEN = expression(r"^Error occurred when checking code style in (?:(\d+) files|the above file)\.$")


class Prettier(Parser):
    """Prettier 2 and 3. Its warnings are what makes a check fail, so they count as errors."""

    name = "prettier"
    starts = (r"\[warn\] ", r"\[error\] ", "Checking formatting", "Error occurred")

    def __init__(self) -> None:
        super().__init__()
        self._checking = False
        self._broken = 0

    def feed(self, line: str) -> bool:
        """Read a line between `Checking formatting...` and the total."""
        if line.startswith("Checking formatting"):
            self._checking, self._broken = True, 0
            self.begin()
        elif match := _TOTAL.match(line):
            self._end(int(match[1]) if match[1] else 1 if not match[2] else None)
        elif match := _BROKEN.match(line):
            self._end(None)
        elif match := _SYNTAX.match(line):
            self._broken += 1
            self.report(finding(match[1], match[3], None, match[2]), SURE)
        elif match := _OTHER.match(line):
            self.report(finding(None, None, None, match[1]), SURE)
        elif self._checking and (match := _FILE.match(line)):
            self.report(finding(match[1], None, None, "not formatted"), SURE)
        return False

    def _end(self, files: int | None) -> None:
        if self._checking:
            errors = len(self._found) if files is None else files + self._broken
            self.finish({"errors": errors}, errors)
        self._checking = False
