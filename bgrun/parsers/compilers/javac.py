"""Recognize javac, also called by Gradle, Ant or make: errors, warnings, and its totals."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, Parser, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_FINDING = expression(r"^(\S[^:]*\.java):(\d+): (error|warning): (?:\[([\w-]+)\] )?(.*)$")
_GENERAL = expression(r"^(error|warning): (?:\[([\w-]+)\] )?(.*)$")
_SYMBOL = expression(r"^  symbol: +(\S.*)$")
_TOTAL = expression(r"^(\d+) (error|warning)s?$")
_SHOWN = expression(r"^only showing the first \d+ (error|warning)s, of (\d+) total; use -Xmax")
_USAGE = "Usage: javac <options>"
_SYMBOL_WITHIN = 4
_MOST_GENERAL = 50


class Javac(Parser):
    """javac. It prints errors and warnings in the order of the files, then the number of each."""

    name = "javac"
    stems = (("error: ", ".java:"), ("warning: ", ".java:"))
    starts = ("error: ", "warning: ", r"\d[0-9]* (?:error|warning)s?(?![^\r\n])", "Usage: javac", "only showing")

    def __init__(self) -> None:
        super().__init__()
        self._open: tuple[str, str, str, str, str, int] | None = None
        self._left = 0
        self._general: list[tuple[str, str, str, int]] = []
        self._totals: dict[str, int] = {}
        self._all: dict[str, int] = {}

    def feed(self, line: str) -> bool:
        """Read a line; the symbol that was not found follows its error, and the number of warnings that of errors."""
        if self._open:
            return self._within(line)
        if match := _TOTAL.match(line):
            return self._total(match[2], int(match[1]))
        if self._totals:
            self._end()
        if match := _FINDING.match(line):
            file, number, severity, rule, message = match.groups()
            self._open, self._left = (file, number, severity, rule, message, self.at), _SYMBOL_WITHIN
            if message != "cannot find symbol":
                self._flush()
        elif match := _GENERAL.match(line):
            self._general = [*self._general[-_MOST_GENERAL:], (match[1], match[2], match[3], self.at)]
        elif line.startswith(_USAGE) and self._general:
            self._end()
        elif match := _SHOWN.match(line):
            self._all[f"{match[1]}s"] = int(match[2])
        return self._open is not None

    def _within(self, line: str) -> bool:
        self._left -= 1
        if match := _SYMBOL.match(line):
            self._flush(f": {match[1]}")
        elif not self._left or _FINDING.match(line):
            self._flush()
            return self.feed(line)
        return self._open is not None

    def _flush(self, more: str = "") -> None:
        if self._open:
            file, number, severity, rule, message, at = self._open
            text = message + " ".join(more.split(" "))
            self.report(finding(file, number, rule, text, severity), SURE, at)
        self._open = None

    def _total(self, what: str, number: int) -> bool:
        """Take the number of errors or of warnings; the latter is on the next line, if there are any."""
        if self._call or self._general:
            self._totals[f"{what}s"] = self._all.get(f"{what}s", number)
            if what == "error":
                return True
            self._end()
        return False

    def _end(self) -> None:
        counts, self._totals, self._all = self._totals, {}, {}
        total = sum(counts.values()) if counts else len(self._found) + len(self._general)
        missing = max(0, total - len(self._found))
        for severity, rule, message, at in self._general[-missing:] if missing else ():
            self.report(finding(None, None, rule, message, severity), LIKELY, at)
        self._general = []
        self.finish(counts, total)

    def findings(self) -> tuple[Findings, ...]:
        """Return what was reported; the log may end with the number of errors."""
        self._flush()
        if self._totals:
            self._end()
        return super().findings()
