"""Recognize rspec: the sections of its failures, its list of failed examples, and its total."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, WEAK, Findings, Parser, Problem, number
from bgrun.parsers.test_runners import MOST_FAILED

_HEAD = expression(r"^  (\d+)\) (\S.*)$")
_LOADING = expression(r"^An error occurred (?:while loading (\./.*?)\.(?: - Did you mean\?.*)?|in an? (`.*?)\.)$")
_CODE = expression(r"^ *Failure/Error: ?(.*)$")
_FRAME = expression(r"^ *# (\S[^:]*):(\d+)(?::in .*)?$")
_PLACE = expression(r"(\S[^:]*\.rb):(\d+): ")
_END_OF_MESSAGE = expression(r"^\s*(?:\(compared using .*\)|Diff:)$")
_TOTAL = expression(
    r"^(\d+) examples?, (\d+) failures?(?:, (\d+) pending)?(?:, (\d+) errors? occurred outside of examples)?$"
)
_OF_JASMINE = expression(r"^\d+ specs?, \d+ failures?(?:, \d+ pending specs?)?$")
"""The total of a list with the same heading: the next tool's failures are not rspec's."""
_LISTED = expression(r"^rspec '?(\./.*?)(?::(\d+)|\[[\d:,]+\])'? # (.*)$")
_MOST_LINES = 12


class _Section:
    """The section of a failure: its code, its message, and its stack trace."""

    def __init__(self, title: str, at: int, *, phase: str = "", file: str | None = None) -> None:
        self.title = title
        self.at = at
        self.phase = phase
        self.file = file
        self.frames: list[tuple[str, int | None]] = []
        self._code = ""
        self._message: list[str] = []
        self._is_code = self._is_over = False

    def feed(self, line: str) -> None:
        if code := _CODE.match(line):
            self._message.clear()
            self._code = self._code or code[1]
            self._is_code = not code[1]
        elif frame := _FRAME.match(line):
            self._is_over = True
            if len(self.frames) < _MOST_LINES:
                self.frames.append((frame[1], number(frame[2])))
        elif self._is_code:
            self._code, self._is_code = self._code or line.strip(), bool(line.strip())
        elif _END_OF_MESSAGE.match(line):
            self._is_over = True
        elif line.strip() and not self._is_over and len(self._message) < _MOST_LINES:
            self._message.append(line.strip())

    def problem(self, file: str | None, line: int | None, id: str | None) -> Problem:
        """Return the failure as a problem; the list of failed examples may say better where it is."""
        specs = [path for path, _ in self.frames if "spec/" in path] or [path for path, _ in self.frames]
        file = file or self.file or next(iter(specs), None)
        inner = next((at for path, at in self.frames if path == file), None)
        plain = file.removeprefix("./") if file else None
        test = not self.phase or bool(self.file)
        message = " ".join(self._message) or self._code
        if plain and not inner and (place := _PLACE.search(message)) and place[1].endswith(plain):
            inner = number(place[2])
        return Problem(plain, inner or line, id, message, phase=self.phase, test=test)


class Rspec(Parser):
    """rspec 3, with the formatters `progress` and `documentation`, also behind rake."""

    name = "rspec"
    starts = (
        "Failures:",
        "An error occurred ",
        "Finished in ",
        r"\d[0-9]* examples?, ",
    )

    def __init__(self) -> None:
        super().__init__()
        self._sections: list[_Section] = []
        self._outside: list[_Section] = []
        self._current: _Section | None = None
        self._listed: list[tuple[str, int | None, str]] = []
        self._total: tuple[int, int, int, int] | None = None
        self._part = ""
        self._is_finished = False
        self._last = 0

    def feed(self, line: str) -> bool:
        if self._part == "list" and line and not self._list(line):
            self._end()
        is_finished, self._is_finished = self._is_finished, line.startswith("Finished in ")
        if is_finished and (total := _TOTAL.match(line)):
            self._open()
            self._total = (int(total[1]), int(total[2]), int(total[3] or 0), int(total[4] or 0))
            self._part, self._current, self._last = "list", None, self.at
        elif self._part == "Failures:" and _OF_JASMINE.match(line):
            self._call, self._part, self._current, self._sections = None, "", None, []
        elif line in (
            "Failures:",
            "Pending: (Failures listed here are expected and do not affect your suite's status)",
        ):
            # What a test printed in this form comes before.
            self._open()
            self._part, self._current, self._sections = line, None, []
        elif loading := _LOADING.match(line):
            self._open()
            phase = "collection" if loading[1] else "setup"
            self._current = _Section(loading[2] or "", self.at, phase=phase, file=loading[1])
            self._outside.append(self._current)
        elif self._part == "Failures:" and (head := _HEAD.match(line)) and self._is_next(int(head[1][:9])):
            self._current = _Section(head[2].removesuffix(" FIXED"), self.at)
            self._sections.append(self._current)
        elif self._current:
            self._current.feed(line)
        return self.is_open or self._is_finished

    def findings(self) -> tuple[Findings, ...]:
        self._end()
        return super().findings()

    def _is_next(self, number: int) -> bool:
        return number == len(self._sections) + 1 and number <= MOST_FAILED

    def _open(self) -> None:
        if not self.is_open:
            self.begin(owns=True, certainty=WEAK)

    def _list(self, line: str) -> bool:
        """Read a line after the total; return whether it is rspec's."""
        if listed := _LISTED.match(line):
            self._listed.append((listed[1], number(listed[2]), listed[3]))
        elif line != "Failed examples:":
            return False
        self._last = self.at
        return True

    def _end(self) -> None:
        """Report the failures of a call that is open, and end it at the last line that is its own."""
        if not self.is_open:
            return
        if not (self._sections or self._outside or self._total):
            self._call = None  # another tool's heading
        for place, section in enumerate(self._sections):
            known = place < len(self._listed) == len(self._sections)
            file, line, id = self._listed[place] if known else (None, None, section.title)
            self.report(section.problem(file, line, id), SURE, section.at)
        for section in self._outside:
            self.report(section.problem(None, None, section.title or None), SURE, section.at)
        now, self.at = self.at, max(self._last, self.at if not self._total else 0)
        if self._total:
            examples, failures, pending, errors = self._total
            passed = examples - failures - pending
            self.finish({"failed": failures, "errors": errors, "passed": passed, "pending": pending}, failures + errors)
        elif self.is_open:
            self.finish(certainty=WEAK)
        self.at = now
        self._sections, self._outside, self._listed, self._total = [], [], [], None
        self._current, self._part = None, ""
