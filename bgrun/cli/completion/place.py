"""Find what the word at the cursor is: a command, an option, the value of one, an argument. Pure."""

from __future__ import annotations

from bgrun.cli.spec.lookup import find
from bgrun.cli.spec.shapes import PROJECT_OPTIONS, Option
from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgrun.cli.spec.shapes import Command

HELP = Option("help", ("-h", "--help"), "Show this help and exit.")
VERSION = Option("version", ("-V", "--version"), "Show the version and exit.")


class Place(NamedTuple):
    """Where the cursor is.

    command: the command that was typed before it, or None.
    arguments: the positional arguments before it.
    given: the options before it by name, each with its values.
    option: the option whose value is at the cursor, or None.
    typed: the word at the cursor, of a value `--option=value` without the option.
    prefix: that option, `--option=`, or ''.
    extra: the words after `--` before the cursor, or None before `--`.
    """

    command: Command | None
    arguments: tuple[str, ...]
    given: Mapping[str, tuple[str, ...]]
    option: Option | None
    typed: str
    prefix: str = ""
    extra: tuple[str, ...] | None = None

    @property
    def options(self) -> tuple[Option, ...]:
        """The options that can be given here."""
        return options_of(self.command)


def options_of(command: Command | None) -> tuple[Option, ...]:
    """Return the options of a command with those of the project, or those that stand before every command."""
    if command is None:
        return (*PROJECT_OPTIONS, VERSION, HELP)
    return (*command.options, *command.project_options, HELP)


def at(words: Sequence[str], typed: str) -> Place:
    """Return the place of a word after these others, which do not include the name of the program."""
    command: Command | None = None
    arguments: list[str] = []
    given: dict[str, tuple[str, ...]] = {}
    waiting: Option | None = None
    for place, word in enumerate(words):
        if waiting:
            given[waiting.name] = (*given.get(waiting.name, ()), word)
            waiting = None
        elif word == "--":
            return Place(command, tuple(arguments), given, None, typed, extra=tuple(words[place + 1 :]))
        elif word.startswith("-") and word != "-":
            waiting = _option(word, command, given)
        elif command is None:
            command = find(word)
            if command is None:
                return Place(None, (word,), given, None, typed)
        else:
            arguments.append(word)
    place_of = Place(command, tuple(arguments), given, waiting, typed)
    return place_of if waiting else _with_attached(place_of)


def _option(word: str, command: Command | None, given: dict[str, tuple[str, ...]]) -> Option | None:
    """Note the options of a word such as `--state`, `--state=failed`, `-qw` or `-t50s`.

    Returns:
        The option whose value has to follow as a word of its own, or None.
    """
    spelled = {spelling: option for option in options_of(command) for spelling in option.spellings}
    name, equals, value = word.partition("=")
    if word.startswith("--"):
        return _note(spelled.get(name), value if equals else None, given)
    for place, letter in enumerate(word[1:], 2):
        option = spelled.get(f"-{letter}")
        if option is None or option.kind != "flag":
            return _note(option, word[place:] or None, given)
        _note(option, None, given)
    return None


def _note(option: Option | None, value: str | None, given: dict[str, tuple[str, ...]]) -> Option | None:
    if option is None:
        return None
    if value is None and option.kind != "flag":
        return option
    given[option.name] = (*given.get(option.name, ()), value or "")
    return None


def _with_attached(place: Place) -> Place:
    """Return the place in the value of `--option=value`, if the cursor is in one."""
    name, equals, value = place.typed.partition("=")
    option = next((one for one in place.options if name in one.spellings and one.kind != "flag"), None)
    if not equals or not name.startswith("--") or option is None:
        return place
    return place._replace(option=option, typed=value, prefix=f"{name}=")
