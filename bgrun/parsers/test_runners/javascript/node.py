"""Recognize the reporters `spec` and `dot` of `node --test`: the list of failed tests at the end, and the totals."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section, is_foreign, is_same

_LIVE = expression(r"^( *)(▶|✖) (\S.*?)(?: \(\d[\d.]*ms\))?$")
_TOTAL = expression(r"^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) (\d+)(?:\.\d+)?$")
_LIST = expression(r"^(?:✖ failing tests|Failed tests):$")
_PLACE = expression(r"^test at (?:file:(?://)?)?(\S.*):(\d+):\d+$")
_HEAD = expression(r"^[✖⚠] (\S.*?)(?: \(\d[\d.]*ms\))?( # (?:TODO|SKIP).*)?$")
_ERROR = expression(r"^(?:Uncaught )?\w*Error(?: \[\w+\])?: .+$")
_WORDS = {"fail": "failed", "pass": "passed", "cancelled": "cancelled", "skipped": "skipped", "todo": "todo"}
_MAY_FAIL = expression(r" # (?:TODO|SKIP)\b")
_PARENT = expression(r"^'\d+ subtests? failed'$")
_FILE_FAILED = "'test failed'"
_MOST_LIVE = 10_000


class _Failed(NamedTuple):
    """A section of the list: the place and the name of a test, and its position in the log.

    in_test: whether the error was thrown in a test, and not in a hook of a suite.
    """

    place: tuple[str, int | None] | None
    name: str
    section: Section
    at: int
    in_test: bool = False


class _Block(NamedTuple):
    """A suite or a test with tests within it, while these are printed."""

    indent: int
    name: str
    has_failed: bool = False


class _Live:
    """What was printed while the tests ran: the tree of suites and tests, and why a file could not be run.

    leaves: the names of tests without tests within them that failed.
    parents: the paths of the suites and tests within which a test failed.
    """

    def __init__(self) -> None:
        self._tests: list[tuple[str, ...]] = []
        self._ends: list[tuple[str, ...]] = []
        self.suites: set[tuple[str, ...]] = set()
        self.leaves: list[str] = []
        self.parents: list[tuple[str, ...]] = []
        self.errors: dict[str, str] = {}
        self._open: list[_Block] = []
        self._error = ""

    def feed(self, line: str) -> None:
        """Read a line of the tree, or of another program's error."""
        if found := _LIVE.match(line):
            self._add(len(found[1]), found[2], found[3])
        elif _ERROR.match(line):
            self._error = line

    def _add(self, indent: int, mark: str, name: str) -> None:
        last = None
        while self._open and self._open[-1].indent >= indent:
            last = self._open.pop()
        path = (*(one.name for one in self._open), name)
        if mark == "▶":
            self._open.append(_Block(indent, name))
            if len(self.suites) < _MOST_LIVE:
                self.suites.add(path)
        else:
            is_end = last is not None and (last.indent, last.name) == (indent, name)
            kept = self._ends if is_end else self._tests
            if len(kept) < _MOST_LIVE:
                kept.append(path)
                if self._error:
                    self.errors[name] = self._error
                if not is_end and not _MAY_FAIL.search(name):
                    self._failed(name)
        self._error = ""

    def _failed(self, name: str) -> None:
        self.leaves.append(name)
        for place, one in enumerate(self._open):
            if not one.has_failed:
                self._open[place] = one._replace(has_failed=True)
                self.parents.append(tuple(above.name for above in self._open[: place + 1]))

    def path(self, name: str) -> tuple[str, ...]:
        """Return the suites and the name of the next test with a name, which the list does not repeat."""
        for paths in (self._tests, self._ends):
            if found := next((path for path in paths if path[-1] == name), None):
                paths.remove(found)
                return found
        return (name,)


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
            self._place = None if is_foreign(place[1]) else (place[1], number(place[2]))
        elif len(self._failed) < MOST_FAILED and (head := _HEAD.match(line)):
            self._failed.append(_Failed(self._place, "" if head[2] else head[1], Section(), self.at))
            self._place = None
        elif line and not line[0].isspace():
            self._end()
            self.feed(line)
            return
        elif self._failed:
            self._failed[-1].section.feed(line)
            if "at TestContext." in line or "at async TestContext." in line:
                self._failed[-1] = self._failed[-1]._replace(in_test=True)
        if line:
            self._last = self.at

    def _end(self) -> None:
        """Report the failures of a call that is open, and end it at the last line that is its own."""
        if not self.is_open:
            return
        failed = [one for one in self._failed if not _PARENT.match(one.section.message)]
        parents = _most_parents(self._live, failed)
        for one in failed:
            # A name that is left out is that of a test that may fail.
            if one.name:
                self.report(_problem(one, self._live), SURE, one.at)
        now, self.at = self.at, self._last
        suites = sum(1 for one in self._found if one.problem.phase == "setup")
        total = self._counts.get("failed", 0) + self._counts.get("cancelled", 0) + suites
        if parents is not None and 0 <= total - len(self._found) <= parents:
            total = len(self._found)
        self.finish(self._counts, total if self._counts else None)
        self.at = now
        self._live, self._counts, self._failed = _Live(), {}, []
        self._is_listing, self._place = False, None


def _most_parents(live: _Live, listed: list[_Failed]) -> int | None:
    """Return how many tests may have failed only through tests within them, or None if one of these is not listed.

    Node counts such a parent with the failed tests and leaves it out of the list: it is recognized through the tests
    within it. The tree shows it like a suite (`describe`), which is not counted: so this is the most there may be.
    """
    names = Counter(one.name for one in listed)
    if Counter(live.leaves) - names:
        return None
    own = names - Counter(live.leaves)
    return sum((Counter(path[-1] for path in live.parents) - own).values())


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
    phase = "setup" if path in live.suites and not one.in_test else ""
    return Problem(file, line, " > ".join(path), message, phase=phase, test=True)
