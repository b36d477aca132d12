"""Recognize the Test Anything Protocol, as node, tape, mocha, vitest, bats and Perl print it."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.tap_failures import Failed, is_parent, problem

_VERSION = expression(r"^TAP version 1[2-4]$")
_PLAN = expression(r"^( *)1\.\.(\d+)(?: +#.*)?$")
_RESULT = expression(r"^( *)(not )?ok (\d+)(?:(?: -)? (\S.*?))?(?: +# time=[\d.]+\w+)?( \{)?$")
_DIRECTIVE = expression(r"^(?:(.*?) ?)# *(TODO|SKIP)\b.*$", re.I)
_TOTAL = expression(r"^# (tests|pass|fail|cancelled|skipped|skip|todo|suites|duration_ms) +(\d+)(?:\.\d+)?$")
_SUBTEST = expression(r"^( *)# Subtest: (.*)$")
_COMMENT = expression(r"^# ?(.*)$")
_ERROR = expression(r"^(?:Uncaught )?\w*Error(?: \[\w+\])?: .+$")
_COUNTED = {"fail": "failed", "cancelled": "cancelled", "pass": "passed", "skipped": "skipped", "skip": "skipped",
            "todo": "todo"}  # fmt: skip
_MOST_OTHERS = 1000
"""How many lines may follow a result that is in no plan: it was printed by something else."""


class _Stream:
    """One stream of results: its counts, and the tests that failed.

    counts_suites: whether the tool counts suites apart from tests, as node does: a test with tests within it is one.
    """

    def __init__(self, at: int, *, has_version: bool) -> None:
        self.start = self.end = at
        self.has_version = has_version
        self.plan: int | None = None
        self.is_over = False
        self._is_in_order = False
        self._first = ""
        self._others = 0
        self.results = 0
        self.failed: list[Failed] = []
        self._counts = {"failed": 0, "passed": 0, "skipped": 0, "todo": 0}
        self.counts_suites = False
        self._totals: dict[str, int] = {}
        self._names: list[tuple[int, str]] = []
        self._indents: set[int] = set()
        self._last_indent = 0
        self._is_failed = False
        self._heading = ""
        self._error = ""
        self._number = ""
        self._is_last_failed = False
        self._doubtful: list[Failed] = []
        self._late: list[Failed] = []

    @property
    def real(self) -> list[Failed]:
        """The tests that failed: not what a test printed in the same form, if the tool counted fewer.

        What a test prints comes before its result, which has the number that was used up; where files run at once, it
        may come after that of another one: with a number that is too low.
        """
        if len(self.failed) <= self.counts.get("failed", 0):
            return self.failed
        # node, which counts suites, numbers the tests of each file anew.
        printed = set(map(id, self._doubtful if self.counts_suites else self._doubtful + self._late))
        return [one for one in self.failed if id(one) not in printed]

    @property
    def is_sure(self) -> bool:
        """Whether it is a stream, and not some lines that look like it."""
        is_planned = (self.is_complete and self._first == "1") or (self._is_in_order and self.results > 1)
        return bool(self.results) and (self.has_version or is_planned or "failed" in self._totals)

    @property
    def is_complete(self) -> bool:
        """Whether as many results came as were planned."""
        return self.plan is not None and self.results >= self.plan

    def is_before(self, plan: int) -> bool:
        """Return whether a plan is the next stream's: this one has one, or what came is not what it plans."""
        is_over = self.plan is not None or not (self.results == plan or self._totals)
        return not self.has_version and is_over

    @property
    def counts(self) -> dict[str, int]:
        """What the tool counted, or else the results."""
        return self._totals or self._counts

    def feed(self, line: str, at: int) -> bool:
        """Read a line; return whether the next one may be of this stream."""
        start = line.lstrip(" ")[:1]
        if start == "1" and (plan := _PLAN.match(line)):
            self._is_in_order = self._is_in_order or not (plan[1] or self.results)
            self.plan = self.plan if plan[1] else int(plan[2])
        elif start in ("o", "n") and (result := _RESULT.match(line)):
            if self.is_over:
                return False  # another program printed it
            self._result(result, at)
        elif start != "#":
            if start == "}" and self._names and line.strip() == "}":
                self._leave(len(line) - 1)
            else:
                return self._other(line)
        elif total := _TOTAL.match(line):
            self.counts_suites = self.counts_suites or total[1] == "suites"
            if total[1] in _COUNTED:
                self._totals[_COUNTED[total[1]]] = int(total[2])
            self._is_failed = False
        elif subtest := _SUBTEST.match(line):
            self._leave(len(subtest[1]))
            self._names.append((len(subtest[1]), subtest[2]))
            self._is_failed = False
        else:
            return self._other(line)
        self.end = at
        self._others = 0
        return True

    def _other(self, line: str) -> bool:
        """Read a line that says nothing of results; return whether the next one may."""
        self._others += 1
        is_own = line.startswith(("#", " ")) or (not line and not self._is_failed)
        is_lost = self._others > _MOST_OTHERS and not self.has_version and self.plan is None
        self.is_over = is_lost or (self.is_complete and not is_own)
        if not self.is_over:
            self._detail(line)
        return not self.is_over

    def _leave(self, indent: int) -> None:
        while self._names and self._names[-1][0] >= indent:
            self._names.pop()

    def _detail(self, line: str) -> None:
        """Read a line between results: what is known of a failure, or what a test printed."""
        comment = _COMMENT.match(line) if line.startswith("#") else None
        if self._is_failed:
            self.failed[-1].feed(line, None if not comment else comment[1])
        if comment:
            self._heading = comment[1].strip() or self._heading
            self._error = comment[1] if _ERROR.match(comment[1]) else self._error

    def _result(self, result: re.Match[str], at: int) -> None:
        indent, name = len(result[1]), result[4] or ""
        directive = _DIRECTIVE.match(name)
        has_tests, has_failed = self._last_indent > indent, any(one > indent for one in self._indents)
        self._indents = {one for one in self._indents if one <= indent}
        self._last_indent, self._is_failed = indent, False
        self._leave(indent)
        is_back = False
        if not indent:
            if result[3] == self._number and self._is_last_failed:
                self._doubtful.append(self.failed[-1])
            is_back = (len(result[3]), result[3]) < (len(self._number), self._number)
            self._number, self._is_last_failed = result[3], bool(result[2] and not directive and not result[5])
        path = (*(one for _, one in self._names), directive[1] if directive else name)
        self._first = self._first or ("" if indent else result[3])
        self.results += not indent
        self._is_in_order = self._is_in_order and (bool(indent) or result[3] == str(self.results))
        if result[5]:
            self._names.append((indent, name))
        elif directive:
            self._counts["todo" if directive[2].upper() == "TODO" else "skipped"] += 1
        elif not result[2]:
            self._counts["passed"] += not has_tests
        else:
            self._indents.add(indent)
            self._counts["failed"] += not has_failed
            if len(self.failed) < MOST_FAILED:
                self.failed.append(Failed(path, at, self._heading, self._error, has_failed=has_failed))
                if is_back:
                    self._late.append(self.failed[-1])
                self._is_failed = True
        self._error = ""


