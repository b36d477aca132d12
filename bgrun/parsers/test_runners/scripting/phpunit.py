"""Recognize PHPUnit: its lists of errors and failures, also those of `--testdox`, and its total."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_HEAD = expression(r"^PHPUnit \d[\w.-]* by Sebastian Bergmann")
_TIME = expression(r"^Time: \S+(?: \w+)?, Memory: ")
_LIST = expression(r"^There (?:was|were) \d+ (?:PHPUnit )?(\w[\w ]*?)s?:$")
_ITEM = expression(r"^(\d+)\) (\S.*)$")
_FRAME = expression(r"^(/\S.*|[A-Z]:\\.*|\S+\.php):(\d+)$")
_DOX = expression(r"^ [✘x✖] (\S.*?)(?: [<(]\d[\d.]* m?s[)>])?$")
_DOX_LINE = expression(r"^ {2,}[│┐├┴┊╵|] ?(.*)$")
_TOTAL = expression(r"^Tests: (\d+), Assertions: \d+(?:, [\w ]+: \d+)*\.$")
_COUNT = expression(r"([A-Z][\w ]*): (\d+)")
_OK = expression(r"^OK \((\d+) tests?, \d+ assertions?\)$")
_WANTED = ("error", "failure")
_LEFT = ("Errors", "Failures", "Skipped", "Incomplete")
_MOST_LINES = 20


class _Test:
    """A failed test: its message, and the files in its stack."""

    def __init__(self, title: str, at: int) -> None:
        self.title = title
        self.at = at
        self._message: list[str] = []
        self._frames: list[tuple[str, str]] = []

    def feed(self, line: str) -> None:
        if frame := _FRAME.match(line):
            if len(self._frames) < _MOST_LINES:
                self._frames.append((frame[1], frame[2]))
        elif line.strip() and not self._frames and len(self._message) < _MOST_LINES:
            self._message.append(line.strip())

    @property
    def problem(self) -> Problem:
        name = self.title.partition("::")[0].rpartition("\\")[2].partition(" ")[0]
        own = [frame for frame in self._frames if frame[0].endswith((f"/{name}.php", f"{name}Test.php"))]
        file, line = (own or self._frames[-1:] or [("", "")])[0]
        said = (
            self._message[: self._message.index("--- Expected")] if "--- Expected" in self._message else self._message
        )
        return Problem(file or None, number(line), self.title, " ".join(said[:3]), test=True)


class Phpunit(Parser):
    """PHPUnit from version 8 on. What a test prints comes before the line with the time; the lists come after it."""

    name = "phpunit"
    starts = ("PHPUnit ",)

    def __init__(self) -> None:
        super().__init__()
        self._tests: list[_Test] = []
        self._is_listing = False
        self._kind = self._class = ""

    def feed(self, line: str) -> bool:
        if _HEAD.match(line):
            self._end()
            self.begin(owns=True)
        elif self.is_open and _TIME.match(line):
            self._is_listing, self._tests, self._kind = True, [], ""
        elif self.is_open and self._is_listing:
            self._listed(line)
        return self.is_open

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _listed(self, line: str) -> None:
        if kind := _LIST.match(line):
            self._kind = kind[1] if kind[1] in _WANTED else ""
            self._next = 1
        elif line == "Summary of non-successful tests:":
            self._kind = "testdox"
        elif total := _TOTAL.match(line):
            self._end({what: int(many) for what, many in _COUNT.findall(line)}, int(total[1]))
        elif ok := _OK.match(line):
            self._end({}, int(ok[1]))
        elif line in ("FAILURES!", "ERRORS!", "WARNINGS!") or line.startswith("OK, but"):
            self._kind = ""
        elif self._kind == "testdox":
            self._dox(line)
        elif self._kind and (item := _ITEM.match(line)) and number(item[1]) == self._next:
            self._next += 1
            self._add(item[2])
        elif self._kind and self._tests and line != "--":
            self._tests[-1].feed(line)

    def _dox(self, line: str) -> None:
        if item := _DOX.match(line):
            self._add(f"{self._class} > {item[1]}")
        elif (detail := _DOX_LINE.match(line)) and self._tests:
            self._tests[-1].feed(detail[1])
        elif line[:1].strip():
            self._class = line.partition(" (")[0]

    def _add(self, title: str) -> None:
        if len(self._tests) < MOST_FAILED:
            self._tests.append(_Test(title, self.at))

    def _end(self, counts: dict[str, int] | None = None, tests: int = 0) -> None:
        """End a call that is open, by its total or, of a run that was cut off, without one."""
        if self.is_open:
            for one in self._tests:
                self.report(one.problem, SURE, one.at)
            if counts is None:
                self.close()
            else:
                errors, failures, skipped, incomplete = (counts.get(what, 0) for what in _LEFT)
                passed = tests - errors - failures - skipped - incomplete
                known = {"failed": failures, "errors": errors, "passed": passed, "skipped": skipped + incomplete}
                self.finish(known, errors + failures)
        self._tests, self._is_listing = [], False
