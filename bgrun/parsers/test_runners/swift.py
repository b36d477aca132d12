"""Recognize `swift test`: the assertions and issues of XCTest and of Swift Testing, and their totals."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_SUITE = expression(r"^Test Suite '(.*)' (started|passed|failed) at \d{4}-")
_CASE = expression(r"^Test Case '(.*)' (started|passed|failed|skipped)\b")
_ERROR = expression(r"^(\S.*?):(\d+): error: (-\[\S+ \S+\]|(?:\w+\.)+\w+) : (.*)$")
_EXECUTED = expression(
    r"^\s+Executed (\d+) tests?, with (?:(\d+) tests? skipped and )?(\d+) failures? \(\d+ unexpected\)"
)
_SIGNAL = expression(r"^(?:error: )?(Exited with (?:unexpected )?signal code \d+)")
_ISSUE = expression(r"^\S+ +Test (.+?) recorded an issue(?: with \d+ arguments? .*?)? at (\S[^:]*):(\d+):\d+: (.*)$")
_RUN = expression(r"^\S+ +Test run with (\d+) tests?(?: in \d+ suites?)? (?:passed|failed) after [\d.]+ seconds?\b")


def _name(text: str) -> str:
    """Return `Module.Case.test` for what macOS prints as `-[Module.Case test]`."""
    return text[2:-1].replace(" ", ".") if text.startswith("-[") else text


class Swift(Parser):
    """swift test and xcodebuild, with XCTest and Swift Testing. XCTest counts failures, not tests."""

    name = "swift"
    stems = (": error: ", " recorded an issue")
    starts = (
        "Test Suite '",
        "Test Case '",
        "Executed ",
        "Exited with ",
        "error: Exited with ",
        "✘ Test run",
        "✔ Test run",
        "\U00100884 Test run",
        "\U0010105b Test run",
    )

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._running = ""
        self._seen: set[str] = set()

    def feed(self, line: str) -> bool:
        if suite := _SUITE.match(line):
            self._open()
            self._depth = self._depth + 1 if suite[2] == "started" else max(0, self._depth - 1)
        elif case := _CASE.match(line):
            self._case(_name(case[1]), case[2])
        elif error := _ERROR.match(line):
            self._add(Problem(error[1], number(error[2]), _name(error[3]), error[4].removesuffix(" - "), test=True))
        elif issue := _ISSUE.match(line):
            self._add(Problem(issue[2], number(issue[3]), issue[1].strip('"'), issue[4], test=True))
        elif self.is_open and not self._depth and (total := _EXECUTED.match(line)):
            self._end(int(total[1]), int(total[2] or 0), is_failed=total[3] != "0")
        elif run := _RUN.match(line):
            self._end(int(run[1]), 0)
        elif self._running and (signal := _SIGNAL.match(line)):
            self._add(Problem(None, None, self._running, signal[1], phase="exit", test=True))
        return False

    def findings(self) -> tuple[Findings, ...]:
        if self.is_open:
            self.close()
        return super().findings()

    def _open(self) -> None:
        if not self.is_open:
            self.begin(owns=True)

    def _case(self, name: str, state: str) -> None:
        self._running = name if state == "started" else ""
        if state == "failed" and name not in self._seen:
            self._add(Problem(None, None, name, "", test=True))

    def _add(self, problem: Problem) -> None:
        """Report a test once, by the first of its failures."""
        self._open()
        if problem.id and problem.id not in self._seen and len(self._seen) < MOST_FAILED:
            self._seen.add(problem.id)
            self.report(problem, SURE)

    def _end(self, tests: int, skipped: int, *, is_failed: bool = False) -> None:
        self._open()
        errors = sum(1 for one in self._found if one.problem.phase)
        failed = sum(1 for one in self._found if not one.problem.phase)
        counts = {"failed": failed, "errors": errors, "passed": max(0, tests - failed - skipped), "skipped": skipped}
        self.finish(counts, max(failed + errors, int(is_failed)))
        self._seen, self._depth, self._running = set(), 0, ""
