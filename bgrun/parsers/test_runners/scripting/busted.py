"""Recognize busted, the test runner of Lua, in its forms for terminals."""

from __future__ import annotations

import re

from bgrun.parsers import closing
from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_TOTAL = expression(r"^(\d+) success(?:es)? / (\d+) failures? / (\d+) errors? / (\d+) pending : \d[\d.e-]* seconds$")
_HEADING = expression(r"^(Failure|Error|Pending) (?:→|->) (\S.*?)(?: @ (\d+)|:(\d+): (\S.*))$")
_PLACE = expression(r"^(\S[^:]*):(\d+): (.*)$")
_TRACE = "stack traceback:"
_HOOK = expression(r" (setup|teardown|strict_setup|strict_teardown|before_each|after_each|lazy_setup|lazy_teardown)$")
_DETAIL = expression(r"^(?:\(\w+\) |\(\w+: |[ \t{}]|Passed in:|Expected\b)")
"""What luassert prints below a message."""
_NAME_AND_MESSAGE, _MOST_LINES = 2, 6


class Busted(Parser):
    """busted 2: its total comes first, then what failed: a heading, the name of the test, and the message."""

    name = "busted"
    starts = (r"\d[0-9]* success(?:es)? / ",)

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, int] = {}
        self._left = 0
        self._heading: re.Match[str] | None = None
        self._place = self._end = 0
        self._lines: list[str] = []
        self._is_over = False

    def feed(self, line: str) -> bool:
        """Read a line: a total, or one of what follows it."""
        if total := _TOTAL.match(line):
            self._close_call()
            passed, failed, errors, pending = map(int, total.groups())
            self.begin(owns=True)
            self._counts = {"failed": failed, "errors": errors, "passed": passed, "skipped": pending}
            self._left = failed + errors + pending
        elif not self.is_open:
            return False
        elif heading := _HEADING.match(line):
            self._report()
            self._heading, self._place, self._lines, self._is_over = heading, self.at, [], False
            self._left -= 1
        elif not line.strip() or line == _TRACE:
            self._is_over = self._is_over or bool(self._lines) or line == _TRACE
        elif not self._is_over and not closing.is_of_wrapper(line):
            is_own = len(self._lines) < _NAME_AND_MESSAGE or _DETAIL.match(line) or self._left > 0
            self._lines += [line] if len(self._lines) < _MOST_LINES else []
            if not is_own:
                return True  # of the message, or of another program
        elif self._left <= 0 and not line.startswith("\t"):
            self._close_call()  # it is of another program
            return False
        self._end = self.at
        return True

    def findings(self) -> tuple[Findings, ...]:
        """Return what was found, with the last test, which no line follows."""
        self._close_call()
        return super().findings()

    def _close_call(self) -> None:
        if self.is_open:
            self._report()
            now, self.at = self.at, self._end
            self.finish(self._counts, self._counts["failed"] + self._counts["errors"])
            self.at = now

    def _report(self) -> None:
        """Report the test of the last heading; one with a message is that of a file that could not be loaded."""
        heading, self._heading = self._heading, None
        if not heading or heading[1] == "Pending" or len(self._found) >= MOST_FAILED:
            return
        name, *said = self._lines or [""]
        file, line, phase = heading[2], heading[3] or heading[4], "setup" if _HOOK.search(name) else ""
        if heading[5]:
            name, said, phase = "", [heading[5]], "collection"
        elif said and (place := _PLACE.match(said[0])):
            line, said[0] = place[2] if place[1] == file else line, place[3]
        message = " ".join(text.strip() for text in said)
        self.report(Problem(file, number(line), name or None, message, phase=phase, test=True), SURE, self._place)
