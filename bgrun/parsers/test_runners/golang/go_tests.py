"""Collect the tests of one Go package from its output: which failed, where, and why. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import Problem, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_LOG = expression(r"^ +([^\s:][^:]*\.go):(\d+): ?(.*)$")
_FRAME = expression(r"^\t(\S.*\.go):(\d+)(?: \+0x[0-9a-f]+)?$")
_FUNCTION = expression(r"^\S*\.((?:Test|Fuzz|Example)\w*)(?:\.func\S*)?\(")
_RUNNING = expression(r"^\t+((?:Test|Fuzz|Example)\S*) \(\d.*s\)$")
_PANIC = expression(r"^(panic|fatal error): (\S.*)$")
_LIBRARY = expression(r"/src/(?:runtime|testing|time|os|sync|net|reflect|internal|vendor)/")
_SAID = expression(
    r"\b(?:got|want|wanted|expected?|error|err|fail|failed|mismatch|unexpected|not|cannot|invalid|missing|no)\b|[!=]=",
    re.IGNORECASE,
)
_TESTIFY = expression(r"^(Error Trace|Error|Test|Messages):\s*(.*)$")
_MOST_LINES = 30
_MOST_LOGGED = 200


class _Logged(NamedTuple):
    """What a test logged in one line of its source, or why it failed: `is_error` says which, if Go does."""

    file: str
    line: int | None
    text: list[str]
    is_error: bool | None = None

    @property
    def message(self) -> str:
        text = [line.strip() for line in self.text if line.strip()]
        if not any(_TESTIFY.match(line) for line in text):
            return " ".join(text[:4])
        part, found = "", []
        for line in text:
            if key := _TESTIFY.match(line):
                part, line = key[1], key[2]  # noqa: PLW2901
            if part == "Error" and line:
                found.append(line)
        return " ".join(found[:4])


class _Test:
    """A test: its state, and what it logged."""

    def __init__(self) -> None:
        self.state = ""
        self.logged: list[_Logged] = []

    def feed(self, line: str, is_error: bool | None = None) -> None:
        if not line.startswith("    "):
            return
        if found := _LOG.match(line):
            if len(self.logged) < _MOST_LOGGED:
                self.logged.append(_Logged(found[1], number(found[2]), [found[3]], is_error))
        elif self.logged and line.startswith("        ") and len(self.logged[-1].text) < _MOST_LINES:
            self.logged[-1].text.append(line)

    def said(self) -> tuple[str | None, int | None, str]:
        """Return where and why the test failed; of one that logged only, the file is known."""
        if reason := self._reason():
            return reason.file, reason.line, reason.message
        return next((one.file for one in self.logged), None), None, ""

    def _reason(self) -> _Logged | None:
        """The first error, where Go tells it from a log (`-json` since 1.27).

        Else the first line that sounds like one, else the last line: a fatal one ends the test.
        """
        if any(one.is_error is not None for one in self.logged):
            return next((one for one in self.logged if one.is_error), None)
        spoken = [one for one in self.logged if _SAID.search(one.message)]
        return next(iter(spoken or self.logged[-1:]), None)


_PASSED = _Test()
"""Stands for each test that passed while nobody looked."""
_PASSED.state = "pass"


class _Panic:
    """A panic, and where."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_real = False
        self.running: list[str] = []
        self.function = ""
        self.frames: list[tuple[str, int | None]] = []

    def feed(self, line: str) -> None:
        if line.startswith("goroutine ") and line.endswith("]:"):
            self.is_real = True
        elif running := _RUNNING.match(line):
            self.running.append(running[1])
        elif function := _FUNCTION.match(line):
            self.function = self.function or function[1]
        elif (frame := _FRAME.match(line)) and len(self.frames) < _MOST_LOGGED and not _LIBRARY.search(frame[1]):
            self.frames.append((frame[1], number(frame[2])))

    @property
    def place(self) -> tuple[str | None, int | None]:
        tests = [frame for frame in self.frames if frame[0].endswith("_test.go")]
        return next(iter(tests or self.frames), (None, None))


