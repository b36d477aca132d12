"""Tell whether a command is a test runner and nothing else: lines as other tools print them are then a test's. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_VARIABLES = r"^(?:\w+=[\w./:-]* +)*"
_ARGUMENTS = r"(?= |$)[^;&|<>`$()\n]*$"
_PYTHON = expression(
    rf"{_VARIABLES}(?:(?:uv|poetry|pdm|pipenv|hatch|rye) +run +)?(?:\S*/)?"
    rf"(?:python[\d.]*(?: +-[A-Zbu]\w*)* +-m +)?(pytest|py\.test|unittest){_ARGUMENTS}"
)
_NODE = expression(
    rf"{_VARIABLES}(?:(?:npx|bunx|pnpm +exec|yarn(?: +(?:run|exec))?)(?: +--?[\w-]+)* +)?(?:\S*/)?"
    rf"(jest|vitest|mocha){_ARGUMENTS}"
)
_COMPILED = expression(
    rf"{_VARIABLES}(?:\S*/)?(?:(go) +test|(cargo)(?: +\+\S+)?(?: +-[\w-]+)* +(?:test|nextest +run)){_ARGUMENTS}"
)


class SoleRunner(NamedTuple):
    """The tools that such a command runs, and what else may say how it crashed, or that it does not exist."""

    tools: tuple[str, ...]
    beside: tuple[str, ...]


_RUNNERS = {
    "pytest": SoleRunner(("pytest",), ("python", "shell")),
    "unittest": SoleRunner(("unittest",), ("python", "shell")),
    "jest": SoleRunner(("jest", "tap"), ("nodejs", "npm", "shell")),
    "vitest": SoleRunner(("vitest", "tap"), ("nodejs", "npm", "shell")),
    "mocha": SoleRunner(("mocha", "tap"), ("nodejs", "npm", "shell")),
    "go": SoleRunner(("go",), ("shell",)),
    "cargo": SoleRunner(("cargo-test", "nextest", "rustc", "rust-panic", "ld"), ("shell",)),
}


def sole_runner(command: str) -> SoleRunner | None:
    """Return the test runner that a command is, or None for any other command."""
    text = command.strip()
    for pattern in (_PYTHON, _NODE, _COMPILED):
        if found := pattern.match(text):
            return _RUNNERS[next(filter(None, found.groups())).replace(".", "")]
    return None


def sole_runners(commands: Iterable[str]) -> SoleRunner | None:
    """Return the test runners that commands are, together; None if one of them is none, or without commands."""
    every = [sole_runner(command) for command in commands]
    known = [one for one in every if one]
    if not known or len(known) != len(every):
        return None
    tools = dict.fromkeys(name for one in known for name in one.tools)
    beside = dict.fromkeys(name for one in known for name in one.beside)
    return SoleRunner(tuple(tools), tuple(beside))
