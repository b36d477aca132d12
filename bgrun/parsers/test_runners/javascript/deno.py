"""Recognize `deno test`: the list of errors, what does not compile, and its totals."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, WEAK, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section

_RUNNING = expression(r"^running \d+ tests? from \./")
_ITEM = expression(r"^(\S.*) => (?:\./)?(\S.*):(\d+):\d+$")
_UNLOADED = expression(r"^(?:\./)?(\S.*) \(uncaught error\)$")
_TOTAL = expression(
    r"^(?:FAILED|ok) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?"
    r"(?: \| (\d+) ignored(?: \(\d+ steps?\))?)?(?: \| \d+ \w+(?: \w+)?)* \(\d"
)
_FENCE = expression(r"^(?:-{4,} (?:post-test )?output (end )?-{4,})$")
_TYPE = expression(r"^(TS\d+) \[(ERROR|WARNING)\]: (\S.*)$")
_AT = expression(r"^ +at (?:file://)?(\S.*):(\d+):\d+$")
_CARET = expression(r"^\s*[\^~]+$")


class _Failed:
    """An item of the list of errors."""

    def __init__(self, name: str, file: str, declared: str, at: int) -> None:
        self.name = name
        self.file = file
        self.at = at
        self._declared = number(declared)
        self._section = Section()

    def feed(self, line: str) -> None:
        # A blank line ends the message: the code follows.
        if line and not _CARET.match(line):
            self._section.feed(line.removeprefix("error: "))

    @property
    def problem(self) -> Problem:
        line = self._section.line_in(self.file) or self._declared
        phase = "" if self.name else "collection"
        message = self._section.message.removeprefix("Error: ")
        return Problem(self.file, line, self.name or None, message, phase=phase, test=True)


class Deno(Parser):
    """deno test, with the reporters `pretty` and `dot`."""

    name = "deno"
    starts = ("ERRORS", "FAILURES", r"running \d[0-9]* test", r"FAILED \| ", r"ok \| ", r"TS\d")

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[_Failed] = []
        self._part = ""
        self._is_output = False
        self._type: tuple[re.Match[str], int] | None = None

    def feed(self, line: str) -> bool:
        if fence := _FENCE.match(line):
            self._is_output = not fence[1]
        elif self._is_output:
            pass
        elif _RUNNING.match(line):
            self._open()
        elif line == " ERRORS ":
            self._open()
            self._part, self._failed = "errors", []
        elif line == " FAILURES ":
            self._part = "failures"
        elif self.is_open and (total := _TOTAL.match(line)):
            self._end(total)
        elif kind := _TYPE.match(line):
            self._type = (kind, self.at)
        elif self._type and (place := _AT.match(line)):
            self._untyped(*self._type, place)
        elif self._part == "errors":
            self._listed(line)
        return self.is_open or self._type is not None

    def findings(self) -> tuple[Findings, ...]:
        self._end(None)
        return super().findings()

    def _open(self) -> None:
        if not self.is_open:
            self.begin(owns=True, certainty=WEAK)

    def _listed(self, line: str) -> None:
        if len(self._failed) >= MOST_FAILED:
            return
        if item := _ITEM.match(line):
            self._failed.append(_Failed(item[1].replace(" ... ", " > "), item[2], item[3], self.at))
        elif unloaded := _UNLOADED.match(line):
            self._failed.append(_Failed("", unloaded[1], "", self.at))
        elif self._failed:
            self._failed[-1].feed(line)

    def _untyped(self, kind: re.Match[str], at: int, place: re.Match[str]) -> None:
        severity = kind[2].lower()
        self.report(Problem(place[1], number(place[2]), kind[1], kind[3], severity, phase="build"), LIKELY, at)
        self._type = None

    def _end(self, total: re.Match[str] | None) -> None:
        """End a call that is open, by its total or, of a run that was cut off, without one."""
        for one in self._failed:
            self.report(one.problem, SURE, one.at)
        if total:
            passed, failed, ignored = (int(many or 0) for many in total.groups())
            errors = sum(1 for one in self._found if one.problem.phase)
            # Of a test with steps each step that failed is an item, and the test is none.
            failed = max(failed, len(self._failed)) - errors
            self.finish({"failed": failed, "errors": errors, "passed": passed, "skipped": ignored}, failed + errors)
        elif self.is_open:
            self.close()
        self._failed, self._part, self._is_output = [], "", False
