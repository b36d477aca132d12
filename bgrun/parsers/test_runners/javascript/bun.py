"""Recognize `bun test`: the error before each test that failed, and its totals."""

from __future__ import annotations

from collections import Counter

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section

_VERSION = expression(r"^bun test v\d[\w.-]* \([0-9a-f]+\)$")
_FILE = expression(r"^(\S.*\.[cm]?[jt]sx?):$")
_RESULT = expression(r"^(?:\((pass|fail|skip|todo)\)|([✓✗»✎])) (.*?)(?: \[\d[\d.]*m?s\])?$")
_LATER = expression(r"^  \^ (\S.*)$")
_LIST = expression(r"^\d+ tests? (failed|skipped|todo):$")
_COUNT = expression(r"^ +(\d+) (pass|fail|skip|todo|error)s?$")
_RAN = expression(r"^Ran \d+ tests? across \d+ files?\. +\[\d")
_CARET = expression(r"^\s*\^+$")
_UNHANDLED = "# Unhandled error between tests"
_LINE = "-------------------------------"
_MARKS = {"✓": "pass", "✗": "fail", "»": "skip", "✎": "todo"}
_WORDS = {"fail": "failed", "pass": "passed", "skip": "skipped", "todo": "todo"}


class _Failed:
    """A test that failed, or a file that could not be loaded (without a name)."""

    def __init__(self, file: str, name: str, section: Section, at: int) -> None:
        self.file = file
        self.name = name
        self.section = section
        self.at = at
        self.later = ""

    @property
    def problem(self) -> Problem:
        phase = "" if self.name else "collection"
        file = self.file or None
        line = self.section.line_in(self.file) if file else None
        return Problem(file, line, self.name or None, self.section.message or self.later, phase=phase, test=True)


class Bun(Parser):
    """bun test, from version 1 on."""

    name = "bun"
    starts = ("bun test v",)

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[_Failed] = []
        self._listed: Counter[str] = Counter()
        self._counts: dict[str, int] = {}
        self._file = self._list = ""
        self._section = Section()
        self._is_unhandled = False

    def feed(self, line: str) -> bool:
        if _VERSION.match(line):
            self._end(is_complete=False)
            self.begin(owns=True)
        elif not self.is_open:
            return False
        elif _RAN.match(line) and self._counts:
            self._end(is_complete=True)
        elif count := _COUNT.match(line):
            self._counts[count[2]] = int(count[1])
        elif kind := _LIST.match(line):
            self._list = kind[1]
        elif result := _RESULT.match(line):
            self._result(result[1] or _MARKS[result[2]], result[3])
        elif self._list:
            pass
        elif line == _UNHANDLED:
            self._section, self._is_unhandled = Section(), True
        elif (file := _FILE.match(line)) and not self._is_unhandled:
            self._file, self._section = file[1], Section()
        elif self._is_unhandled and line == _LINE:
            self._unhandled()
        elif (later := _LATER.match(line)) and self._failed:
            self._failed[-1].later = later[1]
        elif not _CARET.match(line):
            self._section.feed(line.removeprefix("error: "))
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end(is_complete=False)
        return super().findings()

    def _result(self, state: str, name: str) -> None:
        if self._list == "failed" and state == "fail":
            self._listed[name] += 1
        elif not self._list and state == "fail" and len(self._failed) < MOST_FAILED:
            self._failed.append(_Failed(self._file, name, self._section, self.at))
        self._section = Section()

    def _unhandled(self) -> None:
        """Read the line above or below an error outside the tests."""
        if self._section.lines:
            self._is_unhandled = False
            if len(self._failed) < MOST_FAILED:
                self._failed.append(_Failed(self._file, "", self._section, self.at))
            self._section = Section()

    def _end(self, *, is_complete: bool) -> None:
        """Report the failures of a call that is open: of those that are listed at its end not what a test printed."""
        if not self.is_open:
            return
        for one in self._failed:
            if not self._listed or not one.name or self._listed[one.name]:
                self._listed[one.name] -= bool(one.name and self._listed)
                self.report(one.problem, SURE, one.at)
        errors = sum(1 for one in self._found if one.problem.phase)
        # Files that could not be loaded are among the tests that failed.
        failed = max(0, self._counts.get("fail", 0) - errors)
        if is_complete:
            counts = {_WORDS[what]: many for what, many in self._counts.items() if what in _WORDS}
            self.finish({**counts, "failed": failed, "errors": errors}, failed + errors)
        else:
            self.close()
        self._failed, self._listed, self._counts, self._list, self._file = [], Counter(), {}, "", ""