class Package:
    """The tests of a package, whose name comes last.

    is_verbose: whether each test is announced (`-v`, `-json`), so that one that was not is only printed.
    """

    def __init__(self, at: int) -> None:
        self.start = at
        self.is_verbose = False
        self.exit = ""
        self._tests: dict[str, _Test] = {}
        self._at: dict[str, int] = {}
        self._current = ""
        self._panic: _Panic | None = None

    def run(self, name: str) -> None:
        """Note that a test runs, or continues."""
        self.is_verbose = True
        self._of(name)
        self._current = name

    def _of(self, name: str) -> _Test:
        test = self._tests.get(name)
        if test is None or test is _PASSED:
            test = self._tests[name] = _Test()
        return test

    @property
    def may_skip(self) -> bool:
        """Whether tests that passed may be noted at once: nothing else is going on."""
        current = self._tests.get(self._current)
        return self._panic is None and (current is None or bool(current.state))

    def skip(self, names: Iterable[str]) -> None:
        """Note that these tests ran and passed."""
        self.is_verbose = True
        self._tests.update(dict.fromkeys(names, _PASSED))
        self._current = ""

    def result(self, name: str, state: str, at: int) -> None:
        """Note that a test ended: `pass`, `fail` or `skip`."""
        if self.is_verbose and name not in self._tests:
            return
        self._current = name
        test = self._of(name)
        test.state = state
        if state != "fail":
            test.logged.clear()
        else:
            self._at.setdefault(name, at)

    def text(self, line: str, test: str = "", *, is_error: bool | None = None) -> None:
        """Read a line that the current test printed, or the one that is named; `is_error` if Go says so."""
        panic = _PANIC.match(line) if line.startswith(("panic: ", "fatal error: ")) else None
        if self._panic and (self._panic.is_real or not panic):
            self._panic.feed(line)
        elif panic:
            self._panic = _Panic(f"{panic[1]}: {panic[2]}".partition(" [recovered")[0])
        if line.startswith("exit status "):
            self.exit = line
        elif running := self._tests.get(test or self._current):
            running.feed(line, is_error)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many tests failed, and of those that are announced, how many passed."""
        states = [self._tests[name].state for name in self._leaves()]
        counts = {"failed": states.count("fail"), "passed": states.count("pass"), "skipped": states.count("skip")}
        return {what: many for what, many in counts.items() if many}

    def problems(self, at: int) -> Iterator[tuple[Problem, int]]:
        """Yield the tests that failed, and the position of each in the log."""
        panic = self._panic if self._panic and self._panic.is_real else None
        failed = [name for name in self._leaves() if self._tests[name].state == "fail"]
        culprit = self._culprit(panic, failed) if panic else ""
        for name in failed:
            file, line, message = self._tests[name].said()
            if panic and name == culprit:
                (file, line), message = panic.place, panic.text
            yield Problem(file, line, name, message, test=True), self._at.get(name, at)
        if panic and culprit not in failed:
            file, line = panic.place
            # Without a test it is a program's own (`go run`), or a package's before its first test.
            yield Problem(file, line, culprit or None, panic.text, test=bool(culprit)), at

    @property
    def unfinished(self) -> str | None:
        """The last test that began and did not end, if its package says so."""
        return next((name for name in reversed(self._leaves()) if not self._tests[name].state), None)

    def _leaves(self) -> list[str]:
        """Return the tests without those that only have subtests."""
        parents = {name.rpartition("/")[0] for name in self._tests}
        every = parents | {one.rpartition("/")[0] for one in parents}
        return [name for name in self._tests if name not in every]

    def _culprit(self, panic: _Panic, failed: list[str]) -> str:
        if panic.running:
            return panic.running[-1]
        if failed and failed[-1] == self._current:
            return self._current
        return self.unfinished or panic.function
