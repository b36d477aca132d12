"""Recognize pytest in every style: which tests failed, where, and its own totals.

The short summary names the tests; the sections of `FAILURES` and `ERRORS` have the place and the whole message. Both
are in the same order, so that the n-th section of a title belongs to the n-th line of it: two files may have a test of
the same name. Lines of results count only where there is no summary (`-v --no-summary`).
"""

from __future__ import annotations

import re
from collections import deque
from itertools import takewhile
from typing import NamedTuple

from bgrun.parsers.shape import MOST_FOUND, SURE, Findings, Parser, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_OUTCOMES = (
    "passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun|subtests (?:passed|failed|skipped)"
)
_TOTAL = re.compile(
    rf"^(=+ )?(no tests ran|\d+ (?:{_OUTCOMES})(?:, \d+ (?:{_OUTCOMES}))*) in \d[\d.]*s(?: \([\d:, day]+\))?(?: =+)?$"
)
_COUNT = re.compile(r"(\d+) ([a-z ]+)")
_KEYS = {"error": "errors", "warning": "warnings"}
_START, _FAILURES, _ERRORS, _SUMMARY = "test session starts", "FAILURES", "ERRORS", "short test summary info"
_RULE = re.compile(
    rf"^=+ ({_START}|{_FAILURES}|{_ERRORS}|{_SUMMARY}|PASSES|XFAILURES|XPASSES"
    r"|(?:warnings summary|slowest|tests coverage|coverage).*) =+$"
)
_GLUED = re.compile(rf"(?<=[^=])=+ {_START} =+$")
"""The heading of a session that a test runs with `-s`, after the dots of the tests before."""
_HEAD = re.compile(r"^_+ (ERROR at (setup|teardown) of |ERROR (collecting) )?(\S.*?) _+$")
_CAPTURED = re.compile(r"^-+ Captured .+ -+$")
_PART = r"(?:\[[^]]*\])?(?: ?\([^)]*\))?"
_LISTED = re.compile(rf"^(?:(FAILED|ERROR|SUBFAILED|SUBFAIL)({_PART})|({_PART}) (SUBFAIL)) (\S.*)$")
_RESULT = re.compile(
    r"^(?:\[gw\d+\] \[ *\d+%\] (FAILED|ERROR) (\S.*?)|(\S.*?\S) (FAILED|ERROR)(?: +\[ *[\d/%]+\])?) *$"
)
_PLACE = re.compile(r"^(\S[^:]*(?::[^:\d][^:]*)*):(\d+): (.*)$")
_NATIVE = re.compile(r'^  +File "([^"]+)", line (\d+)')
_ROOT = re.compile(r"^rootdir: (.+?)(?:, (?:configfile|inifile|testpaths):.*)?$")
_USAGE = re.compile(r"^(?:\S*pytest|\S*py\.test|__main__\.py): error: (.+)$")
_ERROR = re.compile(r"^ERROR: (?!usage:)(\S.*)$")
_INTERNAL = "INTERNALERROR> "
_ASSERTED = re.compile(r"^(?:AssertionError: )?assert\b")
_EXPLAINED = ("assert ", "+ ", "Use -v ")
_MOST_LINES = 5
"""How many lines of a message are kept."""


