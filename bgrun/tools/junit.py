"""Test reports in the XML that JUnit's Ant task began: pytest, surefire, jest, go-junit-report and others write it.

There is no standard; the flavours are described at https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, NamedTuple

from bgrun.errors import UsageError
from bgrun.tools.problems import Problem, short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

_LAST = re.compile(r"^([^\s:][^:\n]*):(\d+): ", re.MULTILINE)
_ANY = re.compile(r"([\w./\\-]+\.\w+):(\d+)")
_BAD = ("failure", "error")


class Report(NamedTuple):
    """What a test report says: counts by outcome, and each test that failed."""

    counts: Mapping[str, int]
    problems: tuple[Problem, ...]


def parse(stream: IO[bytes]) -> Report:
    """Return what a report says, reading it test by test; entities and DTDs are refused.

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
                outcome, problem = _test(element)
                counts[outcome] += 1
                problems += [problem] if problem else []
                element.clear()
    except (ParseError, DefusedXmlException) as error:
        raise UsageError(f"no test report: {error}") from error
    return Report({what: count for what, count in counts.items() if count}, tuple(problems))


def _test(element: Element) -> tuple[str, Problem | None]:
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag in _BAD:
            return ("failed" if tag == "failure" else "errors"), _problem(element, child)
        if tag == "skipped":
            return "skipped", None
    return "passed", None


def _problem(test: Element, bad: Element) -> Problem:
    text = bad.text or ""
    file, line = _place(test, text)
    told = bad.get("message") or next((line for line in text.splitlines() if line.strip()), "") or bad.get("type", "")
    return Problem(file, line, _id(test, file), short(told or ""))


def _place(test: Element, text: str) -> tuple[str | None, int | None]:
    """Return where a test failed: the last place of its traceback, or what the report names by itself."""
    places = _LAST.findall(text)[-1:] or _ANY.findall(text)[:1]
    named, number = test.get("file"), test.get("line", "")
    if places and (named is None or places[0][0] == named):
        return places[0][0], int(places[0][1])
    return named, int(number) if number.isdecimal() else None


def _id(test: Element, file: str | None) -> str:
    """Return what a runner takes to run just this test, where that can be told, and else its full name."""
    name, group = test.get("name", ""), test.get("classname", "")
    module = (file or "").removesuffix(".py").replace("/", ".")
    if file and file.endswith(".py") and (group == module or group.startswith(f"{module}.")):
        return "::".join([file, *filter(None, group[len(module) + 1 :].split(".")), name])
    return ".".join(filter(None, (group, name)))
