"""Recognize vitest: the sections of its failed tests, and its totals."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section

_RUN = expression(r"^ ?(?:RUN|DEV)  ?v\d\S* (\S.*)$")
_RULE = expression(r"^⎯+ (Failed Suites|Failed Tests|Failed Typechecks|Unhandled Errors|Unhandled Source Errors|"
                   r"Uncaught Exception|Unhandled Rejection|Unhandled Source Error|Unhandled Error|Startup Error)"
                   r"(?: (\d+))? ⎯+$")  # fmt: skip
_END_RULE = expression(r"^⎯+(?:\[\d+/\d+\]⎯+)?$")
_FAIL = expression(r"^ ?FAIL  (\S.*)$")
_PROJECT = expression(r"^(?:\|[^|]*\| | ?\S+ {2,})(\S.*)$")
_COUNTS = expression(r"^ *(Test Files|Tests|Type Errors|Errors)  (.*)$")
_TIMES = expression(r"^ *(?:Start at|Duration)  ")
_COUNT = expression(r"(\d+) (\w+)")
_ERRORS = ("Unhandled", "Uncaught", "Startup")
_ORIGIN = expression(r'^This error originated in "([^"]+)" test file\.')
_MOST_SHARED = 1000


class _Failed(NamedTuple):
    """A section: the tests of which it is, as printed, or an error of no test; its position in the log."""

    part: str
    tests: list[str]
    section: Section
    at: int


class Vitest(Parser):
    """vitest from version 1 on."""

    name = "vitest"
    stems = (
        "⎯ ",
        "Startup Error",
    )
    starts = (
        r"RUN +v",
        r"DEV +v",
        "Test Files  ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._part = ""
        self._total = 0
        self._failed: list[_Failed] = []
        self._counts: dict[str, int] = {}
        self._errors = 0
        self._is_timed = False
        self._last = 0

    def feed(self, line: str) -> bool:
        if self._counts and not self._is_of_end(line):
            self._leave()
        if run := _RUN.match(line):
            self._end()
            self.begin(owns=True, base=run[1])
        elif line.startswith("⎯"):
            self._rule(line)
        elif self._part and (fail := _FAIL.match(line)):
            self._test(fail[1])
        elif self.is_open and (counts := _COUNTS.match(line)):
            self._count(counts[1], counts[2])
        elif self._counts and _TIMES.match(line):
            self._is_timed = True
        elif self._failed and self._part:
            self._failed[-1].section.feed(line)
        self._last = self.at
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _rule(self, line: str) -> None:
        rule = _RULE.match(line)
        if not rule:
            if _END_RULE.match(line) and self._failed and not self._failed[-1].tests:
                self._part = ""
            return
        if not self.is_open:
            self.begin(owns=True)
        self._part = rule[1]
        self._total += int(rule[2] or 0)
        if self._part.startswith(_ERRORS) and not self._part.endswith("s"):
            self._failed.append(_Failed(self._part, [], Section(), self.at))

    def _test(self, text: str) -> None:
        last = self._failed[-1] if self._failed else None
        if last and last.tests and not last.section.lines and len(last.tests) < _MOST_SHARED:
            # Tests that failed in the same way share a section.
            last.tests.append(text)
        elif len(self._failed) < MOST_FAILED:
            self._failed.append(_Failed(self._part, [text], Section(), self.at))

    def _count(self, what: str, text: str) -> None:
        self._part = ""
        if what == "Tests":
            self._counts |= {word: int(many) for many, word in _COUNT.findall(text)}
        elif what == "Test Files":
            self._counts = {"failed": 0}
        elif found := _COUNT.match(text):
            self._errors += int(found[1])

    def _leave(self) -> None:
        """End the call after its totals; without the times that follow them a test printed these."""
        if self._is_timed:
            self._end()
        else:
            self._counts, self._errors = {}, 0

    def _is_of_end(self, line: str) -> bool:
        return not line or line.startswith((" ", "::error "))

    def _end(self) -> None:
        """Report the failures of a call that is open, and end it at the last line that is its own."""
        if not self.is_open:
            return
        for one in self._failed:
            for problem in _problems(one):
                self.report(problem, SURE, one.at)
        now, self.at = self.at, self._last
        if self._counts:
            others = sum(1 for one in self._found if one.problem.phase)
            lost = self._total + self._errors - len(self._found)
            self.finish({"failed": 0, "errors": others, **self._counts}, len(self._found) + max(0, lost))
        self.at = now
        self._part, self._total, self._failed, self._counts = "", 0, [], {}
        self._errors, self._is_timed = 0, False


def _problems(one: _Failed) -> list[Problem]:
    if not one.tests:
        origin = next((found[1] for line in one.section.rest if (found := _ORIGIN.match(line))), None)
        frame = next(iter(one.section.own_frames), None)
        file, line = (frame.file, frame.line) if frame else (origin, None)
        return [Problem(file, line, None, one.section.message, phase="unhandled")]
    return [_problem(one, text) for text in one.tests]


def _problem(one: _Failed, text: str) -> Problem:
    file, _, name = text.partition(" > ")
    is_file = file.endswith(" ]") and " [ " in file
    file = file.partition(" [ ")[0] if is_file else file
    if project := _PROJECT.match(file):
        file = project[1]
    phase = "collection" if is_file else "setup" if one.part == "Failed Suites" else ""
    return Problem(file, one.section.line_in(file), name or None, one.section.message, phase=phase, test=True)
