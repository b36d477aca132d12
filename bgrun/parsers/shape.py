r"""The shape of a parser: how to recognize one tool from the log of a run.

To add a tool:

1. Write `bgrun/parsers/<room>/<tool>.py` with a class derived from `Parser`: standard library only, no input or output.
2. Set `name`, and `starts` or `stems`: what the lines have with which something of interest begins. Only lines with one
   of them reach `feed`. `starts` are what follows the indentation: short regular expressions that begin with a literal
   character or `\d`, without repetition of it (`\d[0-9]*`, not `\d+`). They cost next to nothing, so prefer them.
   `stems` are texts anywhere in a line, or tuples of texts that must all be in it; each distinct first one takes 0.05 s
   for 100 MB, but those with a part that many tools print (`stems.COMMON`: `rror`, `FAIL`, `arning` ...) share its
   cost. A log may be full of such lines: let them be as particular as the format allows. Colors are removed before.
3. Write `feed(line)`. A line is clean: no escapes, secrets masked, no line feed, at most `longest` characters; its
   indentation is kept. Use anchored, linear expressions: `(\S+)` and `[^:]+`, no nested repetition; `expression` has
   one compiled when a line first needs it. Return True to get the next line whatever is in it (within a section, a
   traceback, a block), False to get lines with a stem only. If lines before such a line matter, set `context` to their
   number (the heading of a file above its first finding). A parser that wants every line of a long output may `leap`
   over many at once.
4. Call `begin` at the tool's own heading if it has one, `report` for each problem, and `finish` at its own total. What
   lies between belongs to one call of the tool; a log may hold several. Without heading or total, `report` is enough.
5. Name the class in `registry.py`.
6. Put real output into `tests/fixtures/tools/<tool>/<case>.log` and the wanted findings into `<case>.yaml`;
   `tests/parsers/test_tools.py` reads them all, and feeds each log to all parsers together and to every other one.

Lines behind a prefix, of which several programs that print at once have one each, are fed to parsers of their own
without it (`streams.py`): a parser knows nothing of prefixes.

How claims are settled (`recognize.py`): what one tool prints between its heading and its total is its own, so that a
traceback within a failed test is not counted twice (`begin(owns=True)`). A line that two tools claim belongs to the
one with the higher certainty, and between equals to the one that `registry.py` names first. Wrappers (make, npm, tox)
count only if nothing else failed.

Give a file as printed: the digest makes it relative to the project.
"""

from __future__ import annotations

from typing import NamedTuple

from bgrun.wording import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WRAPPER, WEAK, LIKELY, SURE = range(4)
"""How certain it is that a tool printed a line.

WRAPPER: it only says that another command failed. WEAK: a form that several tools share, such as `file:1: text`, or a
traceback. LIKELY: a form of this tool, with its own kind of rule or code. SURE: between its own heading and total, or a
line that nobody else prints.
"""
MOST_FOUND = 5000
"""How many problems of a call are kept; others are counted only, so that a log full of them takes little memory."""
MILD = ("warning", "notice", "info", "note")


class Problem(NamedTuple):
    """A problem that a tool reported. Unknown values are None.

    id: its test or its rule, as the tool names it, with the class where it has one.
    tool: the name of the tool; '' for a matcher of the job file.
    phase: '' for the body of a test, else `setup`, `teardown`, `collection`, `usage`, or its subtest.
    test: whether it is a failed test; otherwise it is a finding in a file.
    column: where in its line it is, from 1, if the tool says so. It distinguishes no problem from another.
    """

    file: str | None
    line: int | None
    id: str | None
    message: str
    severity: str = "error"
    tool: str = ""
    phase: str = ""
    test: bool = False
    column: int | None = None

    @property
    def mild(self) -> bool:
        """Whether it is a warning or less."""
        return self.severity in MILD

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the problem in another run, where its line may be another one.

        Of a test: tool, file, id (with its class) and phase. Of a finding: tool, file, rule, severity and message.
        """
        rest = (self.phase, "") if self.test else (self.severity, self.message)
        return (self.tool, self.file or "", self.id or "", *rest)


class Found(NamedTuple):
    """A problem, and where in the log it was recognized: two tools may claim the same line.

    base: the directory that its file is relative to, or '' if the log does not say.
    """

    problem: Problem
    at: int
    base: str = ""


class Findings(NamedTuple):
    """The result of one call of a tool.

    start, end: its first and last position in the log.
    counts: what it counted, by outcome: `passed`, `failed`, `errors`, `skipped`, `warnings` …, in the order to show.
    total: how many problems it says there are, or None.
    owns: whether everything between `start` and `end` is its output.
    base: the directory that its files are relative to, or '' if it does not say.
    dropped: how many problems were recognized beyond `MOST_FOUND`, by outcome.
    """

    tool: str
    certainty: int
    start: int
    end: int
    found: tuple[Found, ...] = ()
    counts: Mapping[str, int] = {}
    total: int | None = None
    owns: bool = False
    base: str = ""
    dropped: Mapping[str, int] = {}

    @property
    def is_of_tests(self) -> bool:
        """Whether it counts tests, those that passed included."""
        return "passed" in self.counts or "skipped" in self.counts or any(one.problem.test for one in self.found)

    @property
    def missing(self) -> int:
        """How many problems it counted beyond those that were recognized."""
        return max(0, (self.total or 0) - len(self.found) - sum(self.dropped.values()))


def number(text: str | None) -> int | None:
    """Return a line number in digits, or None."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else None


