"""Recognize pytest in every style: which tests failed, where, and its own totals.

The short summary names the tests; the sections of `FAILURES` and `ERRORS` have the place and the whole message. Both
are in the same order, so that the n-th section of a title belongs to the n-th line of it: two files may have a test of
the same name. Lines of results count only where there is no summary (`-v --no-summary`).
"""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import SURE, Findings, Parser, Problem
from bgrun.parsers.test_runners.python.pytest_call import AFTER, ERRORS, FAILURES, SUMMARY, Call
from bgrun.parsers.test_runners.python.pytest_quiet import QuietSessions
from bgrun.parsers.test_runners.python.pytest_tests import failed_tests, lists

_OUTCOMES = (
    "passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun|subtests (?:passed|failed|skipped)"
)
_TOTAL = expression(
    rf"^(=+ )?(no tests ran|\d+ (?:{_OUTCOMES})(?:, \d+ (?:{_OUTCOMES}))*) in \d[\d.]*s(?: \([\d:, day]+\))?(?: =+)?$"
)
_OF_TOTAL = frozenset("=n0123456789")
"""What a total begins with."""
_COUNT = expression(r"(\d+) ([a-z ]+)")
_KEYS = {"error": "errors", "warning": "warnings"}
_START = "test session starts"
_RULE = expression(
    rf"^=+ ({_START}|{FAILURES}|{ERRORS}|{SUMMARY}|PASSES|XFAILURES|XPASSES"
    r"|(?:warnings summary|slowest|tests coverage|coverage).*) =+$"
)
_GLUED = expression(rf"(?<=[^=])=+ {_START} =+$")
"""The heading of a session that a test runs with `-s`, after the dots of the tests before."""
_ROOT = expression(r"^rootdir: (.+?)(?:, (?:configfile|inifile|testpaths):.*)?$")
_USAGE = expression(r"^(?:\S*pytest|\S*py\.test|__main__\.py): error: (.+)$")
_INTERNAL = "INTERNALERROR> "


