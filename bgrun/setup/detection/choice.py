"""Keep one job for each thing that a project does: `make test` that only runs pytest is the same as pytest. Pure."""

from __future__ import annotations

import re

from bgrun.setup.detection.found import CHECKS, Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNITTEST = r"-m\s+unittest\b|\bmanage\.py\s+test\b"
_BEFORE_PROGRAM = (
    r"\s*(?:[A-Za-z_]\w*=\S*\s+|(?:npx|pnpx|bunx|cross-env|(?:npm|pnpm|yarn|bun) (?:exec|run|x)|yarn|node(?= \S*/))\s+"
    r"|--?[\w-]+\s+)*"
)
_OF_ANY_SCRIPT = frozenset(("cd", "echo", "node", "npm", "pnpm", "yarn", "bun", "set", "export", "true", "exit", "rm"))
"""Programs that say nothing of what a script does."""
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


def _is_alike(target: Found, script: Found) -> bool:
    """Return whether a target is for the same purpose as a script and runs one of its programs."""
    return target.purpose == script.purpose and not _programs(script.text).isdisjoint(_programs(target.text))


def _programs(text: str) -> set[str]:
    """Return the programs in the lines of a script, without what runs them: `npx`, `pnpm exec`, an assignment."""
    commands = re.split(r"&&|\|\||[;&|\n]", text[:_MOST_TEXT])
    words = (re.match(_BEFORE_PROGRAM + r"(?:\S*/)?([\w.-]+)", command) for command in commands)
    return {found[1] for found in words if found} - _OF_ANY_SCRIPT


def checks(found: Sequence[Found]) -> list[str]:
    """Return the names of the jobs of the group `checks`: tests, linters, type checkers, and nothing twice.

    Where a tool has a job, a target for the same purpose is left out: it most likely does the same in another way. Of
    a script of package.json it is known what it does, so that a target is left out only if it runs the same program.
    """
    of_tools = {one.purpose for one in found if not (one.target or one.text)}
    scripts = [one for one in found if one.text and not one.target]
    named = [
        one
        for one in found
        if one.purpose in CHECKS
        and not (one.target and (one.purpose in of_tools or any(_is_alike(one, other) for other in scripts)))
    ]
    alone = [one for one in named if not any(other is not one and _calls(other, one) for other in named)]
    linted = any(one.purpose == "lint" for one in found)
    return [*(one.name for one in alone), *(one.name for one in found if one.name == "pre_commit" and not linted)]
