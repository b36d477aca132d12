"""Recognize Gradle: what went wrong, unless a compiler or a test said it, and errors of the Kotlin compiler."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, WRAPPER, Parser, finding

_WRONG = "* What went wrong:"
_TASK = expression(r"^Execution failed for task '([^']+)'")
_SCRIPT = expression(r"^(?:Build|Settings|Script|Initialization script)(?: file)? '([^']+)' line: (\d+)$")
_REASON = expression(r"^ *> +(\S.*)$")
_LATER = (
    "Compilation failed; see the compiler",
    "There were failing tests",
    "Compilation error. See log",
    "Process 'command",
)
_KOTLIN = expression(r"^([ew]): (?:file://)?(\S+?\.kts?):(?: \()?(\d+)(?::|, )\d+\)?:? (.*)$")
_MOST_LINES = 6


class Gradle(Parser):
    """Gradle 4 to 9."""

    name = "gradle"
    starts = (r"\* Wh", "e: ", "w: ")

    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._texts: list[str] = []
        self._place: tuple[str, str] | None = None

    def feed(self, line: str) -> bool:
        """Read the lines after `* Where:` and `* What went wrong:`, up to a blank line."""
        if self._left:
            return self._reason(line)
        if match := _KOTLIN.match(line):
            severity = "error" if match[1] == "e" else "warning"
            self.report(finding(match[2], match[3], None, match[4], severity), SURE)
        elif line.startswith((_WRONG, "* Where:")):
            self._left, self._texts = _MOST_LINES, []
        return bool(self._left)

    def _reason(self, line: str) -> bool:
        self._left -= 1
        if match := _SCRIPT.match(line):
            self._place = (match[1], match[2])
            self._left = 0
        elif line.strip():
            self._texts.append(line)
        if not line.strip() or not self._left:
            self._left = 0
            self._report()
        return bool(self._left)

    def _report(self) -> None:
        if not self._texts:
            return
        task = _TASK.match(self._texts[0])
        reasons = [match[1] for text in self._texts if (match := _REASON.match(text))]
        what = [] if task and reasons else [self._texts[0].rstrip(".")]
        message = ": ".join(text.rstrip(".") for text in dict.fromkeys([*what, *reasons[:1], *reasons[-1:]]))
        certainty = WRAPPER if message.startswith(_LATER) else LIKELY
        file, number = self._place or (None, None)
        self.report(finding(file, number, task[1] if task else None, message), certainty)
        self.close()
        self._texts, self._place = [], None
