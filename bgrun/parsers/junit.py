"""Test reports in the XML that JUnit's Ant task began: pytest, surefire, jest, go-junit-report and others write it.

There is no standard; the flavours are described at https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, NamedTuple

from bgrun.errors import UsageError
from bgrun.parsers.problem_matchers import Problem
from bgrun.wording import short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

_LAST = re.compile(r"^([^\s:][^:\n]*):(\d+): ", re.MULTILINE)
_ANY = re.compile(r"([\w./\\-]+\.\w+):(\d+)")
_BAD = ("failure", "error")


class Report(NamedTuple):
    """What a test report says: counts by outcome, and each test that failed."""

    counts: Mapping[str, int]
    problems: tuple[Problem, ...]


def parse(stream: IO[bytes], show: Callable[[str], str] = str) -> Report:
    """Return what a report says, reading it test by test; entities and DTDs are refused.

    Args:
        stream: the report.
        show: gives a line of it as it may be shown; what is cut short is cut behind that.

    Raises:
        UsageError: it is no XML, or only a part of it was written.
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
        raise UsageError(f"no test report: {error}") from error
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
    """A test that failed, in the report's words as they may be shown."""

    name: str
    group: str
    file: str | None
    line: str
    told: str
    text: str

    @classmethod
    def of(cls, test: Element, bad: Element, show: Callable[[str], str]) -> _Test:
        def shown(text: str | None) -> str:
            return "\n".join(show(line) for line in (text or "").split("\n"))

        text, message = shown(bad.text), shown(bad.get("message"))
        told = message or next((line for line in text.split("\n") if line.strip()), "") or shown(bad.get("type"))
        file = test.get("file")
        place = None if file is None else shown(file)
        return cls(shown(test.get("name")), shown(test.get("classname")), place, test.get("line", ""), told, text)


def _problem(test: _Test) -> Problem:
    file, line = _place(test)
    return Problem(file, line, _id(test, file), short(test.told))


def _place(test: _Test) -> tuple[str | None, int | None]:
    """Return where a test failed: the last place of its traceback, or what the report names by itself."""
    places = _LAST.findall(test.text)[-1:] or _ANY.findall(test.text)[:1]
    named, number = test.file, test.line
    if places and (named is None or places[0][0] == named):
        return places[0][0], int(places[0][1])
    return named, int(number) if number.isdecimal() else None


def _id(test: _Test, file: str | None) -> str:
    """Return what a runner takes to run just this test, where that can be told, and else its full name."""
    name, group = test.name, test.group
    module = (file or "").removesuffix(".py").replace("/", ".")
    if file and file.endswith(".py") and (group == module or group.startswith(f"{module}.")):
        return "::".join([file, *filter(None, group[len(module) + 1 :].split(".")), name])
    return ".".join(filter(None, (group, name)))
