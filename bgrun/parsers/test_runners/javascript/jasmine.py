"""Recognize jasmine: the sections of its failures, and its total."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, WEAK, Findings, Parser, Problem
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section

_HEAD = expression(r"^(\d+)\) (\S.*)$")
_SUITE = expression(r"^(?:Suite error|Error during loading): ?(.*)$")
_TOTAL = expression(r"^(\d+) specs?, (\d+) failures?(?:, (\d+) pending specs?)?$")
_FINISHED = expression(r"^Finished in [\d.]+ seconds?$")


class _Failed:
    """A spec or a suite that failed: its first message, and the stack trace of that."""

    def __init__(self, title: str, at: int, *, is_suite: bool) -> None:
        self.title = title
        self.at = at
        self._is_suite = is_suite
        self._section = Section()
        self._part = ""
        self._parts = 0

    def feed(self, line: str) -> None:
        if line in ("  Message:", "  Stack:"):
            self._part = line.strip()
            self._parts += line == "  Message:"
        elif self._parts == 1 and (self._part == "Message:" or line.lstrip().startswith("at ")):
            self._section.feed(line)

    @property
    def problem(self) -> Problem:
        frame = next(iter(reversed(self._section.own_frames)), None)
        file, line = (frame.file, self._section.line_in(frame.file)) if frame else (None, None)
        phase = "setup" if self._is_suite else ""
        return Problem(file, line, self.title, self._section.message, phase=phase, test=True)


class Jasmine(Parser):
    """jasmine from version 3 on."""

    name = "jasmine"
    starts = ("Failures:", r"\d[0-9]* specs?, ")

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[_Failed] = []
        self._is_listing = False
        self._total: tuple[int, int, int] | None = None
        self._total_at = 0

    def feed(self, line: str) -> bool:
        total, self._total = self._total, None
        if total and _FINISHED.match(line):
            self._end(*total)
        elif line == "Failures:":
            # What a spec printed in this form comes before.
            self._failed, self._is_listing = [], True
            self.begin(owns=True, certainty=WEAK)
        elif found := _TOTAL.match(line):
            self._total, self._total_at = (int(found[1]), int(found[2]), int(found[3] or 0)), self.at
        elif self._is_listing and line == "Pending:":
            self._is_listing = False
        elif self._is_listing and len(self._failed) < MOST_FAILED and (head := _HEAD.match(line)):
            self._failed.append(_Failed(head[2], self.at, is_suite=False))
        elif self._is_listing and len(self._failed) < MOST_FAILED and (suite := _SUITE.match(line)):
            self._failed.append(_Failed(suite[1], self.at, is_suite=True))
        elif self._is_listing and self._failed:
            self._failed[-1].feed(line)
        return self.is_open or self._total is not None

    def findings(self) -> tuple[Findings, ...]:
        # Without its total it may be another tool's list.
        self._failed = []
        return super().findings()

    def _end(self, specs: int, failures: int, pending: int) -> None:
        if not self.is_open:
            self.begin(owns=True)
        for one in self._failed:
            self.report(one.problem, SURE, one.at)
        suites = sum(1 for one in self._found if one.problem.phase)
        failed = failures - suites
        counts = {"failed": failed, "errors": suites, "passed": specs - failed - pending, "pending": pending}
        self.finish(counts, failures)
        self._failed, self._is_listing = [], False
