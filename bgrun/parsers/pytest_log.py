"""Read a pytest log: where each test failed, and how many did."""

from __future__ import annotations

import re
from typing import NamedTuple

from bgrun.wording import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.parsers.problem_matchers import Problem

_HEAD = re.compile(r"^_{2,} (?:ERROR at (?:setup|teardown) of |ERROR collecting )?(\S.*?) _{2,}$")
_WHERE = re.compile(r"^([^\s:][^:]*\.py):(\d+): ")
_END = re.compile(r"^=+ (?:short test summary info|\d+ \w+).*=+$")
_TOTAL = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \(.*\))?(?: =+)?$")
_COUNT = re.compile(r"(\d+) ([a-z]+)")


class _Section(NamedTuple):
    """The section of one failure: the last location of its traceback, and the first line of its error."""

    file: str = ""
    line: int | None = None
    error: str = ""


def located(problems: Sequence[Problem], lines: Iterable[str]) -> list[Problem]:
    """Complete the problems of a pytest run with locations and messages from the failure sections.

    pytest cuts the messages in its summary to the width of the terminal; the sections have the full text.
    """
    sections = _sections(lines)
    return [_completed(problem, sections.get(_head(problem), _Section())) for problem in problems]


def _sections(lines: Iterable[str]) -> dict[str, _Section]:
    found: dict[str, _Section] = {}
    head = ""
    for line in lines:
        if line.startswith("_") and (match := _HEAD.match(line)):
            head = match[1]
            found[head] = _Section()
        elif line.startswith("=") and _END.match(line):
            head = ""
        elif head and line.startswith("E  ") and not found[head].error:
            found[head] = found[head]._replace(error=line[1:].strip())
        elif head and (match := _WHERE.match(line)):
            found[head] = found[head]._replace(file=match[1], line=int(match[2]))
    return found


def _head(problem: Problem) -> str:
    """Return the heading of a test's section: its name, prefixed with its class."""
    return ".".join((problem.id or "").split("::")[1:]) or problem.id or ""


def _completed(problem: Problem, section: _Section) -> Problem:
    cut = not problem.message or problem.message.endswith(("...", "…"))
    message = short(section.error) if section.error and cut else problem.message
    # The summary names the test's file; a failure in a helper has its last location in another one.
    line = section.line if section.file == problem.file else None
    return problem._replace(line=problem.line or line, message=message)


def counts(lines: Iterable[str]) -> dict[str, int] | None:
    """Return the counts of tests by outcome from the summary line of a run, or None if there is none."""
    for line in lines:
        if match := _TOTAL.match(line):
            return {what: int(number) for number, what in _COUNT.findall(match[1])}
    return None
