"""Find the lines of a log that are about one problem: its traceback, or what a compiler says of it. Pure."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.parsers.shape import Problem

BEFORE, AFTER = 3, 12
"""How many lines around the place of a problem are about it, where no heading says so."""
_ARROW = " \u203a "
"""What jest and vitest write between the names of a suite and of a test in it."""
_ENDS = {
    "pytest": expression(r"_{3,} .+ _{3,}$|={3,} .+ ={3,}$"),
    "unittest": expression(r"={10,}$|Ran \d+ tests? in "),
    "go": expression(r"\s*--- (FAIL|PASS|SKIP): |=== |(FAIL|PASS|ok)\b"),
    "rust": expression(r"---- .+ ----$|failures:$"),
    "jest": expression(r"\s*● |(PASS|FAIL) |Test Suites: |Tests: "),
}


def section(lines: Sequence[str], problem: Problem) -> list[str]:
    """Return the lines about a problem, none if it is not in these lines.

    A test has a section with a heading in the output of most test runners. Otherwise the lines around the place that
    names its file and line, or its ID, are taken.
    """
    for kind, heading in _headings(problem):
        for at, line in enumerate(lines):
            if heading.match(line):
                return _until(lines, at, _ENDS[kind])
    for needle in _needles(problem):
        for at, line in enumerate(lines):
            if needle in line:
                return list(lines[max(0, at - BEFORE) : at + AFTER])
    return []


def _headings(problem: Problem) -> list[tuple[str, re.Pattern[str]]]:
    """Return the headings that the section of a test may have, for each kind of test runner."""
    if not problem.id:
        return []
    whole = problem.id
    path, colons, inner = whole.partition("::")
    dotted = re.escape(inner.replace("::", ".") if colons else path)
    last = re.escape(re.split(r"::|\.| - ", whole)[-1])
    jest = _ARROW.join(map(re.escape, re.split(rf"{_ARROW}| > | - ", whole)))
    found = [
        ("pytest", rf"_{{3,}} (ERROR at \w+ of |ERROR collecting )?{dotted} _{{3,}}$"),
        ("unittest", rf"(FAIL|ERROR): {last}\b"),
        ("go", rf"\s*--- FAIL: {re.escape(whole)} "),
        ("rust", rf"---- {re.escape(whole)} stdout ----$"),
        ("jest", rf"\s*● (.*{_ARROW})?{jest}$"),
    ]
    return [(kind, re.compile(text)) for kind, text in found]


def _until(lines: Sequence[str], begin: int, end: re.Pattern[str]) -> list[str]:
    for at in range(begin + 1, len(lines)):
        if end.match(lines[at]):
            return _trimmed(lines[begin:at])
    return _trimmed(lines[begin:])


def _trimmed(lines: Sequence[str]) -> list[str]:
    last = next((at for at in range(len(lines), 0, -1) if lines[at - 1].strip()), 0)
    return list(lines[:last])


def _needles(problem: Problem) -> list[str]:
    """Return what a line about a problem has in it, the most certain first."""
    name = (problem.file or "").rpartition("/")[2]
    places = [f"{name}:{problem.line}", f'{name}", line {problem.line}', f"{name}({problem.line}"]
    found = [f"{file}:{problem.line}" for file in (problem.file,) if file and problem.line]
    return [*found, *(places if name and problem.line else ()), *filter(None, (problem.id, problem.message))]


def named(problems: Sequence[Problem], text: str) -> Problem | None:
    """Return the problem that a text names: a test by its ID or the end of it, or FILE:LINE; None for none."""
    wanted = text.strip()
    for matches in (_is_same, _is_at, _ends_so):
        for one in problems:
            if matches(one, wanted):
                return one
    return None


def _is_same(problem: Problem, text: str) -> bool:
    return text in (problem.id, problem.message)


def _is_at(problem: Problem, text: str) -> bool:
    """Return whether a text begins with its place, as a line of a summary does, or with the end of that."""
    if not (problem.file and problem.line):
        return False
    place, _, rest = text.partition(" ")
    if problem.column is not None:
        place = place.removesuffix(f":{problem.column}")
    at = f"/{problem.file}:{problem.line}"
    return at.endswith(f"/{place.removeprefix('./').rstrip(':')}") and (not rest or _names(problem, rest))


def _names(problem: Problem, rest: str) -> bool:
    name = rest.split(":", maxsplit=1)[0].split(" ", maxsplit=1)[0]
    return name in (problem.id or "") or rest in problem.message


def _ends_so(problem: Problem, text: str) -> bool:
    ends = (f"::{text}", f".{text}", f" {text}", f"/{text}")
    return bool(problem.id) and (problem.id or "").endswith(ends)
