"""Recognize MSBuild, `dotnet build` and the compilers that print as they do: C#, F#, Visual C++."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, finding

_FINDING = expression(
    r"^\s*(?:\d+>)?(\S[^()]*?)(?:\((\d+)(?:,(\d+)(?:,\d+){0,2})?\))? ?: (?:fatal )?"
    r"(error|warning) ((?!TS\d)[A-Z]+\d+) ?: (.*?)(?: \[[^\[\]]*proj[^\[\]]*\])?$"
)
_TOTAL = expression(r"^\s+(\d+) (Warning|Error)\(s\)$")
_LOGGER = expression(r"^Build (?:failed|succeeded)(?: with (.*?))? in \d")
_NUMBER = expression(r"(\d+) (error|warning)\(s\)")
_NO_FILES = ("MSBUILD", "CSC", "VBC", "FSC", "LINK", "NMAKE")


class Msbuild(Parser):
    """MSBuild. Its summary repeats all errors and warnings; each counts once."""

    name = "dotnet"
    stems = (": error ", ": warning ", ": fatal error ", "Error(s)", "Warning(s)", "error(s)", "warning(s)")

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str | None, str | None, str, str]] = set()
        self._totals: dict[str, int] = {}

    def feed(self, line: str) -> bool:
        """Read a line with a finding, or one of the totals."""
        if match := _FINDING.match(line):
            file, number, column, severity, code, message = match.groups()
            key = (file, number, code, message)
            if key not in self._seen:
                self._seen.add(key)
                place = None if file in _NO_FILES else file
                self.report(finding(place, number, code, message, severity, column=column), SURE)
        elif match := _TOTAL.match(line):
            self._totals[f"{match[2].lower()}s"] = int(match[1])
            if match[2] == "Error":
                self._end()
        elif match := _LOGGER.match(line):
            self._totals = {f"{what}s": int(number) for number, what in _NUMBER.findall(match[1] or "")}
            self._end()
        return False

    def _end(self) -> None:
        if self._call:
            counts = {what: self._totals[what] for what in ("errors", "warnings") if self._totals.get(what)}
            self.finish(counts, sum(counts.values()))
        self._totals = {}
        self._seen.clear()
