"""Recognize the reporters `spec` and `dot` of `node --test`: the list of failed tests at the end, and the totals."""

from __future__ import annotations

import re
from typing import NamedTuple

from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section, is_same

_LIVE = re.compile(r"^( *)(▶|✖) (\S.*?)(?: \(\d[\d.]*ms\))?$")
_TOTAL = re.compile(r"^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) (\d+)(?:\.\d+)?$")
_LIST = re.compile(r"^(?:✖ failing tests|Failed tests):$")
_PLACE = re.compile(r"^test at (\S.*):(\d+):\d+$")
_HEAD = re.compile(r"^[✖⚠] (\S.*?)(?: \(\d[\d.]*ms\))?( # (?:TODO|SKIP).*)?$")
_ERROR = re.compile(r"^(?:Uncaught )?\w*Error(?: \[\w+\])?: .+$")
_WORDS = {"fail": "failed", "pass": "passed", "cancelled": "cancelled", "skipped": "skipped", "todo": "todo"}
_PARENT = re.compile(r"^'\d+ subtests? failed'$")
_FILE_FAILED = "'test failed'"
_MOST_LIVE = 10_000


class _Failed(NamedTuple):
    """A section of the list: the place and the name of a test, and its position in the log."""

    place: tuple[str, int | None] | None
    name: str
    section: Section
    at: int


class _Live:
    """What was printed while the tests ran: the tree of suites and tests, and why a file could not be run."""

    def __init__(self) -> None:
        self.tests: list[tuple[str, ...]] = []
        self.suites: set[tuple[str, ...]] = set()
        self.errors: dict[str, str] = {}
        self._path: list[tuple[int, str]] = []
        self._error = ""

    def feed(self, line: str) -> None:
        """Read a line of the tree, or of another program's error."""
        if found := _LIVE.match(line):
            self._add(len(found[1]), found[2], found[3])
        elif _ERROR.match(line):
            self._error = line

    def _add(self, indent: int, mark: str, name: str) -> None:
        while self._path and self._path[-1][0] >= indent:
            self._path.pop()
        if mark == "▶":
            self._path.append((indent, name))
            if len(self.suites) < _MOST_LIVE:
                self.suites.add(tuple(one for _, one in self._path))
        elif len(self.tests) < _MOST_LIVE:
            self.tests.append((*(one for _, one in self._path), name))
            if self._error:
                self.errors[name] = self._error
        self._error = ""

    def path(self, name: str) -> tuple[str, ...]:
        """Return the suites and the name of the next test with a name, which the list does not repeat."""
        found = next((path for path in self.tests if path[-1] == name), (name,))
        if found in self.tests:
            self.tests.remove(found)
        return found


class Node(Parser):
    """node --test from version 18 on, with the reporters `spec` and `dot`."""

    name = "node"
    stems = ("▶ ", "✖ ", "ℹ ", "Error: ", "Failed tests:")

    def __init__(self) -> None:
        super().__init__()
        self._live = _Live()
        self._counts: dict[str, int] = {}
        self._failed: list[_Failed] = []
        self._place: tuple[str, int | None] | None = None
        self._is_listing = False
        self._last = 0

    def feed(self, line: str) -> bool:
        if self._is_listing:
            self._listed(line)
        elif _LIST.match(line):
            self._open()
            self._is_listing = True
        elif total := _TOTAL.match(line):
            self._open()
            if total[1] in _WORDS:
                self._counts[_WORDS[total[1]]] = int(total[2])
        else:
            self._end()
            self._live.feed(line)
        return self._is_listing

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _open(self) -> None:
        if not self.is_open:
            self.begin(owns=True)
        self._last = self.at

    def _listed(self, line: str) -> None:
        """Read a line of the list of failed tests."""
        if place := _PLACE.match(line):
            self._place = (place[1], number(place[2]))
        elif len(self._failed) < MOST_FAILED and (head := _HEAD.match(line)):
            self._failed.append(_Failed(self._place, "" if head[2] else head[1], Section(), self.at))
            self._place = None
        elif line and not line[0].isspace():
            self._end()
            self.feed(line)
            return
        elif self._failed:
            self._failed[-1].section.feed(line)
        if line:
            self._last = self.at

    def _end(self) -> None:
        """Report the failures of a call that is open, and end it at the last line that is its own."""
        if not self.is_open:
            return
        for one in self._failed:
            # A name that is left out is that of a test that may fail.
            if one.name and not _PARENT.match(one.section.message):
                self.report(_problem(one, self._live), SURE, one.at)
        now, self.at = self.at, self._last
        suites = sum(1 for one in self._found if one.problem.phase == "setup")
        total = self._counts.get("failed", 0) + self._counts.get("cancelled", 0) + suites
        self.finish(self._counts, total if self._counts else None)
        self.at = now
        self._live, self._counts, self._failed = _Live(), {}, []
        self._is_listing, self._place = False, None


def _problem(one: _Failed, live: _Live) -> Problem:
    section = one.section
    message = section.message.strip("'")
    frame = next(iter(reversed(section.own_frames)), None)
    file, declared = one.place or ((frame.file, frame.line) if frame else (None, None))
    if file and section.message == _FILE_FAILED and is_same(one.name, file):
        why = live.errors.get(one.name, message)
        return Problem(file, None, None, why, phase="collection", test=True)
    path = live.path(one.name)
    line = (section.line_in(file) if file else None) or declared
    return Problem(file, line, " > ".join(path), message, phase="setup" if path in live.suites else "", test=True)
