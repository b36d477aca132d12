"""Recognize Maven: errors of the compiler, and why a goal failed if no other line tells it.

Failing tests are those of Surefire, which has a parser of its own.
"""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, WRAPPER, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_FINDING = expression(
    r"^\[(ERROR|WARNING)\] +(\S.*\.\w+):\[(\d+)(?:,\d+)?\] (?:error: |warning: )?(?:\[([\w-]+)\] )?(.*)$"
)
_SYMBOL = expression(r"^(?:\[ERROR\])?  +symbol: +(\S.*)$")
_GOAL = expression(
    r"^\[ERROR\] Failed to execute goal (?:(\S+) \(\S+\) )?on project ([\w.-]+): (.*?)(?: -> \[Help \d+\])?$"
)
_OTHER = expression(
    r"^\[(?:ERROR|FATAL)\] ((?:The goal you specified|Unknown lifecycle phase|Plugin \S+ or one of its|Non-\w+ POM"
    r"|Could not find .*(?= -> \[Help)).*?)(?: -> \[Help \d+\])?$"
)
_BUILD = "[INFO] Scanning for projects"
_LATER = ("Compilation failure", "There are test failures", "There was ", "There were ")
_SEVERITIES = {"ERROR": "error", "WARNING": "warning"}


class Maven(Parser):
    """Maven 3 and 4. It prints the errors of the compiler twice, the second time with its reason for the goal."""

    name = "maven"
    starts = (r"\[(?:ERROR|WARNING|FATAL)\] ", r"\[INFO\] Scanning")

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, str, str]] = set()
        self._open: tuple[str, str, str, str, str, int] | None = None
        self._left = 0

    def feed(self, line: str) -> bool:
        """Read a line; the symbol that was not found follows its error."""
        if self._open and (match := _SYMBOL.match(line)):
            self._flush(f": {' '.join(match[1].split())}")
        elif self._open and self._left and not line.startswith(("[INFO]", "[WARNING]")) and not _FINDING.match(line):
            self._left -= 1
            return True
        else:
            self._flush()
            self._line(line)
        return self._open is not None

    def _line(self, line: str) -> None:
        if line.startswith(_BUILD):
            self._seen.clear()
        elif match := _FINDING.match(line):
            level, file, number, rule, message = match.groups()
            key = (file, number, message)
            if key not in self._seen:
                self._seen.add(key)
                self._open, self._left = (level, file, number, rule, message, self.at), 3
                if message != "cannot find symbol":
                    self._flush()
        elif match := _GOAL.match(line):
            self._goal(*match.groups())
        elif not self._found and (match := _OTHER.match(line)):
            self.report(finding(None, None, None, match[1]), LIKELY)

    def _goal(self, goal: str | None, project: str, reason: str) -> None:
        """Report why a goal failed, unless its errors were listed."""
        if self._found:
            return
        certainty = WRAPPER if reason.startswith(_LATER) else LIKELY
        self.report(finding(None, None, goal, f"{project}: {reason}"), certainty)
        self.close()

    def _flush(self, more: str = "") -> None:
        if self._open:
            level, file, number, rule, message, at = self._open
            self.report(finding(file, number, rule, message + more, _SEVERITIES[level]), SURE, at)
        self._open = None

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported; the log may end within an error."""
        self._flush()
        return super().findings()
