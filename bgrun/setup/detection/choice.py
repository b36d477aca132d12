"""Keep one job for each thing that a project does: `make test` that only runs pytest is the same as pytest. Pure."""

from __future__ import annotations

import re

from bgrun.setup.detection.found import CHECKS, Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNITTEST = r"-m\s+unittest\b|\bmanage\.py\s+test\b"
_MOST_TEXT = 10_000
"""How many characters of a script are searched for what it calls."""


def without_doubles(tools: Sequence[Found], targets: Sequence[Found]) -> list[Found]:
    """Return jobs, none of which does only what others do, each name once.

    Args:
        tools: jobs that run a tool of the project.
        targets: jobs that run targets and scripts, which may call these, or each other.
    """
    every = (*tools, *targets)
    kept = {one.name: one for one in reversed(every)}
    for one in every:
        called = [other for other in every if other.name != one.name and _calls(one, other)]
        same = [other for other in called if other.purpose == one.purpose]
        if one.name not in kept or not called:
            continue
        if one.plain or _is_all(one, called if one.purpose == "check" else same):
            del kept[one.name]
        elif len(same) == 1 and same[0] in tools and not _is_needed(same[0], kept.values()):
            # It does something more, without which the tool may not work.
            kept.pop(same[0].name, None)
            kept[one.name] = one._replace(
                more=(*one.more, *(line for line in same[0].more if line.startswith("rerun:")))
            )
    return [kept[name] for name in dict.fromkeys(one.name for one in every) if name in kept]


def _calls(one: Found, other: Found) -> bool:
    """Return whether a target runs what another job runs."""
    return bool(one.text and other.called and re.search(other.called, one.text[:_MOST_TEXT]))


def _is_all(one: Found, called: Sequence[Found]) -> bool:
    """Return whether a target does nothing but what these jobs do."""
    if len(one.text) > _MOST_TEXT:
        return False
    parts = [part for line in one.text.splitlines() for part in re.split(r"&&|;", line) if part.strip()]
    return all(any(re.search(other.called, part) for other in called) for part in parts)


def _is_needed(tool: Found, others: Iterable[Found]) -> bool:
    return any(f"depends_on: {tool.name}" in one.more for one in others)


def is_run_by(one: Found, commands: Sequence[str]) -> bool:
    """Return whether one of these commands runs what a job runs, or the same tests with the runner of Python itself."""
    called = [one.called, _UNITTEST if one.command.startswith("pytest") else ""]
    return any(
        one.command in command or any(re.search(pattern, command) for pattern in called if pattern)
        for command in commands
    )


def checks(found: Sequence[Found]) -> list[str]:
    """Return the names of the jobs of the group `checks`: tests, linters, type checkers, and nothing twice.

    Where a tool has a job, a target for the same purpose is left out: it most likely does the same in another way.
    """
    of_tools = {one.purpose for one in found if not one.target}
    named = [one for one in found if one.purpose in CHECKS and not (one.target and one.purpose in of_tools)]
    alone = [one for one in named if not any(other is not one and _calls(other, one) for other in named)]
    linted = any(one.purpose == "lint" for one in found)
    return [*(one.name for one in alone), *(one.name for one in found if one.name == "pre_commit" and not linted)]