class _Section:
    """The section of a failure: its places in order, the first line of its error, and the lines of each error."""

    def __init__(self, phase: str, title: str, at: int) -> None:
        self.phase = phase
        self.title = title
        self.at = at
        self.places: list[tuple[str, int, str]] = []
        self.error = ""
        self.is_muted = False
        self.is_native = False
        self.has_error = False
        self.doctest: list[str] = []
        self._errors: list[list[str]] = []
        self._is_error = False

    def feed(self, line: str) -> None:
        was_error, self._is_error = self._is_error, line.startswith("E  ")
        if self.is_muted or _CAPTURED.match(line):
            self.is_muted = True
        elif self._is_error:
            if not was_error:
                self._errors.append([])
            self._errors[-1] += [line[1:].strip()] if len(self._errors[-1]) < _MOST_LINES else []
            self._error(line[1:])
        elif line in ("Expected:", "Got:") or (self.doctest and line.startswith("    ")):
            self.doctest.append(line.strip())
        elif place := _PLACE.match(line):
            self.places.append((place[1], int(place[2][:9]), place[3]))
        elif native := _NATIVE.match(line):
            self.places.append((native[1], int(native[2][:9]), ""))
            self.is_native = True
        elif self.is_native and line and not line[0].isspace():
            # The last line of a traceback as Python prints it.
            self.error = self.error or line

    def _error(self, text: str) -> None:
        if text[:4].strip():
            # The first line that is not indented is the error; a syntax error has its place and the code before it.
            self.error = self.error if self.has_error else text.strip()
            self.has_error = True
        elif native := _NATIVE.match(text[3:]):
            self.places.append((native[1], int(native[2][:9]), ""))
        else:
            self.error = self.error or text.strip()

    def line_in(self, file: str) -> int | None:
        """Return the line of the last frame in a file, which the section may name relative to another directory."""
        return next((line for path, line, _ in reversed(self.places) if _is_same(path, file)), None)

    def message(self) -> str:
        if self.doctest:
            return " ".join(self.doctest)
        return self.whole(self.error) or (self.places[-1][2] if self.places else "")

    def whole(self, first: str) -> str:
        """Return the message that begins with a line; what pytest explains of an assertion is left out."""
        lines = next((one for one in reversed(self._errors) if one[0] == first.strip()), [first])
        if _ASSERTED.match(first):
            return first
        return " ".join([first, *takewhile(lambda line: line and not line.startswith(_EXPLAINED), lines[1:])])


class _Listed(NamedTuple):
    """A test in the short summary, or in the list of results, and its position in the log.

    part: its subtest, or its phase.
    """

    kind: str
    part: str
    text: str
    at: int


def _listed(line: str, at: int) -> Iterator[_Listed]:
    if found := _LISTED.match(line):
        yield _Listed(found[1] or found[4], (found[2] or found[3] or "").strip(), found[5], at)


class _Call:
    """All that one call of pytest printed of its failures."""

    def __init__(self) -> None:
        self.part = ""
        self.width = 0
        self.has_heading = False
        self.has_title = False
        self.unsure = ""
        self.ran_nothing = False
        self.pending: tuple[str, int] | None = None
        self.sections: list[_Section] = []
        self.listed: list[_Listed] = []
        self.results: list[_Listed] = []
        self.ended: set[str] = set()
        self.loose: deque[_Listed] = deque(maxlen=MOST_FOUND)
        self.errors: deque[tuple[str, int]] = deque(maxlen=MOST_FOUND)

    @property
    def is_inside(self) -> bool:
        """Whether every line is wanted."""
        return self.part in (_FAILURES, _ERRORS, _SUMMARY)

    def enter(self, part: str, width: int) -> None:
        if part == _SUMMARY or self.pending:
            # What looked like a summary before was what a test printed: the last one is pytest's.
            self.listed, self.pending = [], None
        self.part, self.width, self.has_title = part, width, False

    def feed(self, line: str, at: int) -> None:
        if self.part in (_FAILURES, _ERRORS):
            if (head := _HEAD.match(line)) and self._is_rule(line):
                self.sections.append(_Section(head[2] or ("collection" if head[3] else ""), head[4], at))
                self.has_title = True
            elif self.has_title:
                self.sections[-1].feed(line)
            elif _PLACE.match(line):
                # --tb=line
                self.sections.append(_Section("", "", at))
                self.sections[-1].feed(line)
        elif self.part == _SUMMARY:
            if self.sections and _HEAD.match(line) and len(line) == self.width:
                # A test printed the summary: the sections continue.
                self.enter(_FAILURES, self.width)
                self.listed = []
                self.feed(line, at)
            else:
                self.listed += _listed(line, at)
        elif not self.has_heading and _LISTED.match(line):
            # The beginning of the output may have been cut off: pytest | tail
            self.loose += _listed(line, at)
        elif found := _ERROR.match(line):
            self.errors.append((found[1], at))
        elif found := _RESULT.match(line):
            kind, text = (found[1], found[2]) if found[1] else (found[4], found[3])
            if "::" in text:
                part = "" if kind == "FAILED" else "teardown" if text in self.ended else "setup"
                self.results.append(_Listed(kind, part, text, at))
                self.ended.add(text)

    def _is_rule(self, line: str) -> bool:
        """Return whether a heading is as wide as those of this call: a test may print one."""
        return len(line) == self.width or (len(line) > self.width and line.startswith("_ "))

    def is_total(self, line: str, *, is_ruled: bool) -> bool:
        """Return whether a line with counts is the total: a test may have printed one."""
        if is_ruled:
            return self.width in (0, len(line))
        return not self.has_heading and not (self.part in (_FAILURES, _ERRORS) and self.is_muted)

    @property
    def is_muted(self) -> bool:
        """Whether the lines are what a test printed."""
        return bool(self.sections) and self.sections[-1].is_muted

    @property
    def may_be_forged(self) -> bool:
        """Whether a total may be what a test printed: then what follows it shows whether it is."""
        return self.has_heading and any(one.is_muted for one in self.sections)