class Pytest(Parser):
    """pytest, any style of traceback, with its plugins xdist and subtests."""

    name = "pytest"
    stems = (
        (" passed", " in "), (" failed", " in "), (" error", " in "), (" warning", " in "),
        "FAILED", "ERROR", "pytest: error: ", "py.test: error: ", "__main__.py: error: ",
        f"= {_START} =",
    )  # fmt: skip
    context = 1
    starts = ("==========", "rootdir: ", "no tests ran", "\\d[0-9]* (?:skipped|xfailed|xpassed|deselected)")

    def __init__(self) -> None:
        super().__init__()
        self._of = Call()
        self._refusal = ""
        self._outer: int | None = None
        self._inner: Call | None = None
        self._quiet = QuietSessions()

    def needs_context(self, line: str) -> bool:
        return line.startswith("=") or line[:1].isdecimal()

    def feed(self, line: str) -> bool:
        is_wanted = self._read(line)
        self._quiet.before = line
        return is_wanted

    def _read(self, line: str) -> bool:
        of = self._of
        if self._inner:
            return self._nested(self._inner, line)
        if line.startswith("=") and (rule := _RULE.match(line)):
            self._rule(rule[1], len(line))
        elif self.is_open and (glued := _GLUED.search(line)):
            self._rule(_START, len(glued[0]))
        elif line[:1] in _OF_TOTAL and (total := _TOTAL.match(line)):
            if of.is_total(line, is_ruled=bool(total[1])):
                self._total(total[2], is_ruled=bool(total[1]))
            else:
                of.unsure = total[2]
        elif line.startswith("rootdir: ") and not of.is_inside and (root := _ROOT.match(line)):
            self.based(root[1])
        elif ": error: " in line and not of.is_inside and (usage := _USAGE.match(line)):
            self._refused(usage[1])
        elif line.startswith(_INTERNAL):
            of.errors.clear()
            of.errors.append((line.removeprefix(_INTERNAL), self.at))
        else:
            of.feed(line, self.at)
            if of.ran_nothing and of.errors:
                self._report_usage()
        return self._of.is_inside

    def findings(self) -> tuple[Findings, ...]:
        self._settle()
        if self.is_open and self._of.unsure and not self._of.has_heading:
            self._end(self._of.unsure)
        elif self.is_open:
            if not self._of.has_heading and self._of.sections:
                self._without_printed()
            self._report_all()
        return super().findings()

    def _refused(self, message: str) -> None:
        """Report invalid arguments, which old versions print twice."""
        if message != self._refusal:
            self._refusal = message
            self.report(_usage(message), SURE)
            self._end("")

    def _rule(self, title: str, width: int) -> None:
        of = self._of
        if title == _START:
            self._quiet.forget()
        if title == _START and of.is_inside and of.part != AFTER and of.is_muted:
            self._inner = Call()
        elif title == _START and (not of.is_inside or of.part == AFTER):
            self._settle()
            if self.is_open:
                self._outer = len(self._calls) if self._outer is None else self._outer
                self._report_all()
            self.begin(owns=True)
            self._of = Call()
            self._of.has_heading = True
            self._of.width = width
        elif width == of.width or not of.width:
            if of.pending and not of.has_heading and title in (FAILURES, ERRORS):
                self._settle()  # another call: a summary is followed by no such part of its own
                of = self._of
            if title in (FAILURES, ERRORS, SUMMARY) and not self.is_open:
                self._quiet.enter()
                self.begin(owns=True)
            of.enter(title, width)

    def _nested(self, inner: Call, line: str) -> bool:
        """Pass over a session that a test ran, up to its total, or up to that of this session if it has none."""
        if rule := _RULE.match(line):
            inner.enter(rule[1], len(line))
        elif (total := _TOTAL.match(line)) and total[1]:
            self._inner = None
            if lists(inner.listed, self._of.sections[0]):
                self._of.listed = inner.listed
                self._of.part = SUMMARY
                return self._read(line)
        elif inner.part == SUMMARY:
            inner.feed(line, self.at)
        return True

    def _total(self, total: str, *, is_ruled: bool) -> None:
        """Take a total, at once or once it is clear that no test printed it."""
        of = self._of
        if of.pending and not of.has_heading:
            self._settle()  # without a heading the next call shows only its total
            of = self._of
        if of.may_be_forged:
            of.wait(total, self.at)
            return
        if is_ruled and not of.has_heading and self._outer is not None:
            # A session that began before ends here: those in between were run by its tests.
            outer = self._calls[self._outer]
            del self._calls[self._outer :]
            call = self._call or Findings(self.name, SURE, self.at, self.at)
            self._call = call._replace(start=outer.start, owns=True, base=outer.base)
            self._outer = None
        self._end(total)

    def _settle(self) -> None:
        """End the call at a total that nothing of the same session follows."""
        if pending := self._of.pending:
            now, self.at = self.at, pending[1]
            self._end(pending[0])
            self.at = now

    def _end(self, total: str) -> None:
        counts = {_KEYS.get(what, what): int(number) for number, what in _COUNT.findall(total)}
        bad = sum(counts.get(what, 0) for what in ("failed", "errors", "subtests failed"))
        if not (self._of.listed or self._of.sections):
            self._of.listed = list(self._of.loose)[-bad:] if bad else []
        self._report_all()
        if not counts:
            self._report_usage()
        elif not self._of.has_heading:
            self._without_printed()
        self.finish(counts, bad if total else None)
        self._of = Call()
        self._of.ran_nothing = not counts

    def _without_printed(self) -> None:
        """Drop the earlier calls that turn out to be what a test of this one printed."""
        self._quiet.enter()
        for place in reversed(self._quiet.end(len(self._calls), has_sections=bool(self._of.sections))):
            del self._calls[place]

    def _report_all(self) -> None:
        of = self._of
        for test in failed_tests(of):
            problem = Problem(test.file, test.line, test.id, test.message, phase=test.phase, test=True)
            self.report(problem, SURE, test.at)

    def _report_usage(self) -> None:
        for message, at in self._of.errors:
            self.report(_usage(message), SURE, at)
        self._of.errors.clear()


def _usage(message: str) -> Problem:
    return Problem(None, None, None, message, phase="usage")