def numbered(text: str) -> tuple[str, ...]:
    """Return stems for a text that a number follows."""
    return tuple(f"{text}{digit}" for digit in "0123456789")


def finding(
    file: str | None,
    line: str | None,
    rule: str | None,
    message: str,
    severity: str = "error",
    *,
    column: str | None = None,
) -> Problem:
    """Return a finding in a file; empty text stands for what is unknown."""
    return Problem(file or None, number(line), rule or None, message, severity, column=number(column) or None)


class Parser:
    """The base of all parsers: collects problems into calls of the tool.

    name: the tool, as in `problems:` of a job and in the documentation.
    stems: texts, one of which is in a line that it needs; of a tuple, all are.
    starts: regular expressions, one of which such a line begins with. Without both it gets every line.
    context: how many lines before such a line it gets, too.
    longest: how many characters of a line it gets.
    leaps: whether it implements `leap`.
    at: the position of the current line in the log; set before `feed`.
    """

    name: str = ""
    stems: tuple[str | tuple[str, ...], ...] = ()
    starts: tuple[str, ...] = ()
    context: int = 0
    longest: int = 4096
    leaps: bool = False

    def __init__(self) -> None:
        self.at = 0
        self._calls: list[Findings] = []
        self._call: Findings | None = None
        self._found: list[Found] = []
        self._dropped: dict[str, int] = {}
        self._last = 0

    def feed(self, line: str) -> bool:
        """Read a line; return whether the next one is wanted whatever is in it."""
        raise NotImplementedError

    def needs_context(self, line: str) -> bool:  # noqa: ARG002 - for those that need it before few lines
        """Return whether it gets the lines before this one, if it has `context`."""
        return True

    def leap(self, data: bytes, at: int) -> tuple[int, int]:
        """Read whole lines at once that begin at an offset.

        Return where the first line begins that is not read, and where the next one that is worth another try. Called
        if this parser alone wants every line. It must find what `feed` would have found in these lines, and they must
        not be ones that another tool may claim.
        """
        raise NotImplementedError

    def begin(self, *, owns: bool = False, base: str = "", certainty: int = SURE) -> None:
        """Begin a call at the current line: the tool's heading. An earlier call without an end ends before it."""
        self._close(self.at)
        self._call = Findings(self.name, certainty, self.at, self.at, owns=owns, base=base)

    def based(self, directory: str) -> None:
        """Note the directory that the files of the call are relative to, if a call is open."""
        if self._call:
            self._call = self._call._replace(base=directory)

    @property
    def is_open(self) -> bool:
        """Whether there is a call without an end."""
        return self._call is not None

    def report(self, problem: Problem, certainty: int = LIKELY, at: int | None = None) -> None:
        """Add a problem to the call; begin one if there is none.

        Args:
            problem: the problem; its message is shortened here, and its tool is set.
            certainty: how certain it is that this tool printed it; the highest one of a call counts.
            at: where it was recognized, if not at the current line.
        """
        place = self.at if at is None else at
        call = self._call or Findings(self.name, certainty, place, place)
        if certainty > call.certainty or place > call.end or not self._call:
            self._call = call._replace(certainty=max(call.certainty, certainty), end=max(call.end, place))
        if len(self._found) < MOST_FOUND:
            severity = problem.severity if problem.severity in MILD else "error"
            known = problem._replace(message=short(problem.message), severity=severity, tool=self.name)
            self._found.append(Found(known, place))
        else:
            what = _outcome(problem)
            self._dropped[what] = self._dropped.get(what, 0) + 1

    def counts_only(self, severity: str) -> bool:
        """Count a finding at the current line if the call has too many to keep it; return whether it has.

        A parser of which logs may be full saves the time to make one.
        """
        if len(self._found) < MOST_FOUND:
            return False
        what = "warnings" if severity in MILD else "errors"
        self._dropped[what] = self._dropped.get(what, 0) + 1
        self._last = self.at
        return True

    def finish(self, counts: Mapping[str, int] | None = None, total: int | None = None, certainty: int = SURE) -> None:
        """End the call at the current line: the tool's own total.

        Args:
            counts: what it counted; by default its problems are counted.
            total: how many problems it says there are, if it does.
            certainty: how certain it is that the current line is this tool's.
        """
        call = self._call or Findings(self.name, certainty, self.at, self.at)
        best = max(call.certainty, certainty)
        self._call = call._replace(certainty=best, counts=dict(counts or {}), total=total)
        self._close(self.at)

    def close(self) -> None:
        """End the call at its last problem, for a tool without a total: what comes next belongs to another call."""
        if self._call is not None:
            self._close(max(self._call.end, self._last))

    def findings(self) -> tuple[Findings, ...]:
        """Return one result for each call of the tool."""
        self._close(max(self._call.end, self._last) if self._call else self.at)
        return tuple(self._calls)

    def _close(self, end: int) -> None:
        if self._call is not None:
            call = self._call._replace(end=max(end, self._call.start), found=tuple(self._found), dropped=self._dropped)
            self._calls.append(call._replace(counts=call.counts or counted(self._found, self._dropped)))
        self._call, self._found, self._dropped, self._last = None, [], {}, 0


def _outcome(problem: Problem) -> str:
    return "warnings" if problem.mild else "failed" if problem.test and not problem.phase else "errors"


def counted(found: Sequence[Found], more: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return how many problems there are, by outcome: tests that failed, errors, warnings; `more` is added."""
    counts = {"failed": 0, "errors": 0, "warnings": 0} | dict(more or {})
    for one in found:
        counts[_outcome(one.problem)] += 1
    return {what: number for what, number in counts.items() if number}