class Pytest(Parser):
    """pytest, any style of traceback, with its plugins xdist and subtests."""

    name = "pytest"
    stems = (
        (" passed", " in "), (" failed", " in "), (" error", " in "), (" warning", " in "),
        "FAILED", "ERROR", "pytest: error: ", "py.test: error: ", "__main__.py: error: ",
        f"= {_START} =",
    )  # fmt: skip
    starts = ("==========", "rootdir: ", "no tests ran", "\\d[0-9]* (?:skipped|xfailed|xpassed|deselected)")

    def __init__(self) -> None:
        super().__init__()
        self._of = _Call()
        self._refusal = ""
        self._outer: int | None = None
        self._inner: _Call | None = None

    def feed(self, line: str) -> bool:
        of = self._of
        if self._inner:
            return self._nested(self._inner, line)
        if line.startswith("=") and (rule := _RULE.match(line)):
            self._rule(rule[1], len(line))
        elif self.is_open and (glued := _GLUED.search(line)):
            self._rule(_START, len(glued[0]))
        elif total := _TOTAL.match(line):
            if of.is_total(line, is_ruled=bool(total[1])):
                self._total(total[2], is_ruled=bool(total[1]))
            else:
                of.unsure = total[2]
        elif not of.is_inside and (root := _ROOT.match(line)):
            self.based(root[1])
        elif not of.is_inside and (usage := _USAGE.match(line)):
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
        if title == _START and of.is_inside and of.is_muted:
            self._inner = _Call()
        elif title == _START and not of.is_inside:
            self._settle()
            if self.is_open:
                self._outer = len(self._calls) if self._outer is None else self._outer
                self._report_all()
            self.begin(owns=True)
            self._of = _Call()
            self._of.has_heading = True
            self._of.width = width
        elif width == of.width or not of.width:
            if title in (_FAILURES, _ERRORS, _SUMMARY) and not self.is_open:
                self.begin(owns=True)
            of.enter(title, width)

    def _nested(self, inner: _Call, line: str) -> bool:
        """Pass over a session that a test ran, up to its total, or up to that of this session if it has none."""
        if rule := _RULE.match(line):
            inner.enter(rule[1], len(line))
        elif (total := _TOTAL.match(line)) and total[1]:
            self._inner = None
            if _lists(inner.listed, self._of.sections[0]):
                self._of.listed = inner.listed
                self._of.part = _SUMMARY
                return self.feed(line)
        elif inner.part == _SUMMARY:
            inner.feed(line, self.at)
        return True

    def _total(self, total: str, *, is_ruled: bool) -> None:
        """Take a total, at once or once it is clear that no test printed it."""
        of = self._of
        if is_ruled and of.may_be_forged:
            of.pending = total, self.at
            of.part = of.part if of.part != _SUMMARY else ""
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
        self.finish(counts, bad if total else None)
        self._of = _Call()
        self._of.ran_nothing = not counts

    def _report_all(self) -> None:
        of = self._of
        for test in _tests(of):
            problem = Problem(test.file, test.line, test.id, test.message, phase=test.phase, test=True)
            self.report(problem, SURE, test.at)

    def _report_usage(self) -> None:
        for message, at in self._of.errors:
            self.report(_usage(message), SURE, at)
        self._of.errors.clear()


