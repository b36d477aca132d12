"""Recognize Catch2: the assertions that failed in each test case, and the total."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_HOST = expression(r"^\S.* is a Catch2? v\d[\w.-]*(?: \(.*\))? host application\.$")
_RULE = expression(r"^-{79}$")
_FAILED = expression(r"^(\S.*?)[:(](\d+)\)?: FAILED:$")
_TOTAL = expression(r"^test cases: +(\d+) \|((?: +\d+ [a-z ]+(?:\||$))+)$")
_ASSERTIONS = expression(r"^assertions: +(?:\d+|- none -)")
_COUNT = expression(r"(\d+) (passed|failed as expected|failed|skipped)")
_MOST_LINES = 6


class _Failed:
    """A test case that failed: the place of its first assertion that did, and what that says."""

    def __init__(self, id: str, file: str, line: str, at: int) -> None:
        self.id = id
        self.file = file
        self.line = number(line)
        self.at = at
        self.said: list[str] = []


class Catch2(Parser):
    """Catch2 2 and 3 with the reporter `console`, which names the program before the first failure."""

    name = "catch2"
    starts = ("~~~~~~~~~~~~~~~~~~~~",)

    def __init__(self) -> None:
        super().__init__()
        self._is_next = False
        self._failed: list[_Failed] = []
        self._title: list[str] = []
        self._part = ""
        self._total: tuple[int, dict[str, int]] | None = None

    def feed(self, line: str) -> bool:
        if line.startswith("~~~~~"):
            self._is_next = True
            return True
        if self._is_next:
            self._is_next = False
            if _HOST.match(line):
                self._end()
                self.begin(owns=True)
        elif self.is_open:
            self._inner(line)
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _inner(self, line: str) -> None:
        if _RULE.match(line):
            self._part = "title" if self._part != "title" else "place"
            self._title = [] if self._part == "title" else self._title
        elif self._part == "title":
            self._title.append(line.strip())
        elif failed := _FAILED.match(line):
            self._part = "failed"
            if not self._failed or self._failed[-1].id != " > ".join(self._title):
                self._add(failed)
        elif total := _TOTAL.match(line):
            self._total = (int(total[1]), {what: int(many) for many, what in _COUNT.findall(total[2])})
        elif self._total and _ASSERTIONS.match(line):
            self._end()
        elif self._part == "failed" and self._failed:
            if not line.strip() or line.startswith("======"):
                self._part = "" if self._failed[-1].said else self._part
            elif len(self._failed[-1].said) < _MOST_LINES:
                self._failed[-1].said.append(line.strip())

    def _add(self, failed: re.Match[str]) -> None:
        if len(self._failed) < MOST_FAILED:
            self._failed.append(_Failed(" > ".join(self._title), failed[1], failed[2], self.at))

    def _end(self) -> None:
        """End a call that is open, by its total or, of a program that crashed, without one."""
        if not self.is_open:
            return
        for one in self._failed:
            self.report(Problem(one.file, one.line, one.id, " ".join(one.said), test=True), SURE, one.at)
        if self._total:
            _, counts = self._total
            failed = counts.get("failed", 0)
            passed = counts.get("passed", 0) + counts.get("failed as expected", 0)
            self.finish({"failed": failed, "passed": passed, "skipped": counts.get("skipped", 0)}, failed)
        else:
            self.close()
        self._failed, self._title, self._total, self._part = [], [], None, ""
