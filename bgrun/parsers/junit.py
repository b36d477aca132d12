"""Read JUnit reports, as pytest, Surefire, Jest, go-junit-report and others write them.

There is no standard; the variants are described at https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, NamedTuple

from bgrun.errors import UsageError
from bgrun.parsers.shape import Problem
from bgrun.wording import short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

_LAST = re.compile(r"^([^\s:][^:\n]*):(\d+): ", re.MULTILINE)
_ANY = re.compile(r"([\w./\\-]+\.\w+):(\d+)")
_BAD = ("failure", "error")


class Report(NamedTuple):
    """The content of a test report: counts by outcome, and a problem for each test that failed."""

    counts: Mapping[str, int]
    problems: tuple[Problem, ...]


def parse(stream: IO[bytes], show: Callable[[str], str] = str) -> Report:
    """Parse a report, one test at a time; entities and DTDs are refused.

    Args:
        stream: the report.
        show: masks the secrets in a line of it; it is called before text is shortened.

    Raises:
        UsageError: it is not XML, or incomplete.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    counts = dict.fromkeys(("passed", "failed", "errors", "skipped"), 0)
    problems: list[Problem] = []
    try:
        for _, element in ElementTree.iterparse(stream, forbid_dtd=True):
            if element.tag.rpartition("}")[2] == "testcase":
                outcome, problem = _test(element, show)
                counts[outcome] += 1
                problems += [problem] if problem else []
                element.clear()
    except (ParseError, DefusedXmlException) as error:
        raise UsageError(f"invalid test report: {error}") from error
    return Report({what: count for what, count in counts.items() if count}, tuple(problems))


def _test(element: Element, show: Callable[[str], str]) -> tuple[str, Problem | None]:
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag in _BAD:
            return ("failed" if tag == "failure" else "errors"), _problem(_Test.of(element, child, show))
        if tag == "skipped":
            return "skipped", None
    return "passed", None


class _Test(NamedTuple):
    """A test that failed, with secrets masked."""

    name: str
    group: str
    file: str | None
    line: str
    message: str
    text: str

    @classmethod
    def of(cls, test: Element, bad: Element, show: Callable[[str], str]) -> _Test:
        def shown(text: str | None) -> str:
            return "\n".join(show(line) for line in (text or "").split("\n"))

        text, message = shown(bad.text), shown(bad.get("message"))
        first = message or next((line for line in text.split("\n") if line.strip()), "") or shown(bad.get("type"))
        file = test.get("file")
        place = None if file is None else shown(file)
        return cls(shown(test.get("name")), shown(test.get("classname")), place, test.get("line", ""), first, text)


def _problem(test: _Test) -> Problem:
    file, line = _place(test)
    return Problem(file, line, _id(test, file), short(test.message), test=True)


def _place(test: _Test) -> tuple[str | None, int | None]:
    """Return file and line of a failure: the last ones of its traceback, else those in the report's attributes."""
    places = _LAST.findall(test.text)[-1:] or _ANY.findall(test.text)[:1]
    named, number = test.file, test.line
    if places and (named is None or places[0][0] == named):
        return places[0][0], int(places[0][1])
    return named, int(number) if number.isdecimal() else None


def _id(test: _Test, file: str | None) -> str:
    """Return the argument with which pytest runs only this test if it is known, else its full name."""
    name, group = test.name, test.group
    module = (file or "").removesuffix(".py").replace("/", ".")
    if file and file.endswith(".py") and (group == module or group.startswith(f"{module}.")):
        return "::".join([file, *filter(None, group[len(module) + 1 :].split(".")), name])
    return ".".join(filter(None, (group, name)))