def _usage(message: str) -> Problem:
    return Problem(None, None, None, message, phase="usage")


class _Test(NamedTuple):
    """A test that failed."""

    file: str
    line: int | None
    id: str
    message: str
    phase: str
    at: int


def _tests(of: _Call) -> Iterator[_Test]:
    """Yield the tests that failed: from the summary, else from the sections, else from the list of results."""
    if of.listed:
        left: dict[str, list[_Section]] = {}
        for section in reversed(of.sections):
            left.setdefault(section.title, []).append(section)
        for listed in of.listed:
            yield _with_section(listed, left)
    elif of.sections:
        yield from map(_without_summary, of.sections)
    else:
        for one in of.results:
            yield _Test(one.text.partition("::")[0], None, one.text, "", one.part, one.at)


def _with_section(listed: _Listed, left: Mapping[str, list[_Section]]) -> _Test:
    """Return a test of the summary, completed with the first section of its title that is left, which it uses up."""
    splits = list(_splits(listed.text))
    whole = next((one for one in splits if _is_whole(one[0])), splits[-1])
    for id, message in splits:
        for title in (*_titles(id, listed), *([""] if (id, message) == whole else [])):
            if section := _taken(left.get(title, []), listed, id):
                file = id.partition("::")[0]
                # pytest cuts the messages of its summary to the width of the terminal.
                is_cut = not message or message.endswith(("...", "…"))
                full = section.message() if is_cut else section.whole(message)
                return _Test(file, section.line_in(file), id, full, section.phase or listed.part, listed.at)
    id, message = whole
    phase = listed.part if listed.kind != "ERROR" else "setup or teardown" if "::" in id else "collection"
    return _Test(id.partition("::")[0], None, id, message, phase, listed.at)


def _lists(every: Iterable[_Listed], section: _Section) -> bool:
    """Return whether a summary has the test of a section."""
    return any(section.title in _titles(id, one) for one in every for id, _ in _splits(one.text))


def _taken(sections: list[_Section], listed: _Listed, id: str) -> _Section | None:
    """Take the next section of this kind from those of a title, of which the last one comes first."""
    file = id.partition("::")[0]
    for place in range(len(sections) - 1, -1, -1):
        section = sections[place]
        fits = section.title or any(_is_same(path, file) for path, _, _ in section.places)
        if (listed.kind == "ERROR") == bool(section.phase) and fits:
            return sections.pop(place)
    return None


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to split a line into test and message, the shortest test first: both may contain ` - `."""
    at = text.find(" - ")
    while at >= 0:
        yield text[:at], text[at + 3 :]
        at = text.find(" - ", at + 1)
    yield text, ""


def _titles(id: str, listed: _Listed) -> tuple[str, ...]:
    """Return the titles that the section of a test may have."""
    name = id.partition("::")[2]
    if not name:
        return (id,)
    plain, bracket, values = name.partition("[")
    return " ".join(filter(None, (plain.replace("::", ".") + bracket + values, listed.part))), f"[doctest] {name}"


def _without_summary(section: _Section) -> _Test:
    path, line, _ = section.places[0] if section.places else ("", None, "")
    if section.phase == "collection":
        return _Test(
            section.title, section.line_in(section.title), section.title, section.message(), section.phase, section.at
        )
    plain, bracket, values = section.title.removeprefix("[doctest] ").partition("[")
    name = plain.replace(".", "::") + bracket + values
    where = section.line_in(path) or line
    return _Test(path, where, "::".join(filter(None, (path, name))), section.message(), section.phase, section.at)


def _is_whole(id: str) -> bool:
    """Return whether a test may end here: the values of its parameters end with a bracket."""
    name = id.partition("::")[2]
    return "[" not in name or name.endswith("]")


def _is_same(path: str, file: str) -> bool:
    """Return whether two paths may name one file: one of them ends with the other."""
    one, other = path.removeprefix("./"), file.removeprefix("./")
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")
