"""Recognize AVA in its default form: the tests that failed as they ran, then a section for each, then the totals."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED
from bgrun.parsers.test_runners.javascript.sections import Section, is_same

_FAILED = expression(r"^  [✘✖] \[fail\]: (\S.*)$")
_EMPTY = expression(r"^  [✘✖] (No tests found in (\S[^,]*)).*$")
_UNCAUGHT = expression(r"^  (Uncaught exception|Unhandled rejection) in (\S.*)$")
_EXITED = expression(r"^  [✘✖] .+ exited (?:with a non-zero exit code|due to)")
_RULE = expression(r"^  [─-]$")
_TITLE = expression(r"^  (\S.*)$")
_PLACE = expression(r"^  (\S.*\.[cm]?[jt]sx?):(\d+)$")
_TRACE = expression(r"^  › (?:.* \()?(?:file://)?(\S[^()]*?):(\d+):\d+\)?$")
_CODE = expression(r"^ +\d+: ")
_ERROR = expression(r"^  ([A-Z]\w*(?:Error|Exception)?(?: \[\w+\])?: \S.*)$")
_TOTAL = expression(
    r"^  (?:(\d+) (hook|test|uncaught exception|unhandled rejection|known failure)s?"
    r"(?: (failed|passed|skipped|todo))?|\d+ tests? remaining .*|No tests found.*)$"
)
_MOST_TEXTS = 4


class _Failure:
    """A test, a hook or a file that failed: what its section says.

    text: its title and the beginning of its message, as the list of results has them.
    title: its title alone, once its section came.
    """

    def __init__(self, text: str, at: int, phase: str = "") -> None:
        self.text = text
        self.title = ""
        self.at = at
        self.phase = phase
        self._place: tuple[str, int | None] | None = None
        self._section = Section()
        self._traced: list[tuple[str, int | None]] = []
        self._texts: list[str] = []
        self._error = ""

    def is_titled(self, title: str) -> bool:
        """Return whether this is the title of its section, which has not come yet."""
        return not self.title and (self.text == title or self.text.startswith(f"{title} "))

    def feed(self, line: str) -> None:
        """Read a line of its section."""
        if not self._place and not self._texts and (place := _PLACE.match(line)):
            self._place = (place[1], number(place[2]))
        elif trace := _TRACE.match(line):
            self._traced.append((trace[1], number(trace[2])))
        elif line.lstrip().startswith("at "):
            self._section.feed(line)
        elif not _CODE.match(line) and line.strip():
            error = _ERROR.match(line)
            self._error = self._error or (error[1] if error else "")
            self._texts += [line.strip()] if len(self._texts) < _MOST_TEXTS else []

    @property
    def problem(self) -> Problem:
        """What is known of it: its place is that in its own file, after those of the functions that it called."""
        file, line = self._place or (None, None)
        frames = [*self._traced, *self._section.own_frames]
        if file is None and frames:
            file, line = frames[-1]
        line = next((at for path, at in reversed(frames) if file and is_same(path, file)), line)
        message = self._error.removeprefix("Error: ") if self._error else " ".join(self._texts)
        if self.phase == "exit":
            return Problem(file or self.text, line, None, message, phase=self.phase, test=True)
        return Problem(file, line, self.title or self.text, message or self.text, phase=self.phase, test=True)


class Ava(Parser):
    """AVA from version 4 on. It counts the tests that passed only where none failed."""

    name = "ava"
    starts = (
        r"✘ \[fail\]: ",
        r"✖ \[fail\]: ",
        "✘ No tests found in ",
        "✖ No tests found in ",
        "Uncaught exception in ",
        "Unhandled rejection in ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[_Failure] = []
        self._files: list[_Failure] = []
        self._current: _Failure | None = None
        self._part = ""
        self._counts: dict[str, int] = {}
        self._end = 0

    def feed(self, line: str) -> bool:
        """Read a line: a result, one of a section, or a total."""
        if self._part == "totals":
            if not self._total(line) and line.strip():
                self._close_call()
                return False
        elif _RULE.match(line) and self.is_open:
            self._part, self._current = ("totals" if self._part or not self._failed else "sections"), None
        elif self._part:
            self._section(line)
        elif found := _FAILED.match(line):
            self._begin()
            self._current = None
            if len(self._failed) < MOST_FAILED:
                self._failed.append(_Failure(found[1], self.at))
        elif found := _UNCAUGHT.match(line):
            self._begin()
            self._current = _Failure(found[2], self.at, "exit")
            self._files.append(self._current)
        elif found := _EMPTY.match(line):
            self._begin()
            self._files.append(_Failure(found[2], self.at, "exit"))
            self._files[-1].feed(f"  {found[1]}")
        elif _EXITED.match(line):
            self._current = None
        elif self._current:
            self._current.feed(line)
        if self.is_open:
            self._end = self.at
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        """Return what was found; a run that was killed has no total."""
        self._close_call()
        return super().findings()

    def _begin(self) -> None:
        if not self.is_open:
            self.begin(owns=True)

    def _section(self, line: str) -> None:
        """Read a line of the sections: the title of the next test that failed, or what is said of this one."""
        title = _TITLE.match(line)
        named = next((one for one in self._failed if title and one.is_titled(title[1])), None)
        if title and named:
            named.title = title[1]
            self._current = named
        elif self._current:
            self._current.feed(line)

    def _total(self, line: str) -> bool:
        """Take a total; return whether it is one."""
        found = _TOTAL.match(line)
        if found and found[1]:
            kind = "failed" if found[3] == "failed" and found[2] == "test" else found[3] or ""
            if found[2] in ("hook", "uncaught exception", "unhandled rejection"):
                kind = "errors"
            if kind:
                self._counts[kind] = self._counts.get(kind, 0) + int(found[1])
        return found is not None

    def _close_call(self) -> None:
        if not self.is_open:
            return
        counts = self._counts
        for one in (*self._failed, *self._files):
            self.report(one.problem, SURE, one.at)
        now, self.at = self.at, self._end
        self.finish(counts or None, counts.get("failed", 0) + counts.get("errors", 0) if counts else None)
        self.at = now
        self._failed, self._files, self._current, self._part, self._counts = [], [], None, "", {}
