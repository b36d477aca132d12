"""Recognize Karma: the tests that failed in each browser, and how many each has executed."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section

_BROWSER = r"([A-Z][^()]{1,60} \d[\d.]{0,30} \([^()]{1,60}\))"
_HEAD = expression(rf"^{_BROWSER} (\S.*) FAILED$")
_ERROR = expression(rf"^{_BROWSER} ERROR$")
_TOTAL = expression(
    rf"^{_BROWSER}: Executed (\d+) of \d+ (?:\((\d+) FAILED\)|SUCCESS|ERROR|DISCONNECTED)?(?: ?\(skipped (\d+)\))?"
)
_THROWN = expression(r"^(?:Uncaught )?(\w*Error: .*?)(?: thrown)?$")


class _Failed(NamedTuple):
    """A test that failed, or a browser that did (without a title), and what is said of it."""

    browser: str
    title: str
    at: int
    section: Section


class Karma(Parser):
    """Karma from version 3 on, with its reporters `progress` and `dots`, whatever framework the tests use."""

    name = "karma"
    stems = (" FAILED", ") ERROR")

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[_Failed] = []
        self._totals: dict[str, tuple[int, int, int]] = {}
        self._is_inside = False
        self._end = 0

    def feed(self, line: str) -> bool:
        """Read a line: the heading of a failure, one below it, or a total."""
        if self._is_inside and line.startswith(("\t", "  ")):
            self._failed[-1].section.feed(line.strip("\t").replace("at UserContext.", "at ", 1))
        elif found := _HEAD.match(line) or _ERROR.match(line):
            self._is_inside = len(self._failed) < MOST_FAILED
            title = found[2] if found.re.pattern == _HEAD.pattern else ""
            self._failed += [_Failed(found[1], title, self.at, Section())] if self._is_inside else []
        else:
            self._is_inside = False
            if not (total := _TOTAL.match(line)):
                return False
            executed, failed, skipped = (int(many or 0) for many in total.group(2, 3, 4))
            if executed < self._totals.get(total[1], (0, 0, 0))[0]:
                self._close_call()  # another run
            self._totals[total[1]] = executed, failed, skipped
        self._end = self.at
        return self._is_inside

    def findings(self) -> tuple[Findings, ...]:
        """Return what was found; the last total of each browser counts."""
        self._close_call()
        return super().findings()

    def _close_call(self) -> None:
        """Report the failures of a run, if a total shows that it is one."""
        if self._totals and self._failed:
            now, self.at = self.at, self._failed[0].at
            self.begin(owns=True)
            for one in self._failed:
                self.report(self._problem(one), SURE, one.at)
            self.at = self._end
            executed, failed, skipped = (sum(many) for many in zip(*self._totals.values(), strict=True))
            errors = sum(1 for one in self._failed if not one.title)
            counts = {"failed": failed, "errors": errors, "passed": executed - failed, "skipped": skipped}
            self.finish(counts, failed + errors)
            self.at = now
        self._failed, self._totals, self._is_inside = [], {}, False

    def _problem(self, one: _Failed) -> Problem:
        frame = next(iter(reversed(one.section.own_frames)), None)
        line = one.section.line_in(frame.file) if frame else None
        lines = [text.strip() for text in one.section.lines if text.strip()]
        thrown = _THROWN.match(lines[0]) if lines else None
        message = thrown[1] if thrown else one.section.message
        where = f" [{one.browser}]" if len(self._totals) > 1 else ""
        file = frame.file if frame else None
        phase = "" if one.title else "exit"
        return Problem(file, line, f"{one.title}{where}" if one.title else None, message, phase=phase, test=True)
