"""Recognize Robot Framework: each test that failed with its message, and the total of all suites."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem

_RULE = expression(r"^={40,}$")
_LINE = expression(r"^-{40,}$")
_STATUS = expression(r"\| (PASS|FAIL|SKIP) \|$")
_TOTAL = expression(r"^(\d+) tests?, (\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
_DOTTED = expression(r"^Running suite '.*' with \d+ tests?\.$")
_FAIL = expression(r"^FAIL: (\S.*)$")
_FILE = expression(r"^(?:Output|Log|Report|XUnit|Debug): +\S")
_STATUS_WIDTH, _MOST_BEFORE, _MOST_LINES = 8, 4, 6


class Robot(Parser):
    """Robot Framework from version 4 on, with the consoles `verbose` and `dotted`."""

    name = "robot"
    starts = ("====================", "Running suite '")

    def __init__(self) -> None:
        super().__init__()
        self._width = self._seen = 0
        self._suite = self._head = ""
        self._is_first = self._is_head = self._is_dotted = False
        self._counts: tuple[int, ...] | None = None
        self._test = ""
        self._at = 0
        self._said: list[str] = []

    def feed(self, line: str) -> bool:
        if _DOTTED.match(line):
            self._begin()
            self._is_dotted = True
        elif _RULE.match(line):
            # A line between two rules is the name of a suite.
            self._suite = self._head if self._is_head else self._suite
            self._width, self._seen = len(line), 0
            self._between()
        elif _LINE.match(line):
            self._between()
        elif total := _TOTAL.match(line):
            self._test = ""  # it is that of a suite
            self._counts = tuple(int(many or 0) for many in total.groups()[1:])
        elif self.is_open and self._counts and _FILE.match(line):
            self._end()
        elif self._is_dotted:
            self._dotted(line)
        else:
            self._text(line)
        return self.is_open or (self._width > 0 and self._seen < _MOST_BEFORE)

    def findings(self) -> tuple[Findings, ...]:
        self._flush()
        if self.is_open:
            self.close()
        return super().findings()

    def _begin(self) -> None:
        if not self.is_open:
            self.begin(owns=True)

    def _between(self) -> None:
        self._flush()
        self._head, self._is_first, self._is_head = "", True, False

    def _dotted(self, line: str) -> None:
        if fail := _FAIL.match(line):
            self._flush()
            self._test, self._at = fail[1], self.at
        elif self._test and len(self._said) < _MOST_LINES:
            self._said.append(line.strip())

    def _text(self, line: str) -> None:
        """Read a line of a test: its name and status, which follows what it printed, then its message."""
        self._seen += 1
        is_first, self._is_first, self._is_head = self._is_first, False, False
        status = _STATUS.search(line)
        if status and is_first and status.start() == self._width - _STATUS_WIDTH:
            self._result(line[: status.start()].rstrip(), status[1])
        elif status and not status.start() and self._head:
            self._result(self._head, status[1])
        elif is_first:
            self._head, self._is_head = line[: self._width - _STATUS_WIDTH].rstrip(), True
        elif self._test and len(self._said) < _MOST_LINES:
            self._said.append(line.strip())

    def _result(self, name: str, status: str) -> None:
        self._begin()
        self._test = f"{self._suite}.{name}" if status == "FAIL" else ""
        self._at, self._said, self._head = self.at, [], ""

    def _flush(self) -> None:
        """Report the test that failed, whose message ends here."""
        if self._test:
            said = [one for one in self._said if one]
            self.report(Problem(None, None, self._test, " ".join(said), test=True), SURE, self._at)
        self._test, self._said = "", []

    def _end(self) -> None:
        """End the call before the names of the files that were written."""
        passed, failed, skipped = self._counts or (0, 0, 0)
        self._flush()
        self.finish({"failed": failed, "passed": passed, "skipped": skipped}, failed)
        self._counts, self._is_dotted, self._width, self._suite = None, False, 0, ""
