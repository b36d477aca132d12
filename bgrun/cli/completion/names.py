"""Look up the names that complete a word: of jobs, groups, labels, runs, and fixed lists of values."""

from __future__ import annotations

import os
from itertools import islice

from bgrun import api
from bgrun.cli.completion import paths
from bgrun.cli.completion.offer import Offer
from bgrun.cli.completion.scripts import SHELLS
from bgrun.cli.spec.overview import COMMANDS
from bgrun.errors import BgrunError
from bgrun.model import STATES
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bgrun.api import Project
    from bgrun.api.outline import Job, Outline
    from bgrun.cli.completion.place import Place
    from bgrun.model import Run

MOST_RUNS = 50
"""How many run IDs are offered, and how many of the newest runs are read for their tags."""


class Known:
    """What is known at a place: the project and its job file, each found when it is first needed.

    describes: whether offers need descriptions, which have to be read.
    """

    def __init__(self, place: Place, *, describes: bool = True) -> None:
        self.place, self.describes = place, describes
        self._outline: Outline | None = None

    @property
    def project(self) -> Project:
        """The project that the line is about, with its -C and -f."""
        here = paths.base(self.place)
        given = self.place.given.get("file", ())[-1:]
        return api.locate(os.path.realpath(here), os.path.join(here, paths.expanded(given[0])) if given else None)

    @property
    def outline(self) -> Outline:
        """The outline of the job file."""
        if self._outline is None:
            self._outline = api.outline.load(self.project)
        return self._outline

    @property
    def jobs(self) -> dict[str, Job]:
        """The declared jobs by name."""
        return {job.name: job for job in self.outline.jobs}

    @property
    def group_jobs(self) -> tuple[str, ...]:
        """The jobs of the group that was typed as the first argument."""
        typed = self.place.arguments[:1]
        return next((group.jobs for group in self.outline.groups if group.name in typed), ())


def _jobs(known: Known) -> Iterator[Offer]:
    named = set(known.place.arguments)
    for job in known.outline.jobs:
        if job.name not in named and "=" not in known.place.typed:
            yield Offer(job.name, job.description)


def _groups(known: Known) -> Iterator[Offer]:
    yield from (Offer(group.name, group.description or "Group") for group in known.outline.groups)


def _only(known: Known) -> Iterator[Offer]:
    given = {*known.place.given.get("only", ()), *(known.place.extra or ())}
    jobs = known.jobs
    yield from (Offer(name, jobs[name].description) for name in known.group_jobs if name in jobs and name not in given)


def _labels(known: Known) -> Iterator[Offer]:
    yield from map(Offer, api.runs.labels(known.project))


def _refs(known: Known) -> Iterator[Offer]:
    """Yield labels and names of jobs, and run IDs only once a part is typed: they are many."""
    project, typed = known.project, known.place.typed
    yield from _labels(known)
    yield from (Offer(name, "Job") for name in api.references.jobs_with_other_labels(project))
    if typed:
        begun = (run_id for run_id in api.runs.run_ids(project) if run_id.startswith(typed))
        yield from (Offer(run_id, _about(known, run_id)) for run_id in islice(begun, MOST_RUNS))


def _about(known: Known, run_id: str) -> str:
    """Return the label and the state of a run and how long it has been in that; '' for bash, which shows none."""
    if not known.describes:
        return ""
    try:
        run = api.runs.read(known.project, run_id)
    except BgrunError:
        return "Run"  # deleted just now
    return f"{run.label} {_aged(run)}"


def _aged(run: Run) -> str:
    """Return the state of a run and how long it has been in it."""
    age_s = api.runs.age_s(run)
    age = "" if age_s is None else f" for {span(age_s)}" if run.live else f" {span(age_s)} ago"
    return f"{run.state}{age}"


def _active(known: Known) -> Iterator[Offer]:
    runs = api.runs.live(known.project)
    yield from (Offer(label, "Active") for label in dict.fromkeys(run.label for run in runs))
    yield from (Offer(run.run_id, _aged(run)) for run in runs)


def _awaited(known: Known) -> Iterator[Offer]:
    """Yield the active runs, or if there is none what has finished: to wait for it returns its result."""
    active = list(_active(known))
    yield from active or _refs(known)


def _tags(known: Known) -> Iterator[Offer]:
    """Yield the tags of the newest runs, then those that are declared, for the job file may be broken."""
    given = known.place.given.get("tag", ())
    of_runs = [tag for run in api.runs.list_runs(known.project, limit=MOST_RUNS) for tag in run.tags]
    yield from (Offer(tag) for tag in of_runs if tag not in given)
    if known.project.job_file:
        declared = [tag for job in known.outline.jobs for tag in job.tags]
        yield from (Offer(tag) for tag in declared if tag not in given)


def _states(known: Known) -> Iterator[Offer]:
    """Yield the states; several can be joined by commas."""
    before, comma, _ = known.place.typed.rpartition(",")
    given = {*before.split(","), *known.place.given.get("state", ())}
    yield from (Offer(f"{before}{comma}{state}") for state in STATES if state not in given)


def _variables(_: Known) -> Iterator[Offer]:
    yield from (Offer(f"{name}=", open=True) for name in sorted(os.environ) if name.isidentifier())


def _commands(_: Known) -> Iterator[Offer]:
    yield from (Offer(name, one.summary) for one in COMMANDS for name in (one.name, *one.aliases))


def _schemas(_: Known) -> Iterator[Offer]:
    yield from map(Offer, api.jobs.schema_names())


def _mcp_clients(_: Known) -> Iterator[Offer]:
    from bgrun.setup import clients

    yield from map(Offer, clients.CLIENTS)


def _hook_clients(_: Known) -> Iterator[Offer]:
    from bgrun.setup.clients import hooks

    yield from map(Offer, hooks.FILES)


def _fixed(*values: str) -> Callable[[Known], Iterator[Offer]]:
    return lambda _: map(Offer, values)


KINDS: dict[str, Callable[[Known], Iterator[Offer]]] = {
    "job": _jobs,
    "group": _groups,
    "only": _only,
    "label": _labels,
    "ref": _refs,
    "active": _active,
    "awaited": _awaited,
    "tag": _tags,
    "state": _states,
    "variable": _variables,
    "command": _commands,
    "schema": _schemas,
    "mcp client": _mcp_clients,
    "hook client": _hook_clients,
    "shell": _fixed(*SHELLS),
    "engine": _fixed("local", "slurm"),
    "format": _fixed("text", "github"),
    "until": _fixed("ready", "finished"),
    "order": _fixed("newest", "oldest", "duration"),
    "cursor": _fixed("start"),
}
"""The kinds of names by which the spec says what completes an argument or a value."""
