"""Recognize Playwright Test: the numbered sections of its failed tests, and its list of results."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section

_RUNNING = expression(r"^Running (\d+) tests? using \d+ workers?(?:, shard \d+ of \d+)?$")
_HEAD = expression(r"^  (\d+)\) (\S.*?)(?: ─+)?$")
_TEST = expression(r"^(?:\[([^\]]+)\] › )?(\S.*?):(\d+):\d+ › (\S.*?)(?: \(\d[\d.]*\w+\))?$")
_RETRY = expression(r"^    Retry #\d+ ─+")
_COUNT = expression(r"^  (\d+) (failed|flaky|interrupted|skipped|did not run|passed)(?: \(.*\))?$")
_ERRORS = expression(r"^  (\d+) errors? (?:was|were) not a part of any test, see above for details$")
_LISTED = expression(r"^    (\S.*?)(?: ─+)?$")


class _Failed(NamedTuple):
    """A numbered section: the test, and its position in the log."""

    test: str
    section: Section
    at: int


class Playwright(Parser):
    """Playwright Test, with the reporters `list`, `line`, `dot` and `github`."""

    name = "playwright"
    stems = (" › ",)
    starts = (
        "Running ",
        r"\d[0-9]* (?:passed \(|did not run|errors? (?:was|were) not a part of any test)",
    )

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[str, _Failed] = {}
        self._current: Section | None = None
        self._counts: dict[str, int] = {}
        self._bad: set[str] = set()
        self._listing = ""
        self._last = 0

    def feed(self, line: str) -> bool:
        if _RUNNING.match(line):
            self._end()
            self.begin(owns=True)
        elif self.is_open:
            self._inner(line)
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _inner(self, line: str) -> None:
        if count := _COUNT.match(line):
            self._counts[count[2]] = int(count[1])
            self._listing, self._current = count[2], None
        elif errors := _ERRORS.match(line):
            self._counts["errors"] = int(errors[1])
            self._listing, self._current = "errors", None
        elif self._listing and line.startswith("    ") and (listed := _LISTED.match(line)):
            self._bad |= {listed[1]} if self._listing in ("failed", "interrupted") else set()
        elif self._counts and line and not line[0].isspace() and not line.startswith("::"):
            self._end()
            return
        elif len(self._failed) < MOST_FAILED and (head := _HEAD.match(line)) and _TEST.match(head[2]):
            self._current = Section()
            self._failed[head[2]] = _Failed(head[2], self._current, self.at)
        elif _RETRY.match(line):
            # The first attempt has the whole error; which tests failed in the end is in the list.
            self._current = None
        elif self._current and (line.startswith("    ") or not line.strip()):
            self._current.feed(line)
        elif self._current and line:
            self._current = None
        if line.strip():
            self._last = self.at

    def _end(self) -> None:
        """Report the failures of a call that is open, and end it at the last line that is its own."""
        if not self.is_open:
            return
        for one in self._failed.values():
            if not self._counts or one.test in self._bad:
                self.report(_problem(one), SURE, one.at)
        for test in sorted(self._bad - set(self._failed)):
            self.report(_problem(_Failed(test, Section(), self._last)), SURE, self._last)
        now, self.at = self.at, self._last
        total = sum(self._counts.get(what, 0) for what in ("failed", "interrupted", "errors"))
        self.finish(self._counts, total if self._counts else None)
        self.at = now
        self._failed, self._current, self._counts, self._bad, self._listing = {}, None, {}, set(), ""


def _problem(one: _Failed) -> Problem:
    test = _TEST.match(one.test)
    if not test:
        return Problem(None, None, one.test, one.section.message, test=True)
    name = f"[{test[1]}] › {test[4]}" if test[1] else test[4]
    line = one.section.line_in(test[2]) or number(test[3])
    return Problem(test[2], line, name, one.section.message, test=True)
