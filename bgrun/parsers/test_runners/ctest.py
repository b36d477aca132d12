"""Recognize ctest: its list of failed tests, and what each of them printed."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_PROJECT = expression(r"^Test project (\S.*)$")
_RESULT = expression(r"^ *\d+/\d+ (?:Test|Testing)? *#(\d+): (\S+) \.*\s*(?:(Passed)|\*\*\*(\S.*?)) +\d[\d.]* sec$")
_START = expression(r"^ *Start +(\d+): ")
_TOTAL = expression(r"^\d+% tests passed, (\d+) tests? failed out of (\d+)$")
_LISTED = expression(r"^\t *(\d+) - (\S.*?) \((.*?)\)")
_PREFIX = expression(r"^(\d+): (.*)$")
_COMMAND = expression(
    r"^(?:(?:Test command|Working Directory|Test timeout computed to be|Environment variables):.*|test \d+)$"
)
_PLACE = expression(r"^(\S[^\s:]*\.\w+):(\d+):(?:\d+:)? *(\S.*)$")
_SAID = expression(r"\b(?:error|fail(?:ed|ure)?|assert(?:ion)?|expected|actual|abort(?:ed)?|exception)\b|[!=]=", re.I)
_ENDS = ("Errors while running CTest", "Output from these tests are in: ", 'Use "--rerun-failed')
_MOST_LINES = 400


class Ctest(Parser):
    """ctest from version 3.10 on; what a test printed is there with `--output-on-failure` or `-V`."""

    name = "ctest"
    starts = (
        "Test project ",
        r"\d[0-9]*% tests passed, ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._printed: dict[str, list[str]] = {}
        self._current = ""
        self._total: tuple[int, int] | None = None
        self._part = ""
        self._failed: list[tuple[str, str, str, int]] = []
        self._skipped = 0
        self._last = 0

    def feed(self, line: str) -> bool:
        if project := _PROJECT.match(line):
            self._end()
            self.begin(owns=True, base=project[1])
        elif total := _TOTAL.match(line):
            if not self.is_open:
                self.begin(owns=True)
            self._total, self._last = (int(total[1]), int(total[2])), self.at
        elif self._total:
            self._listing(line)
        elif self.is_open:
            self._inner(line)
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _inner(self, line: str) -> None:
        """Read a line while tests run."""
        if result := _RESULT.match(line):
            self._current = result[1] if result[4] else ""
            if result[4] and result[4] not in ("Skipped", "Not Run (Disabled)"):
                self._failed.append((result[1], result[2], result[4], self.at))
            elif result[1] in self._printed:
                del self._printed[result[1]]
        elif _START.match(line):
            self._current = ""
        elif prefix := _PREFIX.match(line):
            self._print(prefix[1], prefix[2])
        elif self._current:
            self._print(self._current, line)

    def _print(self, test: str, line: str) -> None:
        kept = self._printed.setdefault(test, [])
        if line.strip() and not _COMMAND.match(line):
            kept.append(line.strip())
            del kept[:-_MOST_LINES]

    def _listing(self, line: str) -> None:
        """Read a line after the total."""
        if line.startswith("The following tests "):
            self._part = line
            self._failed = [] if "FAILED" in line else self._failed
        elif listed := _LISTED.match(line):
            if "FAILED" in self._part and len(self._failed) < MOST_FAILED:
                self._failed.append((listed[1], listed[2], listed[3], self.at))
            elif "did not run" in self._part:
                self._skipped += 1
        elif line and not line.startswith((*_ENDS, "Total Test time", "Label Time Summary", " ", "\t")):
            self._end()
            return
        if line:
            self._last = self.at

    def _end(self) -> None:
        """Report the failures of a call that is open, and end it at the last line that is its own."""
        if not self.is_open:
            return
        for test, name, state, at in self._failed:
            self.report(_problem(name, state, self._printed.get(test, [])), SURE, at)
        now = self.at
        if self._total:
            self.at = self._last
            failed, every = self._total
            self.finish({"failed": failed, "passed": every - failed - self._skipped, "skipped": self._skipped}, failed)
        else:
            self.finish()
        self.at = now
        self._printed, self._failed, self._total = {}, [], None
        self._current, self._part, self._skipped = "", "", 0


def _problem(name: str, state: str, printed: list[str]) -> Problem:
    said = next((line for line in printed if _PLACE.match(line)), None)
    said = said or next((line for line in printed if _SAID.search(line)), printed[-1] if printed else "")
    place = _PLACE.match(said)
    text = place[3] if place else said
    file, line = (place[1], number(place[2])) if place else (None, None)
    message = text if text and state == "Failed" else ": ".join(filter(None, (state, text)))
    return Problem(file, line, name, message, test=True)
