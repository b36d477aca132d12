"""Recognize minitest, also as Rails runs it, and the gem test-unit with the same total."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_RUNNING = expression(r"^(?:# Running(?: tests(?: with run options .*)?)?:|Run options: .*)$")
_TOTAL = expression(r"^(\d+) (?:runs|tests), \d+ assertions, (\d+) failures, (\d+) errors, (\d+) skips$")
_KIND = expression(r"^(?:  \d+\) )?(Failure|Error|Skipped):$")
_FAILURE = expression(r"^(\S.*?) \[([^\]]*):(\d+)\]:$")
_ERROR = expression(r"^(\S.*):$")
_FRAME = expression(r"^ {4}(\S[^:]*):(\d+):in .+$")
_MOST_LINES = 12


class _Section:
    """The section of a failure."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind = kind
        self.at = at
        self.id = ""
        self.is_over = False
        self._file: str | None = None
        self._line: int | None = None
        self._message: list[str] = []
        self._frames: list[tuple[str, int | None]] = []

    def feed(self, line: str) -> None:
        if not self.id:
            failure, error = _FAILURE.match(line), _ERROR.match(line)
            if failure:
                self._file, self._line = failure[2], number(failure[3])
            self.id = failure[1] if failure else error[1] if error else ""
            self.is_over = not self.id
        elif frame := _FRAME.match(line):
            if "/gems/" not in frame[1] and len(self._frames) < _MOST_LINES:
                self._frames.append((frame[1], number(frame[2])))
        elif not line.strip():
            self.is_over = True
        elif len(self._message) < _MOST_LINES:
            self._message.append(line.strip())

    @property
    def problem(self) -> Problem:
        file, line = self._file, self._line
        if not file and self._frames:
            # The outermost frame is that of the test.
            file = self._frames[-1][0]
            line = next(at for path, at in self._frames if path == file)
        return Problem(file, line, self.id, " ".join(self._message[:4]), test=True)


class Minitest(Parser):
    """minitest 5, with and without `--verbose`, also behind rake and Rails."""

    name = "minitest"
    starts = (
        "# Running",
        "Run options: ",
        r"\d[0-9]* (?:runs|tests), ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._sections: list[_Section] = []
        self._is_finished = False

    def feed(self, line: str) -> bool:
        if _RUNNING.match(line):
            if not self.is_open:
                self.begin(owns=True)
        elif not self.is_open:
            return False
        elif self._is_finished and (total := _TOTAL.match(line)):
            self._end([int(many) for many in total.groups()])
        elif line.startswith("Finished in "):
            self._is_finished = True
        elif (kind := _KIND.match(line)) and (self._is_finished or not line.startswith(" ")):
            if len(self._sections) < MOST_FAILED:
                self._sections.append(_Section(kind[1], self.at))
        elif self._sections and not self._sections[-1].is_over:
            self._sections[-1].feed(line)
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _end(self, total: list[int] | None = None) -> None:
        if not self.is_open:
            return
        for section in self._sections:
            if section.id and section.kind != "Skipped":
                self.report(section.problem, SURE, section.at)
        if total:
            runs, failures, errors, skips = total
            counts = {
                "failed": failures,
                "errors": errors,
                "passed": runs - failures - errors - skips,
                "skipped": skips,
            }
            self.finish(counts, failures + errors)
        else:
            self.finish()
        self._sections, self._is_finished = [], False
