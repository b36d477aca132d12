"""Collect what one call of pytest prints of its failures: sections, short summary, results. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import MOST_FOUND
from bgrun.parsers.test_runners.python.pytest_section import PLACE, Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FAILURES, ERRORS, SUMMARY = "FAILURES", "ERRORS", "short test summary info"
"""The titles of the parts that tell what failed."""
AFTER = "after a total"
"""What comes after a total that a test may have printed: the next section shows that one has."""
_MOST_AFTER = 2000
"""How many lines after such a total may belong to what the test printed."""
_HEAD = expression(r"^_+ (ERROR at (setup|teardown) of |ERROR (collecting) )?(\S.*?) _+$")
_PART = r"(?:\[[^]]*\])?(?: ?\([^)]*\))?"
_LISTED = expression(rf"^(?:(FAILED|ERROR|SUBFAILED|SUBFAIL)({_PART})|({_PART}) (SUBFAIL)) (\S.*)$")
_RESULT = expression(
    r"^(?:\[gw\d+\] \[ *\d+%\] (FAILED|ERROR) (\S.*?)|(\S.*?\S) (FAILED|ERROR)(?: +\[ *[\d/%]+\])?) *$"
)
_ERROR = expression(r"^ERROR: (?!usage:)(\S.*)$")


class Listed(NamedTuple):
    """A test in the short summary, or in the list of results, and its position in the log.

    part: its subtest, or its phase.
    """

    kind: str
    part: str
    text: str
    at: int


def _listed(line: str, at: int) -> Iterator[Listed]:
    if found := _LISTED.match(line):
        yield Listed(found[1] or found[4], (found[2] or found[3] or "").strip(), found[5], at)


class Call:
    """All that one call of pytest printed of its failures."""

    def __init__(self) -> None:
        self.part = ""
        self.width = 0
        self.has_heading = False
        self.has_title = False
        self.unsure = ""
        self.ran_nothing = False
        self.pending: tuple[str, int] | None = None
        self._after = 0
        self.sections: list[Section] = []
        self.listed: list[Listed] = []
        self.results: list[Listed] = []
        self.ended: set[str] = set()
        self.loose: deque[Listed] = deque(maxlen=MOST_FOUND)
        self.errors: deque[tuple[str, int]] = deque(maxlen=MOST_FOUND)

    @property
    def is_inside(self) -> bool:
        """Whether every line is wanted."""
        return self.part in (FAILURES, ERRORS, SUMMARY, AFTER)

    def wait(self, total: str, at: int) -> None:
        """Keep a total that a test may have printed."""
        self.pending, self.part, self._after = (total, at), AFTER, 0

    def enter(self, part: str, width: int) -> None:
        if part == SUMMARY or self.pending:
            # What looked like a summary before was what a test printed: the last one is pytest's.
            self.listed, self.pending = [], None
        self.part, self.width, self.has_title = part, width, False

    def feed(self, line: str, at: int) -> None:
        if self.part in (FAILURES, ERRORS):
            if (head := _HEAD.match(line)) and self._is_rule(line):
                self.sections.append(Section(head[2] or ("collection" if head[3] else ""), head[4], at))
                self.has_title = True
            elif self.has_title:
                self.sections[-1].feed(line)
            elif PLACE.match(line):
                # --tb=line
                self.sections.append(Section("", "", at))
                self.sections[-1].feed(line)
        elif self.part == AFTER and not (_HEAD.match(line) and len(line) == self.width):
            self._after += 1
            self.part = AFTER if self._after < _MOST_AFTER else ""
        elif self.part in (SUMMARY, AFTER):
            if self.sections and _HEAD.match(line) and len(line) == self.width:
                # A test printed the summary: the sections continue.
                self.enter(FAILURES, self.width)
                self.listed = []
                self.feed(line, at)
            else:
                self.listed += _listed(line, at)
        elif not self.has_heading and _LISTED.match(line):
            # The beginning of the output may have been cut off: pytest | tail
            self.loose += _listed(line, at)
        elif line.startswith("ERROR: ") and (found := _ERROR.match(line)):
            self.errors.append((found[1], at))
        elif found := _RESULT.match(line):
            kind, text = (found[1], found[2]) if found[1] else (found[4], found[3])
            if "::" in text:
                part = "" if kind == "FAILED" else "teardown" if text in self.ended else "setup"
                self.results.append(Listed(kind, part, text, at))
                self.ended.add(text)

    def _is_rule(self, line: str) -> bool:
        """Return whether a heading is as wide as those of this call: a test may print one."""
        return len(line) == self.width or (len(line) > self.width and line.startswith("_ "))

    def is_total(self, line: str, *, is_ruled: bool) -> bool:
        """Return whether a line with counts is the total: a test may have printed one."""
        if is_ruled:
            return self.width in (0, len(line))
        return not self.has_heading and not (self.part in (FAILURES, ERRORS) and self.is_muted)

    @property
    def is_muted(self) -> bool:
        """Whether the lines are what a test printed."""
        return bool(self.sections) and self.sections[-1].is_muted

    @property
    def may_be_forged(self) -> bool:
        """Whether a total may be what a test printed: then what follows it shows whether it is."""
        return any(one.is_muted for one in self.sections)
