"""Complete arguments in a shell: names of jobs, groups, labels, runs. Fast, and silent on any error."""

from __future__ import annotations

import os

from bgrun import api
from bgrun.cli.spec import COMMANDS
from bgrun.errors import BgrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.api import Project

MOST_RUNS = 50


def offers(what: str, begun: str, before: Iterable[str], job_file: str | None) -> list[str]:
    """Return the names that complete an argument.

    Args:
        what: the kinds of names, as in `cli.spec`: joined by ` or `.
        begun: the argument as typed so far.
        before: the arguments before it, which may include a job.
        job_file: the job file given with --file, or None.
    """
    try:
        project = api.locate(os.getcwd(), job_file)
        every = [name for kind in what.split(" or ") for name in _NAMES[kind](project, before)]
    except (BgrunError, OSError, KeyError):
        return []
    return [name for name in dict.fromkeys(every) if name.startswith(begun)]


def _jobs(project: Project, _: Iterable[str]) -> Iterator[str]:
    yield from api.jobs.load(project).jobs


def _groups(project: Project, _: Iterable[str]) -> Iterator[str]:
    yield from api.jobs.load(project).groups


def _params(project: Project, before: Iterable[str]) -> Iterator[str]:
    jobs = api.jobs.load(project).jobs
    named = [jobs[word] for word in before if word in jobs]
    for param in named[-1].params if named else ():
        choices = param.choices or (("true", "false") if param.type == "boolean" else ("",))
        yield from (f"{param.name}={choice}" for choice in choices)


def _labels(project: Project, _: Iterable[str]) -> Iterator[str]:
    yield from api.runs.labels(project)


def _refs(project: Project, _: Iterable[str]) -> Iterator[str]:
    yield from api.runs.names(project, MOST_RUNS)


def _schemas(_: Project, __: Iterable[str]) -> Iterator[str]:
    yield from api.jobs.schema_names()


def _shells(_: Project, __: Iterable[str]) -> Iterator[str]:
    yield from ("bash", "zsh", "fish")


def _clients(_: Project, __: Iterable[str]) -> Iterator[str]:
    yield from ("claude", "cursor", "vscode")


def _commands(_: Project, __: Iterable[str]) -> Iterator[str]:
    yield from (command.name for command in COMMANDS)


_NAMES = {
    "job": _jobs,
    "group": _groups,
    "param": _params,
    "label": _labels,
    "ref": _refs,
    "schema": _schemas,
    "shell": _shells,
    "client": _clients,
    "command": _commands,
}
