"""Compare the problems of a run with those of an earlier one. Pure.

Nothing is claimed that the two digests do not show: a tool that was not recognized in the earlier run may not have run
then, and a test that is not named as failed may not have run now.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from bgrun.parsers.recognize import merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bgrun.logs.digest import Digest
    from bgrun.parsers.recognize import Recognized
    from bgrun.parsers.shape import Problem

JUNIT = "junit"
"""The name of test reports among the tools."""
_RAN = ("passed", "failed", "errors")
_THOROUGH = frozenset({"ruff", "flake8", "pylint", "pyright", "eslint", "eslint-stylish", "shellcheck"})
"""The tools that check all files even if some have errors, so that what they no longer report is fixed."""

_SILENT_ON_PASSED = frozenset({"go"})
"""The test runners that name and count failed tests only, unless they are asked for more (`-v`)."""


class ToolRun(NamedTuple):
    """A tool that a run used.

    of_tests: whether it is a test runner.
    tests: how many tests it counted, skipped ones too; None if it printed no total.
    ran: how many of them ran.
    """

    name: str
    of_tests: bool = False
    tests: int | None = None
    ran: int | None = None


class Comparison(NamedTuple):
    """How the problems of a run differ from those of an earlier one.

    run_id: the earlier run.
    new: the places of the problems that it did not have.
    fixed: how many of its problems there are no longer; None if that is unknown.
    """

    run_id: str
    new: tuple[int, ...]
    fixed: int | None


def tools_of(seen: Recognized, reported: Mapping[str, int]) -> tuple[ToolRun, ...]:
    """Return the tools of a run, from its log and the counts of its test reports."""
    found = [_tool_run(JUNIT, reported)] if reported else []
    for name in dict.fromkeys(call.tool for call in seen.calls):
        calls = [call for call in seen.calls if call.tool == name]
        if any(call.is_of_tests for call in calls):
            is_counted = all(call.total is not None for call in calls)
            found.append(_tool_run(name, merged(call.counts for call in calls)) if is_counted else ToolRun(name, True))
        else:
            found.append(ToolRun(name))
    return tuple(found)


def _tool_run(name: str, counts: Mapping[str, int]) -> ToolRun:
    tests = sum(number for what, number in counts.items() if what != "warnings")
    return ToolRun(name, True, tests, sum(counts.get(what, 0) for what in _RAN))


def compare(now: Digest, before: Digest) -> Comparison | None:
    """Return how the problems of a run differ from those of an earlier one, or None if they cannot be compared."""
    if not _can_be_compared(now, before):
        return None
    left = Counter(one.key for one in _problems(before))
    new = []
    for place, one in enumerate(_problems(now)):
        if left[one.key]:
            left[one.key] -= 1
        else:
            new.append(place)
    is_shown = bool(now.problems) or not now.run.succeeded
    return Comparison(before.run.run_id, tuple(new) if is_shown else (), _fixed(now, before, +left))


def _can_be_compared(now: Digest, before: Digest) -> bool:
    ours, theirs = _problems(now), _problems(before)
    known = {tool.name for tool in now.tools}
    # A test runner without a total may not have come to its end.
    earlier = {tool.name for tool in before.tools if not tool.of_tests or tool.tests is not None}
    if not (now.complete and before.complete) or now.wrapped or now.made_by != before.made_by:
        return False
    if (JUNIT in known) != (JUNIT in earlier) or not (ours or now.run.succeeded):
        return False
    if ours and ours[0].mild and any(not one.mild for one in theirs):
        return False  # warnings are listed only where there are no errors
    # A tool other than a test runner may print nothing when all is well.
    quiet = {_tool(one) for one in ours if not one.test} if before.run.succeeded else set()
    return {_tool(one) for one in ours} <= earlier | quiet


def _problems(digest: Digest) -> Sequence[Problem]:
    return digest.silent if digest.run.succeeded else digest.problems


def _tool(problem: Problem) -> str:
    return problem.tool or (JUNIT if problem.test else "")


def _fixed(now: Digest, before: Digest, left: Mapping[tuple[str, ...], int]) -> int | None:
    """Return how many problems there are no longer; None if what had them may not have run to its end.

    What was not shown of a run that succeeded is not fixed either.

    It is None, too, where nothing is gone, if a tool had problems of which that could not be known: a reader who
    once sees `0 fixed` takes its absence for an answer.
    """
    every = before.problems
    if any(one.mild for one in every) and not all(one.mild for one in _problems(now)):
        return None  # warnings are listed only where there are no errors
    gone = [one for one in every if one.key in left]
    if not all(_can_tell(name, now, before) for name in dict.fromkeys(map(_tool, every))):
        return None
    has_run = all(_has_run(_tool(one), now, before) for one in gone)
    return sum(left[key] for key in {one.key for one in gone}) if has_run else None


def _can_tell(name: str, now: Digest, before: Digest) -> bool:
    """Return whether the output of a tool can show that a problem which it had is fixed."""
    theirs = _tool_in(before, name)
    if theirs and theirs.of_tests:
        return name not in _SILENT_ON_PASSED or any(_names_passed(name, one) for one in (now, before))
    return now.run.succeeded or name in _THOROUGH


def _names_passed(name: str, digest: Digest) -> bool:
    """Return whether a test runner counted more tests than those that failed."""
    tool = _tool_in(digest, name)
    return tool is not None and (tool.tests or 0) > sum(1 for one in _problems(digest) if _tool(one) == name)


def _has_run(name: str, now: Digest, before: Digest) -> bool:
    """Return whether a tool has checked again what it checked before."""
    ours, theirs = _tool_in(now, name), _tool_in(before, name)
    if theirs and theirs.of_tests:
        return ours is not None and None not in (ours.tests, theirs.tests) and (ours.tests or 0) >= (theirs.tests or 0)
    return now.run.succeeded or (ours is not None and name in _THOROUGH)


def _tool_in(digest: Digest, name: str) -> ToolRun | None:
    return next((tool for tool in digest.tools if tool.name == name), None)


def passed_in(now: Digest, other: Digest) -> Iterator[int]:
    """Yield the places of a run's failed tests that passed in another run of the same tests.

    A test passed if it is not among the failed ones, and the tool ran as many tests and skipped as many.
    """
    if not other.complete or now.made_by != other.made_by:
        return
    keys = {one.key for one in _problems(other)}
    for place, one in enumerate(now.problems):
        ours, theirs = _tool_in(now, _tool(one)), _tool_in(other, _tool(one))
        if one.test and not one.phase and one.key not in keys and ours and ours == theirs and ours.tests:
            yield place
