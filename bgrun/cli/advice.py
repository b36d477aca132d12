"""Suggest the command line that was probably meant. Pure; only the error of a command line imports it."""

from __future__ import annotations

import re
import shlex

from bgrun.cli.spec.overview import COMMANDS
from bgrun.cli.spec.shapes import PROJECT_OPTIONS
from bgrun.errors import is_swapped, nearest_names
from bgrun.light import NamedTuple
from bgrun.wording import either

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.cli.spec.shapes import Command, Option

_FOREIGN = {
    ("version",): "show the version with 'bgrun --version'",
    ("show", "info", "inspect"): "did you mean 'status' or 'report'?",
    ("delete", "remove", "rm", "clean", "clear"): (
        "'bgrun prune --dry-run' shows which old runs 'bgrun prune' would delete"
    ),
    ("history", "runs"): "list runs with 'bgrun list'",
    ("ls",): "list runs with 'bgrun list' and jobs with 'bgrun jobs'",
    ("setup", "new", "create", "add"): "create a job file with 'bgrun init'",
    ("attach",): "stream a log with 'bgrun follow REF'",
    ("watch",): "refresh until the runs finish: bgrun status --watch",
    ("log", "output", "cat"): "print a log with 'bgrun logs REF'",
    ("result", "results", "errors"): "see what failed with 'bgrun report REF'",
    ("cancel", "abort", "terminate"): "stop a run with 'bgrun stop REF'",
    ("run-job", "job"): "start a declared job with 'bgrun start JOB'",
    ("exec", "test"): "run any command with 'bgrun run LABEL -- COMMAND'",
    ("retry", "restart"): "rerun a run with 'bgrun rerun REF'",
    ("check", "lint"): "check the job file with 'bgrun validate'",
}
"""Commands of other tools, and what does the same here."""
_COMMANDS = tuple(one.name for one in COMMANDS)
_DESTRUCTIVE = ("stop", "prune")
_LEAST_ALIKE, _NEARLY_THE_NAME = 0.6, 0.85
"""How alike a word has to be to a command that is suggested, and to one that stops or deletes something."""
_OTHER_OPTIONS = {
    "directory": ("--cwd", "--chdir", "--dir", "--workdir", "--working-dir", "--working-directory"),
    "file": ("--config", "--job-file", "--jobfile"),
    "lines": ("--limit", "--max-lines", "--last"),
    "follow": ("--tail-follow", "--stream"),
    "env": ("--environment", "-e"),
    "state": ("--failed", "--failures", "--succeeded", "--running", "--status"),
    "job_timeout": ("--kill-after",),
    "raw": ("--ansi", "--color"),
}
"""Options of other tools by the name of ours."""


class Typed(NamedTuple):
    """A command with the words that were typed for it.

    options: those that the command knows, with their values.
    words: its arguments, up to the first that it cannot take or an unknown option.
    rest: everything from there on, apart from known options.
    """

    command: Command
    options: tuple[str, ...]
    words: tuple[str, ...]
    rest: tuple[str, ...]

    def line(self, *words: str) -> str:
        """Return a command line with the typed options, and these words after the name of the command."""
        return shlex.join(["bgrun", self.command.name, *words, *self.options])


def typed(command: Command, words: Sequence[str]) -> Typed:
    """Sort the words that follow the name of a command."""
    known = {spelling: one for one in (*command.options, *command.project_options) for spelling in one.spellings}
    most = 1 if command.name in ("run", "group", "rerun") else len(words)
    options: list[str] = []
    taken: list[str] = []
    rest: list[str] = []
    queue = iter(words)
    for word in queue:
        option = known.get(word.partition("=")[0])
        if option:
            options += [word]
            options += [] if option.kind == "flag" or "=" in word else list(filter(None, [next(queue, "")]))
        elif rest or (word.startswith("-") and len(word) > 1) or len(taken) >= most:
            rest.append(word)
        else:
            taken.append(word)
    return Typed(command, tuple(options), tuple(taken), tuple(rest))


def unknown_command(words: Sequence[str], jobs: Sequence[str], groups: Sequence[str]) -> str:
    """Return what to type for a word that is no command, with all that follows it."""
    word = words[0]
    for names, start in ((jobs, "start"), (groups, "group")):
        if word in names:
            return f"{word!r} is a {'job' if names is jobs else 'group'}: {shlex.join(['bgrun', start, *words])}"
    foreign = next((hint for spellings, hint in _FOREIGN.items() if word in spellings), "")
    commands = [] if foreign else [one for one in nearest_names(word, _COMMANDS) if _is_alike(word, one)]
    meant = [nearest(commands)]
    for names, start in ((jobs, "start"), (groups, "group")):
        near = [one for one in nearest_names(word, names, 1) if _is_alike(word, one)]
        meant += [f"{start} {one!r} with 'bgrun {start} {one}'" for one in near]
    return "\n".join(filter(None, (*meant, foreign))) or "list commands with 'bgrun --help'"


