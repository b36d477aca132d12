"""Recognize ExUnit (`mix test`): the numbered sections of failed tests, what does not compile, and its total."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, WEAK, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_HEAD = expression(r"^  (\d+)\) ((?:test|doctest|property|feature) \S.*) \(([\w.]+)\)$")
_SETUP = expression(r"^  \d+\) ([\w.]+): failure on setup_all callback")
_PLACE = expression(r"^     (\S.*\.exs?):(\d+)$")
_FRAME = expression(r"^       (?:\(\S+ [\w.-]+\) )?(\S.*\.exs?):(\d+): ")
_TOTAL = expression(
    r"^((?:\d+ (?:doctests?|properties|property|features?|tests?), )+)(\d+) failures?"
    r"((?:, \d+ (?:invalid|skipped|excluded))*)$"
)
_COUNT = expression(r"(\d+) (\w+)")
_BROKEN = expression(r"^== Compilation error in file (\S.*) ==$")
_ERROR = expression(r"^\*\* \((\w+(?:\.\w+)*)\) (?:(\S+\.exs?):(\d+):(?:\d+:)? )?(.*)$")
_MOST_LINES = 12


class _Section:
    """The section of a failed test: where it is declared, its message, and its stack trace."""

    def __init__(self, id: str, at: int, *, is_setup: bool = False) -> None:
        self.id = id
        self.at = at
        self._is_setup = is_setup
        self._place: tuple[str, str] | None = None
        self._message: list[str] = []
        self._frames: list[tuple[str, str]] = []
        self._is_stack = False

    def feed(self, line: str) -> None:
        if not self._place and not self._message and not self._is_setup and (place := _PLACE.match(line)):
            self._place = (place[1], place[2])
        elif line == "     stacktrace:":
            self._is_stack = True
        elif self._is_stack:
            if (frame := _FRAME.match(line)) and len(self._frames) < _MOST_LINES:
                self._frames.append((frame[1], frame[2]))
        elif line.startswith("     ") and line.strip() and len(self._message) < _MOST_LINES:
            self._message.append(" ".join(line.split()))

    @property
    def problem(self) -> Problem:
        own = [frame for frame in self._frames if not self._place or frame[0] == self._place[0]]
        file, line = (own or [self._place or ("", "")])[0]
        first = self._message[:1]
        values = [one for one in self._message[1:] if one.startswith(("left:", "right:"))]
        phase = "setup" if self._is_setup else ""
        return Problem(file or None, number(line), self.id, " ".join(first + values), phase=phase, test=True)


class Exunit(Parser):
    """ExUnit of Elixir 1.10 and later. Sections come while the tests run."""

    name = "exunit"
    starts = (
        r"\d[0-9]*\) (?:test|doctest|property|feature) ",
        r"\d[0-9]*\) [A-Z][A-Za-z0-9_.]*: failure on setup_all",
        r"\d[0-9]* (?:tests?|doctests?|propert|features?).*, \d",
        "Finished in ",
        "== Compilation error in file ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._sections: dict[str, _Section] = {}
        self._current: _Section | None = None
        self._broken = ""
        self._is_finished = False

    def feed(self, line: str) -> bool:
        if self._broken:
            return self._why(line)
        is_finished, self._is_finished = self._is_finished, line.startswith("Finished in ")
        if head := _HEAD.match(line):
            # What a test printed in this form comes before the section with its number.
            self._add(head[1], f"{head[2]} ({head[3]})", is_setup=False)
        elif setup := _SETUP.match(line):
            self._add(setup[1], setup[1], is_setup=True)
        elif broken := _BROKEN.match(line):
            self._broken = broken[1]
        elif is_finished and (total := _TOTAL.match(line)):
            self._end(total)
        elif self._current:
            self._current.feed(line)
        return self._current is not None or self._is_finished or bool(self._broken)

    def findings(self) -> tuple[Findings, ...]:
        self._end(None)
        return super().findings()

    def _add(self, key: str, id: str, *, is_setup: bool) -> None:
        if not self.is_open:
            self.begin(owns=True, certainty=WEAK)
        if key in self._sections or len(self._sections) < MOST_FAILED:
            self._current = self._sections[key] = _Section(id, self.at, is_setup=is_setup)

    def _why(self, line: str) -> bool:
        """Report why a file does not compile: the next line."""
        error = _ERROR.match(line)
        if error:
            file, place = (error[2], number(error[3])) if error[2] else (self._broken, None)
            self.report(Problem(file, place, error[1], error[4], phase="build"), SURE)
        self._broken = ""
        return False

    def _end(self, total: re.Match[str] | None) -> None:
        """End a call that is open, by its total or, of a run that was cut off, without one."""
        for one in self._sections.values():
            self.report(one.problem, SURE, one.at)
        if total:
            counts = {what: int(many) for many, what in _COUNT.findall(total[3])}
            invalid, skipped = counts.get("invalid", 0), counts.get("skipped", 0) + counts.get("excluded", 0)
            failed, setups = int(total[2]), sum(1 for one in self._found if one.problem.phase == "setup")
            passed = sum(int(many) for many, _ in _COUNT.findall(total[1])) - failed - invalid - skipped
            known = {"failed": failed, "errors": setups, "passed": passed, "skipped": skipped, "invalid": invalid}
            self.finish(known, failed + setups)
        elif self._sections:
            self.close()
        self._sections, self._current = {}, None
