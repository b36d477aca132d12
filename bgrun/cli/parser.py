"""Parse plain command lines without click, whose import costs more than most commands.

Plain is a command, its options and those of the project each as an argument of its own followed by its value, and its
arguments. Everything else (help, abbreviations, `--option=value`, errors) is left to click, which is built
from the same spec; a test compares the two.
"""

from __future__ import annotations

from bgrun.cli.spec.lookup import find
from bgrun.cli.spec.shapes import PROJECT_OPTIONS, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def read(words: Sequence[str], extra_args: Sequence[str] | None) -> tuple[Command, dict[str, Any]] | None:
    """Return the command and its values, or None where click has to parse these arguments.

    Args:
        words: the arguments before `--`.
        extra_args: those after it, or None without one.
    """
    place = _command_place(words)
    command = find(words[place]) if place < len(words) else None
    if command is None or (extra_args is not None and not command.tail):
        return None
    values: dict[str, Any] = {one.name: _ABSENT.get(one.kind) for one in (*command.options, *PROJECT_OPTIONS)}
    before = _options(PROJECT_OPTIONS, words[:place], values)
    given = _options((*command.options, *command.project_options), words[place + 1 :], values)
    if before is None or given is None or not _arguments(command, given, values):
        return None
    return command, values


_ABSENT: dict[str, Any] = {"flag": False, "texts": ()}


def _command_place(words: Sequence[str]) -> int:
    """Return the place of the command: after the options of the project, each with its value."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2
    return place


def _options(options: Sequence[Option], words: Sequence[str], values: dict[str, Any]) -> list[str] | None:
    """Move the options into the values; return the other arguments, or None for a form that is not plain."""
    spelled = {spelling: option for option in options for spelling in option.spellings}
    rest: list[str] = []
    seen: set[str] = set()
    queue = iter(words)
    for word in queue:
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        option = spelled.get(word)
        value = None if option is None else True if option.kind == "flag" else _value(option, next(queue, ""))
        if option is None or value is None or (option.name in seen and option.kind != "texts"):
            return None
        seen.add(option.name)
        values[option.name] = (*values[option.name], value) if option.kind == "texts" else value
    return rest


def _value(option: Option, word: str) -> Any:
    """Return the value of an option, or None if it is not plainly one."""
    if not word or word.startswith("-"):
        return None
    if option.kind == "int":
        return int(word) if word.isascii() and word.isdigit() and int(word[:9]) > 0 and len(word) < 10 else None
    if option.kind == "duration":
        return _duration(word)
    return word


def _duration(word: str) -> float | None:
    from bgrun.api import duration
    from bgrun.errors import UsageError

    try:
        return duration(word)
    except UsageError:
        return None


def _arguments(command: Command, given: list[str], values: dict[str, Any]) -> bool:
    """Assign the positional arguments; return whether they fit."""
    left = list(given)
    for argument in command.arguments:
        if argument.many in ("some", "any"):
            values[argument.name] = tuple(left)
            if argument.many == "some" and not left:
                return False
            left = []
        elif left:
            values[argument.name] = left.pop(0)
        elif argument.many == "one":
            return False
        else:
            values[argument.name] = None
    return not left