def _is_alike(word: str, name: str) -> bool:
    """Return whether a word resembles a name; for what stops or deletes something, whether it is nearly the name."""
    from difflib import SequenceMatcher

    alike = SequenceMatcher(None, word, name).ratio()
    if name in _DESTRUCTIVE:
        return word[0] == name[0] and (alike >= _NEARLY_THE_NAME or is_swapped(word, name))
    return alike >= _LEAST_ALIKE or name.startswith(word) or is_swapped(word, name)


def unknown_option(given: Typed, option: str, near: Sequence[str], extra_args: Sequence[str] | None) -> str:
    """Return what to type for an option that a command does not have."""
    if ours := _ours(given.command, option):
        return f"did you mean {ours.spellings[0]!r}?{f' {ours.help}' if ours.help else ''}"
    if number := _count_of_lines(given):
        return given.line(*given.words, "-n", number)
    meant = [nearest(near)] if near else []
    if given.command.name == "run":
        return "\n".join(meant) or after_dashes(given, extra_args)
    if given.command.name in ("start", "render") and given.words:
        meant.append(f"pass it to the command after '--': {after_dashes(given, extra_args)}")
    return "\n".join(meant)


def nearest(near: Sequence[str]) -> str:
    """Return the hint that names what resembles an unknown word, or ''."""
    return f"did you mean {either(near)}?" if near else ""


def _ours(command: Command, option: str) -> Option | None:
    every = (*command.options, *PROJECT_OPTIONS)
    return next((one for one in every if option in _OTHER_OPTIONS.get(one.name, ())), None)


def _count_of_lines(given: Typed) -> str:
    """Return the number of an option like `-20`, as `tail` takes it."""
    takes_lines = any(one.name == "lines" for one in given.command.options)
    return next((one[1:] for one in given.rest if takes_lines and re.fullmatch(r"-[1-9][0-9]{0,8}", one)), "")


def after_dashes(given: Typed, extra_args: Sequence[str] | None) -> str:
    """Return the command line with what the command cannot take after `--`."""
    label = given.words or ("LABEL",)
    after = [*given.rest, *(extra_args or ())]
    if given.command.name == "run" and (not given.rest or given.rest[0].startswith("-")):
        command = shlex.join(extra_args) if extra_args else "make test"
        return f"put the command after '--': {given.line(*label)} -- {command}"
    return f"{given.line(*label)} -- {shlex.join(after)}"


def unexpected(given: Typed, extra_args: Sequence[str] | None) -> str:
    """Return what to type in place of more arguments than a command takes, or ''."""
    name, rest = given.command.name, given.rest
    if name == "run":
        return f"put the command after '--': {after_dashes(given, extra_args)}"
    if name == "group":
        pairs = [("--param" if "=" in one else "--only", one) for one in rest]
        return given.line(*given.words, *(word for pair in pairs for word in pair))
    if name == "rerun" and any("=" in one for one in rest):
        return _start_instead(given, ())
    return ""


def extra_args_refused(given: Typed, extra_args: Sequence[str]) -> str:
    """Return what to type in place of arguments after `--` that a command does not take."""
    if given.command.name == "rerun" and given.words:
        return _start_instead(given, extra_args)
    if given.command.arguments and not any(one.startswith("-") for one in extra_args):
        return given.line(*given.words, *given.rest, *extra_args)
    return f"run 'bgrun {given.command.name} --help'"


def _start_instead(given: Typed, extra_args: Sequence[str]) -> str:
    options = [one for one in given.options if one != "--failed"]
    after = ("--", *extra_args) if extra_args else ()
    line = shlex.join(["bgrun", "start", *given.words, *given.rest, *options, *after])
    return f"a rerun has the arguments of its run; start the job with others: {line}"


def missing_value(option: Option) -> str:
    """Return how an option is given with its value."""
    return f"give it a value: {option.spellings[0]} {option.metavar}"


def own_letter(option: str, command: Command) -> str:
    """Return what a letter means for a command that uses one of the project's for an option of its own, or ''."""
    own = next((one for one in command.options if option in one.spellings), None)
    project = next((one for one in PROJECT_OPTIONS if option in one.spellings), None)
    if not own or not project:
        return ""
    return f"{option} of 'bgrun {command.name}' is {own.spellings[-1]}; did you mean {project.spellings[-1]!r}?"
