"""Recognize the tests that Gradle runs: those that failed, each with its exception, and the total of a task."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_RUN = expression(r"^Gradle Test Run \S+ > ")
_EXECUTOR = expression(r"^Gradle Test Executor \d+(?: > |$)")
_HEAD = expression(r"^(\S.*?) > (\S.*) FAILED$")
_THROWN = expression(r"^    ([a-zA-Z_][\w.$]+)(?:: (.*)| at ([\w$-]+\.\w+):(\d+))?$")
_FRAME = expression(r"^ {8}at (?:[\w.@-]+/+)*([\w.$]+)\.[\w$<>-]+\(([\w$-]+\.\w+):(\d+)\)$")
_TOTAL = expression(r"^(\d+) tests? completed(?:, (\d+) failed)?(?:, (\d+) skipped)?$")
_MOST_FRAMES = 50


class _Test:
    """A failed test: its class and name, what it threw, and its stack trace."""

    def __init__(self, group: str, name: str, thrown: re.Match[str], at: int) -> None:
        self.id = f"{group} > {name}"
        self.at = at
        self._group = group.partition(" > ")[0]
        self._message = f"{thrown[1]}: {thrown[2]}" if thrown[2] else thrown[1]
        self._frames = [("", thrown[3], thrown[4])] if thrown[3] else []

    def feed(self, line: str) -> None:
        if (frame := _FRAME.match(line)) and len(self._frames) < _MOST_FRAMES:
            self._frames.append((frame[1], frame[2], frame[3]))
        elif line.startswith("    ") and line.strip() and not self._frames and self._message.endswith(":"):
            self._message += f" {line.strip()}"

    @property
    def problem(self) -> Problem:
        simple = self._group.rpartition(".")[2].partition("$")[0]
        own = [one for one in self._frames if not one[0] or one[0].rpartition(".")[2].partition("$")[0] == simple]
        group, file, line = (own or self._frames[-1:] or [("", "", "")])[0]
        package = (group or self._group).rpartition(".")[0].replace(".", "/")
        path = f"{package}/{file}" if package and file else file
        return Problem(path or None, number(line), self.id, self._message, test=True)


class GradleTest(Parser):
    """Gradle 4 to 9 with JUnit 4, JUnit 5 and TestNG, in short and in full form. A file is relative to its sources."""

    name = "gradle-test"
    stems = (" FAILED",)
    starts = (r"\d[0-9]* tests? completed",)

    def __init__(self) -> None:
        super().__init__()
        self._head: tuple[str, str, int] | None = None
        self._tests: list[_Test] = []
        self._is_inside = False

    def feed(self, line: str) -> bool:
        named, self._head = self._head, None
        if named and (thrown := _THROWN.match(line)):
            if not self.is_open:
                now, self.at = self.at, named[2]
                self.begin(owns=True, certainty=LIKELY)
                self.at = now
            self._is_inside = len(self._tests) < MOST_FAILED
            if self._is_inside:
                self._tests.append(_Test(named[0], named[1], thrown, named[2]))
        elif self._is_inside and line.startswith("    "):
            self._tests[-1].feed(line)
        elif total := _TOTAL.match(line):
            self._end(total)
        else:
            self._is_inside = False
            if head := _HEAD.match(_EXECUTOR.sub("", _RUN.sub("", line))):
                self._head = (head[1], head[2], self.at)
        return self._is_inside or self._head is not None

    def findings(self) -> tuple[Findings, ...]:
        self._end(None)
        return super().findings()

    def _end(self, total: re.Match[str] | None) -> None:
        """End the tests of a task, by its total or, of a run that was cut off, without one."""
        for one in self._tests:
            self.report(one.problem, SURE if total else LIKELY, one.at)
        if total and (self._tests or total[2]):
            completed, failed, skipped = (int(many or 0) for many in total.groups())
            counts = {"failed": failed, "passed": completed - failed - skipped, "skipped": skipped}
            self.finish(counts, failed)
        elif self.is_open:
            self.close()
        self._tests, self._is_inside = [], False
