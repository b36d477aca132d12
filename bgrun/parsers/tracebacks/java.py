"""Recognize Java: the exception that ended a thread, its root cause, and the first line of the program's own code."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, WEAK, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_UNCAUGHT = expression(r'^Exception in thread "[^"]*" ([\w.$]+)(?:: (.*))?$')
_PRINTED = expression(r"^((?:[a-z_]\w*\.)+[\w$]*(?:Exception|Error|Throwable))(?:: (.*))?$")
_CAUSE = expression(r"^Caused by: ([\w.$]+)(?:: (.*))?$")
_FRAME = expression(r"^\s+at ([\w.$/@<>-]+)\(([\w$]+\.\w+):(\d+)\)$")
_OTHER = expression(r"^\s+(?:at |\.\.\. \d+ )")
_START = expression(
    r"^Error: (Could not find or load main class \S+|Main method not found in class .*|Unable to access jarfile .*)$"
)
_FOREIGN = expression(
    r"^(?:[\w.]+(?:@[\w.]+)?/)?(?:java|javax|jdk|sun|com\.sun|kotlin|scala|junit|org\.junit|org\.opentest4j|org\.assertj|org\.testng)\."
)
_LONGEST_MESSAGE = 20


class JavaTraceback(Parser):
    """An uncaught exception of a Java program. A stack that was only printed is a warning."""

    name = "java"
    stems = ("Exception", "Error")

    def __init__(self) -> None:
        super().__init__()
        self._error: tuple[str, str, int] | None = None
        self._uncaught = False
        self._place: tuple[str, str] | None = None
        self._cause = ""
        self._frames = 0
        self._waited = 0

    def feed(self, line: str) -> bool:
        """Read a line of a stack, or the exception before it."""
        if self._error and self._in_stack(line):
            return True
        self._flush()
        if match := _UNCAUGHT.match(line) or _PRINTED.match(line):
            self._error = (match[1], match[2] or "", self.at)
            self._uncaught = match.re.pattern == _UNCAUGHT.pattern
        elif match := _START.match(line):
            self.report(finding(None, None, None, match[1]), SURE)
            self.finish()
        return self._error is not None

    def _in_stack(self, line: str) -> bool:
        if match := _FRAME.match(line):
            self._frames += 1
            if not self._place and not _FOREIGN.match(match[1]):
                self._place = (match[2], match[3])
            return True
        if match := _CAUSE.match(line):
            self._cause = f"caused by {match[1]}" + (f": {match[2]}" if match[2] else "")
            return True
        if _OTHER.match(line):
            self._frames += 1
            return True
        self._waited += not self._frames
        return not self._frames and 0 < self._waited <= _LONGEST_MESSAGE and self._uncaught and bool(line.strip())

    def _flush(self) -> None:
        if self._error and (self._frames or self._uncaught):
            kind, message, at = self._error
            file, number = self._place or (None, None)
            text = "; ".join(filter(None, (message, self._cause)))
            severity = "error" if self._uncaught else "warning"
            certainty = LIKELY if self._uncaught else WEAK
            self.report(finding(file, number, kind, text, severity), certainty, at)
            self.close()
        self._error, self._place, self._cause, self._frames, self._waited = None, None, "", 0, 0

    def findings(self) -> tuple[Findings, ...]:
        """Return one result for each stack."""
        self._flush()
        return super().findings()
