"""Find the declared job that a shell command runs, and what to suggest instead. Pure.

A command is denied if it runs what a job does, whole and in the job's directory, and nothing else; one that runs
several jobs and nothing else, too. If in doubt it may
run: a missed job costs time, a wrong refusal stops work.
"""

from __future__ import annotations

import posixpath
import re
import shlex

from bgrun.light import NamedTuple
from bgrun.setup import shell_line, tool_options, wrappers
from bgrun.setup.shell_line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bgrun.model import Scalar

_SHELLS = re.compile(r"(?:\S*/)?(?:ba|z|da|k)?sh(?:\s.*)?")
_PARAMETER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_ALL_ARGUMENTS = re.compile(r"\"?\$\{?@\}?\"?")
_BIN = ("bin", ".bin", "sbin")
_NPM = ("npm", "pnpm", "yarn", "bun")


class DeclaredCommand(NamedTuple):
    """What a declared job runs.

    command: shell text or words, with templates.
    defaults: the default of each parameter; None for a required one.
    directory: the absolute directory that it runs in, or '' if it is not known beforehand.
    shell: the program that runs a text.
    """

    name: str
    command: str | tuple[str, ...]
    defaults: Mapping[str, Scalar | None]
    directory: str
    shell: str


class Match(NamedTuple):
    """A declared job that a command would run.

    assignments: the environment that the command sets, as shell text.
    extra: options beyond those of the job.
    """

    job: str
    assignments: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def matches(
    line: Line, directory: str, jobs: Sequence[DeclaredCommand], real: Callable[[str], str] = posixpath.normpath
) -> tuple[Match, ...]:
    """Return the declared jobs that a command line runs, each of them whole, and nothing else; none otherwise.

    The arguments are those of `match`.
    """
    if found := match(line, directory, jobs, real):
        return (found,)
    if len(line.commands) < 2 or line.assignments:
        return ()  # what it sets may be meant for one of them
    each = [match(line._replace(commands=(one,)), directory, jobs, real) for one in line.commands]
    every = tuple(one for one in each if one)
    return every if len(every) == len(each) else ()


def match(
    line: Line, directory: str, jobs: Iterable[DeclaredCommand], real: Callable[[str], str] = posixpath.normpath
) -> Match | None:
    """Return the declared job that a command line runs whole, or None.

    Args:
        line: the parsed command line.
        directory: the absolute directory that the line runs in, its own `cd` included.
        jobs: the declared jobs.
        real: returns a path without symbolic links.
    """
    for job in jobs:
        own = _line_of(job)
        if own is None or not job.directory or not own.commands:
            continue
        here = real(directory)
        if real(posixpath.join(job.directory, own.directory)) != here:
            continue
        extra = _extra(line, own, job, here)
        if extra is not None and set(own.assignments) <= set(line.assignments):
            more = tuple(one for one in line.assignments if one not in own.assignments)
            return Match(job.name, more, extra)
    return None


def _line_of(job: DeclaredCommand) -> Line | None:
    """Return the command line of a job with the defaults of its parameters, or None if it is not known beforehand."""
    if any(value is None for value in job.defaults.values()):
        return None  # a required parameter: it is run with a part of the work each time
    text = job.command if isinstance(job.command, str) else "\0".join(job.command)
    text = _PARAMETER.sub(lambda found: str(job.defaults.get(found[1], found[0])), text)
    if "{{" in text or "{%" in text:
        return None
    if not isinstance(job.command, str):
        words, set_here = wrappers.without(tuple(text.split("\0")))
        return Line("", tuple(set_here), ((words,),))
    if not _SHELLS.fullmatch(job.shell):
        return None
    return shell_line.parse(_ALL_ARGUMENTS.sub("", text))


