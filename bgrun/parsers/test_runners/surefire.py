"""Recognize Maven's Surefire and Failsafe, which run JUnit and TestNG: each failed test, and the total of a module."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Parser, Problem, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Findings

_LEVEL = r"^(?:\[\w+\]\s+)?"
_BEGUN = expression(rf"{_LEVEL}T E S T S$")
_TEST = expression(
    rf"{_LEVEL}(\S.*?)(?:\(([\w.$]+)\))?(?: --)?\s+Time elapsed: [\d.,]+ s(?:ec)?\s+<<< (FAILURE|ERROR)!$"
)
_CLASS = expression(rf"{_LEVEL}Tests run: .*Time elapsed: ")
_FRAME = expression(r"^\s+at (?:[\w.]+/)?([\w.$]+)\.[\w$<>]+\(([\w$]+\.\w+):(\d+)\)$")
_SHORT = expression(r"^\[ERROR\]\s{2,}([\w$]+(?:\.[\w$]+)*)\.([\w$]+(?:\[[^\]]*\])?):(\d+)(?:->[\w$.:]+)* (?:» )?(.*)$")
_TOTAL = expression(rf"{_LEVEL}Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)$")


class Surefire(Parser):
    """Surefire 2.12 to 3.5. The stack of a failed test follows its name; a summary follows all tests."""

    name = "surefire"
    stems = ("<<< ",)
    starts = ("T E S T S", "Tests run: ", r"\[[A-Z]*\]  T E S T S", r"\[[A-Z]*\] Tests run: ", r"\[ERROR\]  ")

    def __init__(self) -> None:
        super().__init__()
        self._open: Problem | None = None
        self._class = ""
        self._at = 0
        self._short: list[tuple[Problem, int]] = []

    def feed(self, line: str) -> bool:
        """Read a line of a stack, a failed test, or the total."""
        if self._open and self._in_stack(self._open, line):
            return True
        self._flush()
        if _BEGUN.match(line):
            self.begin(owns=True)
        elif match := _TOTAL.match(line):
            self._total(*(int(text) for text in match.groups()))
        elif " <<< " in line and (match := _TEST.match(line)) and not _CLASS.match(line):
            self._test(match)
        elif self._call and (match := _SHORT.match(line)):
            name, method, place, message = match.groups()
            self._short.append((Problem(None, number(place), f"{name}.{method}", message, test=True), self.at))
        return self._open is not None

    def _test(self, match: re.Match[str]) -> None:
        name = f"{match[2]}.{match[1]}" if match[2] else match[1]
        self._class = match[2] or name.partition("(")[0].partition("[")[0].rpartition(".")[0]
        self._open, self._at = Problem(None, None, name, "", test=True), self.at

    def _in_stack(self, test: Problem, line: str) -> bool:
        if match := _FRAME.match(line):
            if not test.file and match[1].partition("$")[0] == self._class.partition("$")[0]:
                self._open = test._replace(file=match[2], line=number(match[3]))
            return True
        if not test.message and line.strip() and not line.startswith("["):
            self._open = test._replace(message=line.strip())
        return bool(line.strip()) and not line.startswith("[")

    def _flush(self) -> None:
        if self._open:
            self.report(self._open, SURE, self._at)
        self._open = None

    def _total(self, run: int, failures: int, errors: int, skipped: int) -> None:
        """End the tests of a module; without stacks in the log its summary has the failures."""
        if not self._found:
            for problem, at in self._short:
                self.report(problem, SURE, at)
        self._short = []
        passed = run - failures - errors - skipped
        self.finish({"failed": failures, "errors": errors, "passed": passed, "skipped": skipped}, failures + errors)

    def findings(self) -> tuple[Findings, ...]:
        """Return one result for each module; the log may end within a stack."""
        self._flush()
        return super().findings()
