"""Recognize prove: what Perl's tests say of each failure, and the summary of each file."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_FILE = expression(r"^(?:\[[\d:]+\] )?(\S+\.t) \.\.+ ?")
_DIAGNOSED = expression(r"^( *)#   Failed (?:\(TODO\) )?test(?: '(.*)')?(?: at (\S.*) line (\d+)\.)?$")
_AT = expression(r"^ *#   at (\S.*) line (\d+)\.$")
_COMMENT = expression(r"^ *#(?: {3,}(\S.*)|.*)$")
_SUMMARY = expression(r"^(\S+) \(Wstat: (\d+)(?: \((.*?)\))? Tests: (\d+) Failed: (\d+)\)$")
_PARSE = expression(r"^  Parse errors: (\S.*)$")
_TOTAL = expression(r"^Files=\d+, Tests=(\d+), ")
_RESULT = expression(r"^Result: (PASS|FAIL|NOTESTS)$")
_MOST_LINES = 4


class _Diagnosed:
    """What a test said of its failure."""

    def __init__(self, indent: int, name: str, at: int) -> None:
        self.indent = indent
        self.name = name
        self.at = at
        self.file: str | None = None
        self.line: int | None = None
        self.said: list[str] = []


class _File:
    """The summary of a file: how it ended, and what was wrong with its plan."""

    def __init__(self, summary: re.Match[str], at: int) -> None:
        self.name = summary[1]
        self.at = at
        self.failed = int(summary[5])
        self.why = [summary[3] or f"wait status {summary[2]}"] if summary[2] != "0" else []


class Prove(Parser):
    """prove, with and without `-v`, over Test::More."""

    name = "prove"
    stems = (".t ..",)
    starts = (
        "#   Failed test",
        "Test Summary Report",
        "Files=",
        "Result: ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._start: int | None = None
        self._diagnosed: list[_Diagnosed] = []
        self._files: list[_File] = []
        self._tests: int | None = None
        self._is_prove = False

    def feed(self, line: str) -> bool:
        if diagnosed := _DIAGNOSED.match(line):
            self._begin()
            self._diagnose(diagnosed)
        elif _FILE.match(line) or line == "Test Summary Report":
            self._begin()
            self._is_prove = True
        elif self._start is None:
            return False
        elif summary := _SUMMARY.match(line):
            self._files.append(_File(summary, self.at))
        elif (parse := _PARSE.match(line)) and self._files:
            self._files[-1].why.append(parse[1])
        elif total := _TOTAL.match(line):
            self._tests = int(total[1])
        elif _RESULT.match(line):
            self._end()
        elif self._diagnosed and not self._files:
            self._detail(line)
        return self._start is not None

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _begin(self) -> None:
        if self._start is None:
            self._start = self.at

    def _diagnose(self, found: re.Match[str]) -> None:
        one = _Diagnosed(len(found[1]), found[2] or "", self.at)
        one.file, one.line = found[3], number(found[4])
        if self._diagnosed and self._diagnosed[-1].indent > one.indent:
            # A subtest has said it: what follows is the name of the test around it.
            inner = self._diagnosed[-1]
            inner.name = " > ".join(filter(None, (one.name, inner.name)))
            inner.indent = one.indent
        elif len(self._diagnosed) < MOST_FAILED:
            self._diagnosed.append(one)

    def _detail(self, line: str) -> None:
        last = self._diagnosed[-1]
        if at := _AT.match(line):
            last.file, last.line = last.file or at[1], last.line or number(at[2])
        elif (comment := _COMMENT.match(line)) and comment[1] and len(last.said) < _MOST_LINES:
            last.said.append(comment[1])

    def _end(self) -> None:
        start, self._start = self._start, None
        if start is not None and self._is_prove and (self._diagnosed or self._files or self._tests is not None):
            now, self.at = self.at, start
            self.begin(owns=True)
            self.at = now
            self._report_all()
        self._diagnosed, self._files, self._tests, self._is_prove = [], [], None, False

    def _report_all(self) -> None:
        for one in self._diagnosed:
            self.report(Problem(one.file, one.line, one.name or None, " ".join(one.said), test=True), SURE, one.at)
        broken = [one for one in self._files if one.why and not one.failed]
        for file in broken:
            self.report(Problem(file.name, None, None, ", ".join(file.why), phase="exit", test=True), SURE, file.at)
        if self._tests is None:
            self.finish()
        else:
            failed = sum(one.failed for one in self._files)
            counts = {"failed": failed, "errors": len(broken), "passed": self._tests - failed}
            self.finish(counts, failed + len(broken))
