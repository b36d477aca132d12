"""Recognize cargo nextest: the sections of its failed tests, and its summary."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, number
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.rust_failures import Failure

_STARTING = expression(r"^ +(?:Starting|Nextest run ID) .*(?:tests? across|with nextest profile)")
_RESULT = expression(
    r"^ +(?:TRY (\d+) )?(FAIL|PASS|SLOW|TIMEOUT|TERMINATING|FLAKY \d+/\d+|LEAK|SIG[A-Z]+|ABORT|XFAIL)"
    r" \[[ >]*[\d.]+s\] (?:\([ \d/─]+\) )?(\S+)(?: (\S.*))?$"
)
_SUMMARY = expression(r"^ +Summary \[ *[\d.]+s\] (?:(\d+)/)?(\d+) tests? run: (.*)$")
_COUNT = expression(r"(\d+) (passed|failed|timed out|skipped|exec failed|flaky|slow|leaky)")
_INDENT = 4
_GOOD = ("PASS", "SLOW", "LEAK", "FLAKY", "TERMINATING")


class Nextest(Parser):
    """cargo nextest run, with retries; what a test returned or panicked with is in its own output."""

    name = "nextest"
    starts = (
        "Nextest run ID ",
        "Starting ",
        r"Summary \[",
        r"FAIL \[",
    )

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[tuple[str, str], tuple[Failure, int, str]] = {}
        self._section: Failure | None = None

    def feed(self, line: str) -> bool:
        if _STARTING.match(line):
            if not self.is_open or self._failed:
                self._end()
                self.begin(owns=True)
        elif summary := _SUMMARY.match(line):
            if not self.is_open:
                self.begin(owns=True)
            self._end(summary)
        elif self.is_open and (result := _RESULT.match(line)):
            self._result(result)
        elif self._section:
            self._section.feed(line[_INDENT:])
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _result(self, result: re.Match[str]) -> None:
        key = (result[3], result[4] or "")
        if result[2].startswith(_GOOD):
            # A later attempt may have succeeded.
            self._failed.pop(key, None)
            self._section = None
            return
        self._section = Failure() if key in self._failed or len(self._failed) < MOST_FAILED else None
        if self._section:
            self._failed[key] = (self._section, self.at, result[2])

    def _end(self, summary: re.Match[str] | None = None) -> None:
        """Report the failures of a call that is open."""
        if not self.is_open:
            return
        for (binary, name), (failure, at, word) in self._failed.items():
            problem = failure.problem(name, "")
            message = problem.message or ("" if word == "FAIL" else word)
            self.report(problem._replace(id=f"{binary} {name}", message=message), SURE, at)
        counts = {what: number(many) or 0 for many, what in _COUNT.findall(summary[3])} if summary else {}
        bad = sum(counts.get(what, 0) for what in ("failed", "timed out", "exec failed"))
        self.finish(counts, bad if summary else None)
        self._failed, self._section = {}, None
