"""Recognize CMake: its errors and warnings, each with the first paragraph of its message."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_HEAD = expression(
    r"^CMake (Error|Warning|Deprecation Warning)(?: \(dev\))?"
    r"(?: (?:at|in) (\S[^:]*?)(?::(\d+))?(?: \((\w+)\))?)?:(?: (.*))?$"
)
_MOST_LINES = 12


class Cmake(Parser):
    """CMake while it configures or generates. What it builds is printed by compilers."""

    name = "cmake"
    starts = ("CMake ",)

    def __init__(self) -> None:
        super().__init__()
        self._open: tuple[str, str, str, str, int] | None = None
        self._texts: list[str] = []

    def feed(self, line: str) -> bool:
        """Read a heading, or a line of the indented message after it."""
        if self._open and (line.startswith("  ") or not self._texts) and not _HEAD.match(line):
            if line.strip():
                self._texts.append(line.strip())
            if not line.strip() or len(self._texts) >= _MOST_LINES:
                self._flush()
            return self._open is not None
        self._flush()
        if match := _HEAD.match(line):
            kind, file, number, command, text = match.groups()
            self._open, self._texts = (kind, file, number, command, self.at), [text] if text else []
            if text:
                self._flush()
        return self._open is not None

    def _flush(self) -> None:
        if self._open:
            kind, file, number, command, at = self._open
            severity = "error" if kind == "Error" else "warning"
            self.report(finding(file, number, command, " ".join(self._texts), severity), SURE, at)
        self._open, self._texts = None, []

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported; the log may end within a message."""
        self._flush()
        return super().findings()
