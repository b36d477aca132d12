"""Recognize unittest, and runners that print as it does, such as Django's."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem

_RULE, _THIN = "=" * 70, "-" * 70
_HEAD = expression(r"^(ERROR|FAIL|UNEXPECTED SUCCESS): (\S+) \(([^)]+)\) ?(.*)$")
_FRAME = expression(r'^  File "([^"]+)", line (\d+), in (.+)$')
_RAN = expression(r"^Ran (\d+) tests? in [\d.]+s$")
_RESULT = expression(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$")
_COUNT = expression(r"([a-z ]+)=(\d+)")
_NAMES = {"failures": "failed", "expected failures": "xfailed", "unexpected successes": "xpassed"}
_FIXTURES = ("setUpClass", "tearDownClass", "setUpModule", "tearDownModule")
_DIFFERENCE = ("- ", "+ ", "? ")
_MOST_MORE = 5
"""How many lines after the first one of a message are read."""
_LOADER = "unittest.loader._FailedTest"


class _Test:
    """The section of a test that failed."""

    def __init__(self, kind: str, name: str, path: str, part: str, at: int) -> None:
        self.kind = kind
        self.name = name
        self.path = path
        self.part = part
        self.at = at
        self.frames: list[tuple[str, int, str]] = []
        self.error = ""
        self._is_traceback = False
        self._more = 0

    def feed(self, line: str) -> None:
        if line == "Traceback (most recent call last):":
            # Of a chain of exceptions the last one counts.
            self.frames, self.error, self._is_traceback = [], "", True
        elif not self._is_traceback:
            self._rest(line)
        elif frame := _FRAME.match(line):
            self.frames.append((frame[1], int(frame[2][:9]), frame[3]))
        elif line and not line[0].isspace():
            self.error, self._is_traceback, self._more = line, False, _MOST_MORE

    def _rest(self, line: str) -> None:
        """Read a line after the first one of a message: a difference, or a blank line, ends it."""
        self._more = self._more - 1 if line.strip() and not line.startswith(_DIFFERENCE) else 0
        if self._more > 0:
            self.error = f"{self.error} {line.strip()}"

    @property
    def id(self) -> str:
        """Return the name with which unittest runs this test; Python names it in two ways."""
        if self.name in _FIXTURES:
            return self.path
        if self.path.startswith(_LOADER):
            return self.name
        return self.path if self.path.endswith(f".{self.name}") else f"{self.path}.{self.name}"

    def problem(self) -> Problem:
        own = [frame for frame in self.frames if frame[2].rpartition(".")[2] == self.name]
        outside = [frame for frame in self.frames if "/unittest/" not in frame[0]]
        file, line = next(((path, line) for path, line, _ in reversed(own or outside or self.frames)), (None, None))
        fixture = self.name if self.name in _FIXTURES else "collection" if self.path.startswith(_LOADER) else ""
        message = self.error or self.kind.lower()
        return Problem(file, line, self.id, message, phase=fixture or self.part, test=True)


class Unittest(Parser):
    """unittest in quiet and verbose style, with subtests and fixtures of classes and modules."""

    name = "unittest"
    starts = ("FAIL: ", "ERROR: ", "UNEXPECTED SUCCESS: ", "Ran ")
    context = 1

    def __init__(self) -> None:
        super().__init__()
        self._tests: list[_Test] = []
        self._before = ""
        self._ran: int | None = None

    def feed(self, line: str) -> bool:
        before, self._before = self._before, line
        head = _HEAD.match(line) if before == _RULE else None
        if head:
            if not self.is_open:
                self.begin(owns=True)
            self._tests.append(_Test(head[1], head[2], head[3], head[4], self.at))
        elif before == _THIN and (ran := _RAN.match(line)):
            self._ran = int(ran[1][:9])
        elif self._ran is not None:
            if result := _RESULT.match(line):
                self._end(result[1] or "", self._ran)
            elif line:
                self._ran = None
        elif self._tests:
            self._tests[-1].feed(line)
        return bool(self._tests) or self._ran is not None or line == _RULE

    def findings(self) -> tuple[Findings, ...]:
        self._report_all()
        return super().findings()

    def _end(self, text: str, ran: int) -> None:
        bodies = {test.id for test in self._tests if test.name not in _FIXTURES}
        counts = {_NAMES.get(what.strip(), what.strip()): int(number) for what, number in _COUNT.findall(text)}
        others = sum(counts.get(what, 0) for what in ("skipped", "xfailed", "xpassed"))
        passed = max(0, ran - len(bodies) - others)
        total = sum(counts.get(what, 0) for what in ("failed", "errors", "xpassed"))
        self._report_all()
        self.finish({**counts, "passed": passed}, total)
        self._ran = None

    def _report_all(self) -> None:
        for test in self._tests:
            self.report(test.problem(), SURE, test.at)
        self._tests = []
