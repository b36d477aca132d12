"""Recognize mocha: the numbered sections after its totals."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section

_PASSING = expression(r"^  (\d+) passing \(\d+\w+\)$")
_COUNT = expression(r"^  (\d+) (pending|failing)$")
_HEAD = expression(r"^  (\d+)\) (\S.*)$")
_TITLE = expression(r"^ {7,}(\S.*)$")
_HOOK = expression(r'^(.*)"(before all|before each|after all|after each)" hook\b')
_CRASH = expression(r"^ (?:Exception during run|Error): (\S.*)$")
_SYNTAX = expression(r"^(/\S.*|file://\S.*):(\d+)$")
_WORDS = {"passing": "passed", "pending": "skipped", "failing": "failed"}


class _Failed(NamedTuple):
    """A numbered section: its title, and its position in the log."""

    title: list[str]
    section: Section
    at: int


class Mocha(Parser):
    """mocha from version 8 on, with the reporters `spec`, `dot` and the like, which print the failures at the end."""

    name = "mocha"
    stems = (" Exception during run: ",)
    starts = (r"\d[0-9]* passing \(",)

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}
        self._failed: list[_Failed] = []
        self._is_in_title = False
        self._is_crashed = False
        self._last = 0

    def feed(self, line: str) -> bool:
        if passing := _PASSING.match(line):
            self._end()
            self.begin(owns=True)
            self._counts = {"passed": int(passing[1])}
        elif not self.is_open and (crash := _CRASH.match(line)):
            self.begin(owns=True)
            self._is_crashed = True
            self._failed.append(_Failed([], Section(), self.at))
            self._failed[-1].section.feed(crash[1])
        elif self.is_open:
            self._inner(line)
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _inner(self, line: str) -> None:
        """Read a line after the totals."""
        if not self._failed and (count := _COUNT.match(line)):
            self._counts[_WORDS[count[2]]] = int(count[1])
        elif not self._is_crashed and (head := _HEAD.match(line)) and self._is_next(int(head[1][:9])):
            self._failed.append(_Failed([head[2]], Section(), self.at))
            self._is_in_title = not head[2].endswith(":")
        elif self._is_in_title and (title := _TITLE.match(line)):
            self._failed[-1].title.append(title[1])
            self._is_in_title = not title[1].endswith(":")
        elif line and not line[0].isspace() and self._is_complete:
            self._end()
            return
        elif self._failed:
            self._failed[-1].section.feed(line)
        if line:
            self._last = self.at

    def _is_next(self, number: int) -> bool:
        return number == len(self._failed) + 1 and number <= MOST_FAILED

    @property
    def _is_complete(self) -> bool:
        """Whether the failures that mocha counted have been read, the last one to its stack trace."""
        if len(self._failed) < self._counts.get("failed", 0):
            return False
        return not self._failed or bool(self._failed[-1].section.frames)

    def _end(self) -> None:
        """Report the failures of a call that is open, and end it at the last line that is its own."""
        if not self.is_open:
            return
        for one in self._failed:
            self.report(_crash(one) if self._is_crashed else _problem(one), SURE, one.at)
        now, self.at = self.at, self._last
        counts = {"failed": 0, **self._counts}
        self.finish({} if self._is_crashed else counts, None if self._is_crashed else counts["failed"])
        self.at = now
        self._counts, self._failed, self._is_crashed = {}, [], False


def _problem(one: _Failed) -> Problem:
    title = " ".join(one.title).removesuffix(":")
    frame = next(iter(reversed(one.section.own_frames)), None)
    file = frame.file if frame else None
    line = one.section.line_in(file) if file else None
    hook = _HOOK.match(title)
    phase = "" if not hook else "setup" if hook[2].startswith("before") else "teardown"
    return Problem(file, line, title, one.section.message, phase=phase, test=True)


def _crash(one: _Failed) -> Problem:
    lines = one.section.lines
    if lines and (place := _SYNTAX.match(lines[0])):
        error = next((line for line in lines if "Error" in line.partition(":")[0]), lines[0])
        return Problem(place[1].removeprefix("file://"), int(place[2][:9]), None, error, phase="collection")
    frame = next(iter(one.section.own_frames), None)
    file, line = (frame.file, frame.line) if frame else (None, None)
    return Problem(file, line, None, one.section.message, phase="collection")