def _extra(line: Line, own: Line, job: DeclaredCommand, here: str) -> tuple[str, ...] | None:
    """Return the options of a line beyond those of a job, or None if it does not run the job's commands."""
    if len(line.commands) != len(own.commands):
        return None
    defaults = {tool_options.plain_path(str(value)) for value in job.defaults.values()}
    found: list[str] = []
    for theirs, ours in zip(line.commands, own.commands, strict=True):
        filters = theirs[len(ours) :]
        if len(theirs) < len(ours) or not all(map(shell_line.is_filter, filters)):
            return None
        for stage, its in zip(theirs, ours):  # noqa: B905 - filters are left over
            more = _extra_of(stage, its, defaults, here)
            if more is None:
                return None
            found += more
    # Only a single command takes arguments after `--`.
    simple = len(own.commands) == 1 and len(own.commands[0]) == 1
    return tuple(found) if simple or not found else None


def _extra_of(words: tuple[str, ...], own: tuple[str, ...], defaults: set[str], here: str) -> list[str] | None:
    words, own = _npm_script(words), _npm_script(own)
    names = _names(own[0], here)
    if not names & _names(words[0], here):
        return None
    program = min(names, key=len)
    theirs, ours = tool_options.read(program, words[1:]), tool_options.read(program, own[1:])
    if theirs.selecting != ours.selecting:
        return None
    if not tool_options.is_known(program) and not set(ours.extra) <= set(theirs.extra):
        return None
    places = [[one for one in side.places if one not in defaults] for side in (theirs, ours)]
    relative = [_relative(one, here) for one in places[0]]
    if [one for one in relative if one not in defaults and one != "."] != places[1]:
        return None
    more = [one for one in theirs.extra if one not in ours.extra]
    return [] if set(more) <= {"--"} else more


def _npm_script(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return `npm run test` for its short forms."""
    if words[0] in _NPM[:1] and words[1:2] == ("t",):
        words = ("npm", "test", *words[2:])
    if words[0] in _NPM[:3] and words[1:2] in (("test",), ("start",), ("build",), ("lint",)):
        return (words[0], "run", *words[1:])
    if words[0] in _NPM and words[1:2] == ("run-script",):
        return (words[0], "run", *words[2:])
    return words


def _names(program: str, here: str) -> set[str]:
    """Return the names that a program is known by: its path, and its own name if it is in a `bin` directory."""
    path = _relative(posixpath.normpath(program), here)
    parts = path.split("/")
    names = {path, *(parts[-1:] if parts[-2:-1] and parts[-2] in _BIN else ())}
    return {re.sub(r"^python[\d.]+$", "python", one) for one in names}


def _relative(path: str, here: str) -> str:
    if path == here:
        return "."
    return path[len(here) + 1 :] if path.startswith(f"{here}/") else path


# --- answers --------------------------------------------------------------------------------------


def reason(found: Sequence[Match], operators: Sequence[str] = (), program: str = "bgrun", directory: str = "") -> str:
    """Return why a command is denied, and what to run instead.

    Args:
        found: the jobs, and what the command adds to each.
        operators: for each of several jobs what is before it, as in `Line`.
        program: bgrun, as the client's shell finds it.
        directory: where to run it, if the job file is not found from where the client is.
    """
    bgrun = shlex.quote(program) + (f" -C {shlex.quote(directory)}" if directory else "")
    starts = [_start(one, bgrun) for one in found]
    text = starts[0]
    for operator, start in zip(operators[1:], starts[1:]):  # noqa: B905 - a single job has none
        text += f" && {start}" if operator == "&&" else f"; {start}"
    jobs = [shlex.quote(one) for one in dict.fromkeys(one.job for one in found)]
    are, it = ("is a declared job", "It waits") if len(jobs) == 1 else ("are declared jobs", "Each waits")
    return (
        f"{' and '.join(jobs)} {are} and may exceed your time limit. Run: {text}\n"
        f"{it} up to 50 s and reports what failed. Exit code 124 means it is still running: "
        f"{bgrun} wait {' '.join(jobs)} -t 50s"
    )


def _start(found: Match, bgrun: str) -> str:
    extra = f" -- {shlex.join(found.extra)}" if found.extra else ""
    return " ".join([*found.assignments, f"{bgrun} start {shlex.quote(found.job)} --wait -t 50s{extra}"])
