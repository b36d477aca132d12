"""Recognize `dotnet test` with VSTest: the sections of its failed tests, and the totals of each assembly."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_START = expression(
    r"^(?:Test run for \S.* \(\S.*\)|Starting test execution, please wait\.\.\.|Running all tests in \S.*"
    r"|A total of \d+ test files matched the specified pattern\.)$"
)
_FAILED = expression(r"^(?:  Failed |Failed   )(\S.*?)(?: \[[<\d][^\]]*\])?$")
_OTHER = expression(r"^(?:  (?:Passed|Skipped) |(?:Passed|Skipped)   )\S")
_PART = expression(r"^(?:  )?(Error Message|Stack Trace|Standard Output Messages|Standard Error Messages):$")
_FRAME = expression(r"^ +at (\S.*?) in (\S.*):line (\d+)$")
_ABORTED = expression(r"^The active test run was aborted\. Reason: (\S.*)$")
_ONE_LINE = expression(r"^(?:Failed|Passed|Skipped)! +- Failed: +(\d+), Passed: +(\d+), Skipped: +(\d+), Total: +\d+, ")
_SEVERAL = expression(r"^Total tests: (?:\d+|Unknown)$")
_COUNT = expression(r"^ +(Passed|Failed|Skipped): (\d+)$")
_WORDS = {"Passed": "passed", "Failed": "failed", "Skipped": "skipped"}
_MOST_LINES = 20


class _Test:
    """A failed test: its message, and its stack trace."""

    def __init__(self, name: str, at: int) -> None:
        self.name = name
        self.at = at
        self.part = ""
        self._message: list[str] = []
        self._frames: list[tuple[str, str, int | None]] = []

    def feed(self, line: str) -> None:
        if part := _PART.match(line):
            self.part = part[1]
        elif self.part == "Error Message" and line.strip() and len(self._message) < _MOST_LINES:
            self._message.append(line.strip())
        elif self.part == "Stack Trace" and (frame := _FRAME.match(line)) and len(self._frames) < _MOST_LINES:
            self._frames.append((frame[1], frame[2], number(frame[3])))

    @property
    def problem(self) -> Problem:
        method = self.name.partition("(")[0].rpartition(".")[2]
        own = [frame for frame in self._frames if f".{method}(" in frame[0]] or self._frames[-1:]
        _, file, line = own[0] if own else (None, None, None)
        return Problem(file, line, self.name, " ".join(self._message[:4]), test=True)


class DotnetTest(Parser):
    """dotnet test with VSTest, for xUnit, NUnit and MSTest; the logger for terminals prints another form."""

    name = "dotnet-test"
    starts = (
        "Test run for ",
        "Starting test execution",
        "Running all tests in ",
        "Failed! ",
        "Passed! ",
        "Skipped! ",
        "Total tests: ",
        "The active test run was aborted",
    )

    def __init__(self) -> None:
        super().__init__()
        self._tests: list[_Test] = []
        self._is_inside = self._is_counting = False
        self._counts = {"failed": 0, "passed": 0, "skipped": 0}
        self._last = 0

    def feed(self, line: str) -> bool:
        if total := _ONE_LINE.match(line):
            self._add(dict(zip(("failed", "passed", "skipped"), map(int, total.groups()), strict=True)))
            self._is_inside = False
        elif _SEVERAL.match(line):
            self._add({})
            self._is_counting = True
        elif self._is_counting and (count := _COUNT.match(line)):
            self._add({_WORDS[count[1]]: int(count[2])})
        elif _START.match(line):
            self._begin()
            self._is_inside, self._last = True, self.at
        elif aborted := _ABORTED.match(line):
            self._begin()
            self.report(Problem(None, None, None, aborted[1], phase="exit", test=True), SURE)
        elif self._is_counting:
            self._is_inside = self._is_counting = False
        elif self.is_open and (failed := _FAILED.match(line)):
            if len(self._tests) < MOST_FAILED:
                self._tests.append(_Test(failed[1], self.at))
        elif self._tests:
            if _OTHER.match(line):
                self._tests[-1].part = "over"
            elif self._tests[-1].part != "over":
                self._tests[-1].feed(line)
        return self._is_inside or self._is_counting

    def findings(self) -> tuple[Findings, ...]:
        if self.is_open:
            for test in self._tests:
                self.report(test.problem, SURE, test.at)
            self.at = max([self._last, *(test.at for test in self._tests)])
            errors = len(self._found) - len(self._tests)
            failed = max(self._counts["failed"], len(self._tests))
            self.finish({**self._counts, "failed": failed, "errors": errors}, failed + errors)
        return super().findings()

    def _begin(self) -> None:
        if not self.is_open:
            self.begin(owns=True)

    def _add(self, counts: dict[str, int]) -> None:
        """Add the counts of an assembly: the sections of several ones may be mixed."""
        self._begin()
        for what, many in counts.items():
            self._counts[what] += many
        self._last = self.at
