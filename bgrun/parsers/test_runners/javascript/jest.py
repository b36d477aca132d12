"""Recognize jest: the sections of its failed tests under the name of each file, and its totals."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, WEAK, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section, is_same

_FILE = expression(r"^ ?(PASS|FAIL) +(\S.*?\.\w+)(?: \(\d[^()]*\))?$")
_GROUP = expression(r"^::group::Errors thrown in (\S.*)$")
_BULLET = expression(r"^  ● (\S.*)$")
_CONSOLE = expression(r"^    console\.\w+")
_SUITES = expression(r"^Test Suites: (?:(\d+) failed, )?(?:\d+ \w+, )*\d+(?: of \d+)? total$")
_TOTAL = expression(r"^Tests: +((?:\d+ \w+, )*)\d+ total$")
_COUNT = expression(r"(\d+) (\w+)")
_SYNTAX = expression(r"^    (?:SyntaxError: .*|.* - error TS\d+: .*)$")
_AT = expression(r"[(:](\d+):\d+\)?(?: - error .*)?$")
_THRESHOLD = expression(r"^Jest: (\S.* coverage threshold .*)$")
_INVALID = expression(r"^● (?:\S+ )?Validation Error:$")
_PRINTED = expression(r"^((?: {2}|\t)+)console\.(?:assert|count|debug|dir|error|info|log|timeLog|timeEnd|trace|warn)$")
_AFTER_TOTAL = "Snapshots: "
_CRASHED, _MODULE = "Test suite failed to run", "Jest encountered an unexpected token"


class _Failed(NamedTuple):
    """A failed test, or a file that could not be run; its position in the log."""

    file: str
    title: str
    section: Section
    at: int


class Jest(Parser):
    """jest from version 27 on, with the reporters `default`, `verbose` and `github-actions`."""

    name = "jest"
    stems = ("Validation Error:",)
    starts = (
        "PASS ",
        "FAIL ",
        "● ",
        "Test Suites: ",
        "Tests: ",
        r"console\.",
        "::group::Errors thrown in ",
        "Jest: ",
        "No tests found, exiting with code ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._file = ""
        self._failed: list[_Failed] = []
        self._suites: int | None = None
        self._total = ""
        self._frame = ""
        self._is_invalid = False

    def feed(self, line: str) -> bool:
        self._settle(line)
        if not line.strip() or self._is_shown(line):
            pass
        elif (file := _FILE.match(line)) or (file := _GROUP.match(line)):
            if not self.is_open:
                self.begin(owns=True, certainty=WEAK)
            self._file = file[2] if file.re.pattern == _FILE.pattern else file[1]
            if line.strip().startswith("PASS"):
                self._file = ""
        elif suites := _SUITES.match(line):
            self._suites, self._file = number(suites[1]) or 0, ""
            return True
        elif self._suites is not None and (total := _TOTAL.match(line)):
            self._total = total[1]
            return True
        elif self._file and len(self._failed) < MOST_FAILED and (bullet := _BULLET.match(line)):
            self._failed.append(_Failed(self._file, bullet[1], Section(), self.at))
        elif self._file and self._failed and line.startswith("    "):
            self._failed[-1].section.feed(line)
        else:
            return self._other(line)
        return bool(self._file or self.is_open or self._is_invalid)

    def findings(self) -> tuple[Findings, ...]:
        if self._total:
            self._end(self._total)
        self._report_all()
        return super().findings()

    def _settle(self, line: str) -> None:
        """Take a total that the line of the snapshots follows; another one is what a test printed."""
        if self._total and line.startswith(_AFTER_TOTAL):
            self._end(self._total)
        elif self._total:
            self._suites = None
        self._total = ""

    def _is_shown(self, line: str) -> bool:
        """Return whether a line is in a frame of what a test printed: its heading, or indented below that."""
        if self._frame and line.startswith(self._frame):
            return True
        frame = _PRINTED.match(line)
        self._frame = f"{frame[1]}  " if frame else ""
        if frame and not self.is_open:
            self.begin(owns=True, certainty=WEAK)
        if frame and self._failed and self._failed[-1].title == "Console":
            self._failed[-1].section.feed(line)  # by this it is known to be no test
        return frame is not None

    def _other(self, line: str) -> bool:
        """Read a line outside the sections."""
        if self._is_invalid:
            self._is_invalid = False
            self.report(Problem(None, None, None, line.strip(), phase="usage"), SURE)
        elif _INVALID.match(line):
            self._is_invalid = True
        elif threshold := _THRESHOLD.match(line):
            self._failed.append(_Failed("", threshold[1], Section(), self.at))
        elif line.startswith("No tests found, exiting with code 1"):
            self.report(Problem(None, None, None, line, phase="usage"), SURE)
        return self.is_open or self._is_invalid

    def _end(self, total: str) -> None:
        counts = {what: int(many) for many, what in _COUNT.findall(total)}
        self._report_all()
        crashed = sum(1 for one in self._found if one.problem.phase)
        failed = counts.get("failed", 0)
        lost = (self._suites or 0) - len({one.problem.file for one in self._found if one.problem.file})
        counts = {"failed": failed, "errors": crashed, **counts}
        self.finish(counts, max(failed + crashed, len(self._found) + max(0, lost)))
        self._suites = None

    def _report_all(self) -> None:
        """Report each test once: jest prints the sections of many files twice."""
        seen = set()
        for one in self._failed:
            if (one.file, one.title) not in seen and not _is_console(one):
                seen.add((one.file, one.title))
                self.report(_problem(one), SURE, one.at)
        self._failed, self._file = [], ""


def _is_console(one: _Failed) -> bool:
    first = next((line for line in one.section.lines if line.strip()), "")
    return one.title == "Console" and (not first or bool(_CONSOLE.match(first)))


def _problem(one: _Failed) -> Problem:
    if not one.file:
        return Problem(None, None, "coverage threshold", one.title, phase="coverage")
    file = _without_project(one.file, one.section)
    message, line = one.section.message, one.section.line_in(file)
    if one.title != _CRASHED:
        return Problem(file, line, one.title, message, test=True)
    if error := next((text for text in one.section.lines if _SYNTAX.match(text)), ""):
        message = error.strip()
        place = _AT.search(message)
        line = number(place[1]) if place else line
    return Problem(file, line, None, message, phase="collection", test=True)


def _without_project(file: str, section: Section) -> str:
    """Return the file without the name of its project, which jest prints before it."""
    first, blank, rest = file.partition(" ")
    if blank and not any(is_same(frame.file, file) for frame in section.frames):
        rest = rest.lstrip()
        if first and (not section.frames or any(is_same(frame.file, rest) for frame in section.frames)):
            return rest
    return file
