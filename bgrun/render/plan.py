"""From the names that a start was given to a plan: every job once, each behind what it needs."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.errors import UnknownNameError, UsageError
from bgrun.jobfile import matrix
from bgrun.jobfile.dependencies import in_order, needs_in
from bgrun.model import Node, RenderedPlan
from bgrun.render.job import find_job, render_job, render_ruled_out, ruled_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.model import RenderedJob, Scalar
    from bgrun.templating.inputs import RenderInputs


class Request(NamedTuple):
    """A job that is asked for, with its parameters and the words to append, as on the command line."""

    name: str
    given: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def requests_of(job_file: JobFile, words: Sequence[str], extra: Sequence[str] = ()) -> list[Request]:
    """Return the jobs that the words of a start ask for.

    A word that is the name of a job asks for it; any other is a parameter of the job before it. A
    value that happens to be a job's name is given as `KEY=VALUE`.

    Raises:
        UsageError: the first word names no job, or words to append could belong to several jobs.
    """
    found: list[Request] = []
    for word in words:
        if not found or word in job_file.jobs:
            find_job(job_file, word)
            found.append(Request(word))
        else:
            found[-1] = found[-1]._replace(given=(*found[-1].given, word))
    if extra and len(found) > 1:
        raise UsageError("words behind -- belong to one job, and these are several", "start that job on its own")
    return [one._replace(extra=tuple(extra)) for one in found]


def expand_jobs(job_file: JobFile, requests: Sequence[Request], world: RenderInputs) -> RenderedPlan:
    """Return the plan of these jobs and of all that they need.

    Raises:
        UsageError: a name, a parameter or a template is wrong, or a job is asked for twice.
    """
    asked = {one.name: one for one in requests}
    if len(asked) < len(requests):
        twice = next(one.name for one in requests if sum(other.name == one.name for other in requests) > 1)
        raise UsageError(f"{twice} is asked for twice", "start it once more with a command of its own")
    needs = {name: job.depends_on for name, job in job_file.jobs.items()}
    return _plan(job_file, asked, needs, world)


def expand_group(
    job_file: JobFile,
    name: str,
    world: RenderInputs,
    only: Sequence[str] = (),
    given: Sequence[str] = (),
) -> RenderedPlan:
    """Return the plan of a group's jobs, or of `only` some of them, and of all that these need.

    Args:
        job_file: where it is declared.
        name: which group.
        world: what is around the job file.
        only: jobs of the group; none means all.
        given: parameters as KEY=VALUE, each for every job of the group that declares it.

    Raises:
        UsageError: a name, a parameter or a template is wrong.
    """
    group = job_file.groups.get(name)
    if group is None:
        hint = f"{name} is a job: bgrun start {name}" if name in job_file.jobs else ""
        raise UnknownNameError("group", name, job_file.groups, hint)
    for one in only:
        if one not in group.jobs:
            raise UnknownNameError(f"job of the group {name}", one, group.jobs)
    needs = needs_in(job_file, group)
    members = [job for job in group.jobs if not only or job in only]
    words = _shared(job_file, in_order(members, needs), given)
    asked = {job: Request(job, words.get(job, ())) for job in members}
    plan = _plan(job_file, asked, needs, world, words)
    return plan._replace(max_parallel=group.max_parallel, fail_fast=group.fail_fast)


def _shared(job_file: JobFile, names: Sequence[str], given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the words for each job: every KEY=VALUE goes to all that declare the key."""
    words: dict[str, tuple[str, ...]] = {}
    for word in given:
        key, equals, _ = word.partition("=")
        takers = [name for name in names if any(param.name == key for param in job_file.jobs[name].params)]
        if not equals:
            raise UsageError(f"--param {word!r} is no KEY=VALUE")
        if not takers:
            known = {param.name for name in names for param in job_file.jobs[name].params}
            raise UnknownNameError("parameter of these jobs", key, known)
        for name in takers:
            words[name] = (*words.get(name, ()), word)
    return words


def _plan(
    job_file: JobFile,
    asked: Mapping[str, Request],
    needs: Mapping[str, tuple[str, ...]],
    world: RenderInputs,
    words: Mapping[str, tuple[str, ...]] | None = None,
) -> RenderedPlan:
    places: dict[str, tuple[int, ...]] = {}
    nodes: list[Node] = []
    for name in in_order(asked, needs):
        one = asked.get(name) or Request(name, (words or {}).get(name, ()))
        first = tuple(place for other in needs.get(name, ()) for place in places[other])
        found = [node._replace(needs=first) for node in _nodes(job_file, one, world)]
        places[name] = tuple(range(len(nodes), len(nodes) + len(found)))
        nodes += found
    return RenderedPlan(tuple(nodes), tuple(place for name in asked for place in places[name]))


def _nodes(job_file: JobFile, one: Request, world: RenderInputs) -> list[Node]:
    """Return a job as the nodes of a plan: one, or one for each combination of its matrix."""
    job = find_job(job_file, one.name)
    if not job.matrix:
        return [_node(job_file, one, world)]
    picked, rest = _picked(job, one.given)
    request = one._replace(given=rest)
    nodes = [_node(job_file, request, world, each) for each in matrix.narrowed(job.matrix, picked)]
    labels = [node.job.label for node in nodes]
    if twice := next((label for label in labels if labels.count(label) > 1), ""):
        hint = "put what tells them apart into `label:`, such as {{ matrix.NAME }}"
        raise UsageError(f"{job.name}: two combinations of its matrix have the label {twice}", hint)
    return nodes


def _picked(job: JobSpec, given: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the values that are picked of a matrix, and the words that are parameters."""
    params = {param.name for param in job.params}
    axes = {name for one in job.matrix for name in one} - params
    pairs = {word: word.partition("=") for word in given}
    picked = {key: value for key, equals, value in pairs.values() if equals and key in axes}
    return picked, tuple(word for word in given if pairs[word][0] not in axes or not pairs[word][1])


def _node(
    job_file: JobFile, one: Request, world: RenderInputs, combination: Mapping[str, Scalar] | None = None
) -> Node:
    job = find_job(job_file, one.name)
    why = ruled_out(job, one.given, world, combination)
    if why:
        return Node(render_ruled_out(job, combination), (), why)
    return Node(render_job(job_file, one.name, one.given, one.extra, world, combination))


def render_one(job_file: JobFile, one: Request, world: RenderInputs) -> RenderedJob:
    """Return a single job, whatever its `if` says and without what it needs.

    Raises:
        UsageError: as `expand_jobs`, and where its matrix leaves several combinations to choose from.
    """
    job = find_job(job_file, one.name)
    picked, rest = _picked(job, one.given)
    left = matrix.narrowed(job.matrix, picked) if job.matrix else (None,)
    if len(left) > 1:
        axes = " ".join(f"{name}={matrix.as_text(value)}" for name, value in (left[0] or {}).items())
        raise UsageError(f"{job.name} has a matrix of {len(left)} combinations", f"pick one, for example {axes}")
    return render_job(job_file, one.name, rest if job.matrix else one.given, one.extra, world, left[0])
