"""The plan of a start: kept from an earlier one where all that it was made from is as it was, else made anew.

Making it means reading YAML, expanding, rendering with Jinja and asking a shell, which takes ten times
as long as all else in a start. What a plan was made from is the bytes of the job file, the code of
bgrun, the words of the start, and what rendering saw of the world around it.
"""

from __future__ import annotations

import os

from bgrun import codec
from bgrun.jobfile import project as projects
from bgrun.jobfile.installation import code_mark
from bgrun.light import NamedTuple, suppress
from bgrun.model import Node, RenderedJob, RenderedPlan
from bgrun.templating import inputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.jobfile.project import Project
    from bgrun.jobfile.specs import JobFile
    from bgrun.templating.inputs import RenderInputs

MOST_KEPT = 100
"""How many plans are kept; with one more, all are let go."""
_PREFIX = "plan."


class PlanRequest(NamedTuple):
    """What is to be planned: a `start` of these words with these behind `--`, a `group`, or a `run`.

    A group's words are its name and the jobs of it that alone are wanted, `more` its parameters. Those of
    a `run` are the folder it is in: its plan is the blank of a command, which is filled in afterwards.
    """

    kind: str
    words: tuple[str, ...]
    more: tuple[str, ...] = ()


class Made(NamedTuple):
    """A plan, and the names of the jobs that were asked for."""

    names: tuple[str, ...]
    plan: RenderedPlan


codec.nest(Made, plan=RenderedPlan)


def load_plan(project: Project, wanted: PlanRequest) -> Made:
    """Return the plan that is wanted.

    Raises:
        StorageError: the log folder cannot be used.
        NoJobFileError: there is no job file.
        JobFileError: it has errors.
        UsageError: a name, a parameter, a template, a folder or a file that is named is wrong.
    """
    undeclared = wanted.kind == "run" and not project.job_file
    raw = b"" if undeclared else projects.read_job_file(projects.declared_in(project))
    # Not the job file itself, which may hold a secret.
    made_from = (codec.digest(raw), project.root, code_mark(), tuple(os.uname())[::4])
    source: tuple[Any, ...] = (*made_from, tuple(wanted))
    name = f"{_PREFIX}{_bucket(wanted)}"
    if kept := _kept(project, name, source):
        return kept
    from bgrun.api import jobs

    around = inputs.RenderInputs(os.environ)
    job_file = None if undeclared else jobs.load(project, raw=raw)
    made = _make(project, job_file, wanted, around)
    for one in jobs.matcher_files(job_file) if job_file else ():
        around.reads(f"{project.root}/{one}")
    if around.repeats and not _has_chance(raw):
        project.store.make()
        if job_file:
            jobs.keep_checked(project, job_file, raw)
        _keep(project, name, codec.pack((source, around.sight(), made)))
    return made


def _make(project: Project, job_file: JobFile | None, wanted: PlanRequest, around: RenderInputs) -> Made:
    if wanted.kind == "run" or not job_file:
        return Made((), RenderedPlan((Node(_blank(project, job_file, wanted.words[0], around)),), (0,)))
    from bgrun.render import plan as expand

    if wanted.kind == "group":
        name, *only = wanted.words
        return Made((name,), expand.expand_group(job_file, name, around, only, wanted.more))
    requests = expand.requests_of(job_file, wanted.words, wanted.more)
    return Made(tuple(one.name for one in requests), expand.expand_jobs(job_file, requests, around))


def _blank(project: Project, job_file: JobFile | None, folder: str, around: RenderInputs) -> RenderedJob:
    from pathlib import Path

    from bgrun.render.job import render_blank

    return render_blank(working_dir=Path(folder), root=Path(project.root), job_file=job_file, world=around)


def _has_chance(raw: bytes) -> bool:
    """Whether a template may give another text each time: Jinja has one filter and one function of that kind."""
    return b"random" in raw or b"lipsum" in raw


def _bucket(wanted: PlanRequest) -> str:
    """Return a short name for a request; two that share one only take turns."""
    text = "\0".join([wanted.kind, *wanted.words, "", *wanted.more])
    return codec.digest(text.encode("utf-8", "surrogateescape"))[:8].hex()


# --- keeping ----------------------------------------------------------------------------------


def _kept(project: Project, name: str, source: tuple[Any, ...]) -> Made | None:
    data = project.store.cache.read(name)
    with suppress(ValueError, TypeError):
        made_from, sight, made = codec.unpack(data or b"")
        if made_from == source and inputs.holds(sight, os.environ):
            return codec.restore(Made, made)
    return None


def _keep(project: Project, name: str, data: bytes) -> None:
    cache = project.store.cache
    there = cache.names(_PREFIX)
    if len(there) >= MOST_KEPT:
        for one in there:
            cache.remove(one)
    cache.write(name, data)