class Tap(Parser):
    """TAP, versions 12 to 14, with the subtests of node and those in braces."""

    name = "tap"
    starts = (
        "TAP version 1",
        "not ok ",
        "ok 1 ",
        r"1\.\.",
        "# pass ",
        "# fail ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._stream: _Stream | None = None

    def feed(self, line: str) -> bool:
        has_version = line.startswith("TAP version ") and bool(_VERSION.match(line))
        if has_version or self._is_first(line):
            self._end()
            self._stream = _Stream(self.at, has_version=has_version)
        if self._stream is None:
            return False
        return has_version or self._stream.feed(line, self.at)

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _is_first(self, line: str) -> bool:
        """Return whether a stream begins that says no version."""
        if line.startswith("1.."):
            plan = _PLAN.match(line)
            return plan is not None and (not self._stream or self._stream.is_before(int(plan[2])))
        result = _RESULT.match(line) if line.startswith(("ok ", "not ok ")) else None
        return result is not None and self._may_begin(result[3])

    def _may_begin(self, number: str) -> bool:
        stream = self._stream
        return not stream or (number == "1" and (stream.is_over or stream.is_complete) and not stream.has_version)

    def _end(self) -> None:
        """Report what is known of a stream, if it is one."""
        stream, self._stream = self._stream, None
        if not stream or not stream.is_sure:
            return
        now, self.at = self.at, stream.start
        self.begin(owns=True)
        for one in stream.real:
            if failure := problem(one):
                self.report(failure, SURE, one.at)
        self.at = stream.end
        suites = sum(1 for one in self._found if one.problem.phase == "setup")
        parents = sum(map(is_parent, stream.real)) if stream.counts_suites else 0
        failed = stream.counts.get("failed", 0) + stream.counts.get("cancelled", 0)
        self.finish(stream.counts, failed + suites - parents)
        self.at = now
