"""Recognize GoogleTest: the failures before each test that failed, a program that crashed, and the total."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number

_RUNNING = expression(r"^\[={10}\] Running \d+ tests? from \d+ test (?:suite|case)s?\.$")
_RUN = expression(r"^\[ RUN      \] (\S+)$")
_FAILURE = expression(r"^(?:unknown file|(\S.*?)[:(](\d+)\)?): (?:error: )?Failure$")
_DONE = expression(r"\[       OK \] (\S+)|\[  SKIPPED \] (\S+)")
_FAILED = expression(r"^\[  FAILED  \] (\S+?)(?:, where (.*))? \(\d+ ms\)$")
_RAN = expression(r"^\[={10}\] (\d+) tests? from \d+ test (?:suite|case)s? ran\.")
_COUNT = expression(r"^\[  (PASSED|SKIPPED|FAILED) +\] (\d+) tests?\b")
_END = expression(r"^(?: ?\d+ FAILED TESTS?|\[  (?:SKIPPED|FAILED) +\] \S.*|  YOU HAVE \d+ DISABLED TESTS?|)$")
_CRASH = expression(
    r"^(?:\S.*: line \d+: +\d+ |make: \*\*\* \[.*\] )?"
    r"((?:Segmentation fault|Aborted|Bus error|Floating point exception|Illegal instruction)(?: \(core dumped\))?"
    r"|terminate called after throwing .*)$"
)
_WORDS = {"PASSED": "passed", "SKIPPED": "skipped", "FAILED": "failed"}
_MOST_LINES = 8


class Gtest(Parser):
    """GoogleTest from 1.8 on, also with `--gtest_brief=1`."""

    name = "gtest"
    stems = (": Failure",)
    starts = (r"\[==========\]", r"\[ RUN      \]", r"\[  FAILED  \]")

    def __init__(self) -> None:
        super().__init__()
        self._test = ""
        self._failures: list[tuple[str | None, int | None, list[str]]] = []
        self._counts: dict[str, int] = {}
        self._tests: int | None = None
        self._last = 0

    def feed(self, line: str) -> bool:
        if self._tests is not None and self._total(line):
            return True
        if _RUNNING.match(line):
            self._end()
            self.begin(owns=True)
        elif ran := _RAN.match(line):
            self._open()
            self._tests, self._last = int(ran[1]), self.at
        elif run := _RUN.match(line):
            self._open()
            self._test, self._failures = run[1], []
        elif failure := _FAILURE.match(line):
            self._open()
            self._failures.append((failure[1], number(failure[2]), []))
            del self._failures[1:-1]  # the first one says it
        elif failed := _FAILED.match(line):
            self._failed(failed)
        elif self._test and (crash := _CRASH.match(line)):
            self.report(Problem(None, None, self._test, crash[1], phase="exit", test=True), SURE)
            self._end()
        elif done := _DONE.match(line):
            self._test = self._test if (done[1] or done[2]) != self._test else ""
        elif self._failures and line.strip() and len(self._failures[-1][2]) < _MOST_LINES:
            self._failures[-1][2].append(line.strip())
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _open(self) -> None:
        if not self.is_open:
            self.begin(owns=True)

    def _failed(self, failed: re.Match[str]) -> None:
        """Report a test that failed, and not what a test printed in this form."""
        if failed[1] == self._test or (not self._test and self._failures):
            file, line, said = self._failures[0] if self._failures else (None, None, [])
            self.report(Problem(file, line, failed[1], " ".join(said), test=True), SURE)
            self._test, self._failures = "", []

    def _total(self, line: str) -> bool:
        """Read a line after the tests; return whether it is GoogleTest's."""
        if count := _COUNT.match(line):
            self._counts[_WORDS[count[1]]] = int(count[2])
        elif not _END.match(line):
            self._end()
            return False
        self._last = self.at if line else self._last
        return True

    def _end(self) -> None:
        if self.is_open and self._tests is not None:
            passed, skipped = self._counts.get("passed", 0), self._counts.get("skipped", 0)
            failed = self._tests - passed - skipped
            now, self.at = self.at, self._last
            self.finish({"failed": failed, "passed": passed, "skipped": skipped}, failed)
            self.at = now
        elif self.is_open:
            self.close()
        self._test, self._failures, self._counts, self._tests = "", [], {}, None
