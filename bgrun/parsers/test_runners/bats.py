"""Recognize `bats --pretty`, which rewrites each line on a terminal: in a log the parts of a line follow each other."""

from __future__ import annotations

import re

from bgrun.parsers.shape import SURE, Findings, Parser
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.tap_failures import Failed, problem

_FILE = re.compile(r"^\S.*\.bats$")
_TIMES = r"(?: \[\d+\])?(?: # timeout after \d+s)?"
_RESULT = re.compile(rf"^ {{3}}(.+?) *(\d+)/(\d+)(?: in \d+ sec)? ([\u2713\u2717-]) \1(?: \(skipped.*\))?{_TIMES}$")
_TOTAL = re.compile(r"^(\d+) tests?, (\d+) failures?((?:, \d+ (?:not run|skipped))*)(?: in \d+ seconds?)?$")
_REST = re.compile(r", (\d+) (not run|skipped)")
_INDENT = "   "


class Bats(Parser):
    """bats, in its form for terminals. What a test printed is indented below it."""

    name = "bats"
    stems = ((" \u2717 ", "/"), ".bats")

    def __init__(self) -> None:
        super().__init__()
        self._heading: int | None = None
        self._failed: dict[int, Failed] = {}
        self._test: Failed | None = None

    def feed(self, line: str) -> bool:
        if result := _RESULT.match(line):
            self._result(result)
        elif self.is_open and (total := _TOTAL.match(line)):
            self._total(total)
            return False
        elif self._test and line.startswith(_INDENT):
            self._test.feed("", line[len(_INDENT) :])
        elif not self.is_open:
            self._heading = self.at if _FILE.match(line) else None
        return self.is_open or self._heading is not None

    def findings(self) -> tuple[Findings, ...]:
        self._report()
        return super().findings()

    def _result(self, result: re.Match[str]) -> None:
        """Take the result of a test. What a test printed in this form has the number of the next one."""
        if not self.is_open:
            now, self.at = self.at, self.at if self._heading is None else self._heading
            self.begin(owns=True)
            self.at, self._heading = now, None
        number = int(result[2][:9])
        self._failed.pop(number, None)
        self._test = None
        if result[4] == "\u2717" and len(self._failed) < MOST_FAILED:
            self._failed[number] = self._test = Failed((result[1],), self.at, "", "", has_failed=False)

    def _report(self) -> None:
        for one in self._failed.values():
            if failure := problem(one):
                self.report(failure, SURE, one.at)
        self._failed, self._test = {}, None

    def _total(self, total: re.Match[str]) -> None:
        self._report()
        tests, failed = int(total[1]), int(total[2])
        rest = {what: int(number) for number, what in _REST.findall(total[3])}
        counts = {"failed": failed, "passed": tests - failed - sum(rest.values()), "skipped": rest.get("skipped", 0)}
        self.finish({what: number for what, number in counts.items() if number or what == "passed"}, failed)
