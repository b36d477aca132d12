"""Recognize the tests of Zig: `zig test`, which lists each one, and `zig build test`, which lists those that failed."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_RESULT = expression(r"^(\d+)/\d+ (\S.*?)\.\.\.(.*)$")
_FAIL = expression(r"^FAIL \((\w+)\)$")
_FAILED = expression(r"^error: '([^']+)' (failed|leaked): ?(.*)$")
_LEAKED = expression(r"^\[gpa\] \(err\): memory address \S+ leaked: ?$")
_FRAME = expression(r"^(\S[^:]*\.zig):(\d+):\d+: 0x[0-9a-f]+ in (\S.*) \([^()]+\)$")
_ERROR = expression(r"^ *(?:.*\W)?return error\.(\w+);")
_TOTAL = expression(r"^(\d+) passed; (\d+) skipped; (\d+) failed\.$")
_SUMMARY = expression(
    r"^Build Summary: .*?(\d+)/\d+ tests passed(?:; (\d+) skipped)?(?:; (\d+) failed)?(?:; (\d+) leaked)?\b"
)
_MOST_LINES = 4


class _Failed:
    """A test that failed or leaked memory, and what is said of it."""

    def __init__(self, id: str, at: int, *, is_leak: bool = False) -> None:
        self.id = id
        self.at = at
        self.is_leak = is_leak
        self.texts: list[str] = []
        self.error = ""
        self._frames: list[tuple[str, str, str]] = []

    def feed(self, line: str) -> None:
        """Read a line below it."""
        if frame := _FRAME.match(line):
            if len(self._frames) < MOST_FAILED:
                self._frames.append((frame[1], frame[2], frame[3]))
        elif self._frames:
            error = _ERROR.match(line)
            self.error = self.error or (error[1] if error else "")
        elif (text := line.strip("= ")) and len(self.texts) < _MOST_LINES:
            self.texts.append(text)

    @property
    def is_bare(self) -> bool:
        """Whether no stack trace follows it: a test may have printed it."""
        return not self._frames

    @property
    def problem(self) -> Problem:
        """Its place is in the test, else in the first function that is not of the library."""
        own = [one for one in self._frames if one[2].startswith("test.")]
        own += [one for one in self._frames if "/lib/std/" not in one[0]]
        file, line, _ = next(iter(own), (None, None, ""))
        message = "memory leaked" if self.is_leak else " ".join(self.texts) or self.error
        return Problem(file, number(line), self.id, message, phase="teardown" if self.is_leak else "", test=True)


class Zig(Parser):
    """The test runner of Zig 0.11 and later."""

    name = "zig"
    starts = (r"\d[0-9]*/[0-9]", "error: '", "Build Summary: ")

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[_Failed] = []
        self._running: _Failed | None = None
        self._current: _Failed | None = None
        self._name = ""

    def feed(self, line: str) -> bool:
        """Read a line: a result, one below a failure, or a total."""
        if result := _RESULT.match(line):
            return self._result(int(result[1]), result[2], result[3])
        if failed := _FAILED.match(line):
            self._open()
            self._current = _Failed(failed[1], self.at, is_leak=failed[2] == "leaked")
            self._keep(self._current, failed[3])
        elif not self.is_open:
            return False
        elif total := _TOTAL.match(line) or _SUMMARY.match(line):
            leaks = sum(1 for one in self._failed if one.is_leak)
            passed, skipped, bad = (int(many or 0) for many in total.group(1, 2, 3))
            self._report()
            self.finish({"failed": bad, "errors": leaks, "passed": passed, "skipped": skipped}, bad + leaks)
        elif self._running and (fail := _FAIL.match(line)):
            self._running.error = fail[1]
            self._current, self._running = self._running, None
            self._failed += [self._current] if len(self._failed) < MOST_FAILED else []
        elif _LEAKED.match(line) and self._name:
            self._current = _Failed(self._name, self.at, is_leak=True)
            self._keep(self._current, "")
        elif line in ("OK", "SKIP"):
            self._passed()
        elif one := self._running or self._current:
            one.feed(line)
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        """Return what was found, of a run that was killed too."""
        self._report()
        return super().findings()

    def _open(self) -> None:
        if not self.is_open:
            self.begin(owns=True, certainty=LIKELY)

    def _keep(self, one: _Failed, text: str) -> None:
        one.feed(text)
        self._failed += [one] if len(self._failed) < MOST_FAILED else []

    def _result(self, place: int, name: str, rest: str) -> bool:
        """Read the line of a test: its result, or the beginning of what it prints."""
        if place == 1:
            self._report()
            self.close()
            self._open()
        if not self.is_open:
            return False
        self._name, self._current = name, None
        self._running = _Failed(name, self.at) if rest not in ("OK", "SKIP") else None
        if fail := _FAIL.match(rest):
            self._running = None
            self._current = _Failed(name, self.at)
            self._current.error = fail[1]
            self._keep(self._current, "")
        elif self._running:
            self._running.feed(rest)
        return True

    def _passed(self) -> None:
        """Note that the test passed after all: what looked like its result is what it printed."""
        one = self._current
        if one and one.is_bare and not one.is_leak and one in self._failed:
            self._failed.remove(one)
        self._running = self._current = None

    def _report(self) -> None:
        for one in self._failed:
            self.report(one.problem, SURE if self.is_open else LIKELY, one.at)
        self._failed, self._running, self._current = [], None, None
