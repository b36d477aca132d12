"""Expand requested jobs to a plan: every job once, after its dependencies."""

from __future__ import annotations

from bgrun.errors import UnknownNameError, UsageError, nearest_names
from bgrun.jobfile import job_label, matrix
from bgrun.jobfile.dependencies import condition_of, conditions_in, dependencies_in, in_order
from bgrun.plan import Node, RenderedPlan, free_title
from bgrun.render.job import Request, find_job, render_job, render_skipped, skip_reason
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgrun.jobfile.specs import GroupSpec, JobFile, JobSpec
    from bgrun.model import Scalar
    from bgrun.plan import Condition, Kept, RenderedJob
    from bgrun.templating.inputs import RenderInputs


def requests_of(job_file: JobFile, words: Sequence[str], extra: Sequence[str] = ()) -> list[Request]:
    """Return the requests in the words of a start.

    A word that is the name of a job requests it; any other is a parameter of the job before it. A value that
    happens to be the name of a job is given as `KEY=VALUE`.

    Raises:
        UsageError: the first word is not a job, or there are arguments after `--` for several jobs.
    """
    found: list[Request] = []
    for word in words:
        if not found or word in job_file.jobs:
            find_job(job_file, word)
            found.append(Request(word))
        else:
            found[-1] = found[-1]._replace(given=(*found[-1].given, word))
    if extra and len(found) > 1:
        message = f"arguments after '--' need exactly one job, got {len(found)}"
        raise UsageError(message, "start that job separately")
    return [one._replace(extra=tuple(extra)) for one in found]


def expand_jobs(job_file: JobFile, requests: Sequence[Request], inputs: RenderInputs) -> RenderedPlan:
    """Return the plan of the requested jobs and all their dependencies.

    Raises:
        UsageError: a name, a parameter or a template is invalid, or a job is requested twice.
    """
    requested = {one.name: one for one in requests}
    if len(requested) < len(requests):
        twice = next(one.name for one in requests if sum(other.name == one.name for other in requests) > 1)
        raise UsageError(f"job {twice!r} is given twice", "to run it twice, run 'bgrun start' twice")
    dependencies = {name: job.depends_on for name, job in job_file.jobs.items()}
    plan = _plan(job_file, requested, (dependencies, conditions_in(job_file)), inputs)
    return plan._replace(title=_title(job_file, list(requested), plan))


def _title(job_file: JobFile, names: Sequence[str], plan: RenderedPlan) -> str:
    """Return the label of the own run of a plan: that of nothing that is declared, whose result it would seem to be.

    The name of a matrix job is free: its runs have other labels.
    """
    if len(names) == 1 and len(plan.wanted) > 1:
        return names[0]
    labels = {*job_file.jobs, *job_file.groups, *(job.label for job in job_file.jobs.values())}
    return free_title("plan" if len(names) > 1 else f"plan_{names[0]}", lambda label: label in labels)


def expand_group(
    job_file: JobFile,
    name: str,
    inputs: RenderInputs,
    only: Sequence[str] = (),
    given: Sequence[str] = (),
) -> RenderedPlan:
    """Return the plan of a group's jobs, or of `only` some, and all their dependencies.

    Args:
        job_file: where it is declared.
        name: the name of the group.
        inputs: records what rendering reads.
        only: jobs of the group; empty means all.
        given: parameters as KEY=VALUE, each for every job of the group that declares it.

    Raises:
        UsageError: a name, a parameter or a template is invalid.
    """
    group = _find_group(job_file, name)
    for one in only:
        if one not in group.jobs:
            message = f"group {name!r} has no job {one!r}"
            raise UnknownNameError("job", one, group.jobs, message=message, listed_as="jobs in this group")
    dependencies = dependencies_in(job_file, group)
    members = [job for job in group.jobs if not only or job in only]
    words = _shared_params(job_file, name, in_order(members, dependencies), given)
    requested = {job: Request(job, words.get(job, ())) for job in members}
    plan = _plan(job_file, requested, (dependencies, conditions_in(job_file, group)), inputs, words)
    is_whole = set(group.jobs) <= set(in_order(requested, dependencies))
    part = () if is_whole else tuple(node.job.label for node in plan.nodes)
    return plan._replace(max_parallel=group.max_parallel, fail_fast=group.fail_fast, only=part)


def _find_group(job_file: JobFile, name: str) -> GroupSpec:
    group = job_file.groups.get(name)
    if group is None:
        hint = f"{name!r} is a job: start it with 'bgrun start {name}'" if name in job_file.jobs else ""
        if not hint and (near := nearest_names(name, job_file.jobs, 1)):
            hint = f"start the job {near[0]!r} with 'bgrun start {near[0]}'"
        hint = hint or ("" if job_file.groups else "declare groups of jobs in the job file, under `groups:`")
        raise UnknownNameError("group", name, job_file.groups, hint)
    return group


def _shared_params(
    job_file: JobFile, group: str, jobs: Sequence[str], given: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the parameters of each job: a KEY=VALUE goes to all jobs that declare the key."""
    words: dict[str, tuple[str, ...]] = {}
    for word in given:
        key, equals, _ = word.partition("=")
        takers = [name for name in jobs if any(param.name == key for param in job_file.jobs[name].params)]
        if not equals:
            raise UsageError(f"invalid --param {word!r}: expected KEY=VALUE", f"give it a value: --param {key}=VALUE")
        if not takers:
            known = {param.name for name in jobs for param in job_file.jobs[name].params}
            message = f"no job in group {group!r} has a parameter {key!r}"
            raise UnknownNameError("parameter", key, known, message=message)
        for name in takers:
            words[name] = (*words.get(name, ()), word)
    return words


def _plan(
    job_file: JobFile,
    requested: Mapping[str, Request],
    order: tuple[Mapping[str, tuple[str, ...]], Mapping[str, Mapping[str, Condition]]],
    inputs: RenderInputs,
    words: Mapping[str, tuple[str, ...]] | None = None,
) -> RenderedPlan:
    """Return the plan of the requested jobs. `order`: the dependencies of all, and the conditions that some have."""
    dependencies, conditions = order
    kept: Kept = "stop" if all(find_job(job_file, name).service for name in requested) else "jobs"
    places: dict[str, tuple[int, ...]] = {}
    nodes: list[Node] = []
    for name in in_order(requested, dependencies):
        one = requested.get(name) or Request(name, (words or {}).get(name, ()))
        own = conditions.get(name, {})
        pairs = [
            (place, condition_of(job_file.jobs[other], own.get(other)))
            for other in dependencies.get(name, ())
            for place in places[other]
        ]
        is_plain = all(condition == "succeeded" for _, condition in pairs)
        found = [
            node._replace(
                needs=tuple(place for place, _ in pairs),
                conditions=() if is_plain else tuple(condition for _, condition in pairs),
                kept=kept if name in requested and node.job.service else "",
            )
            for node in _nodes(job_file, one, inputs)
        ]
        places[name] = tuple(range(len(nodes), len(nodes) + len(found)))
        nodes += found
    if any(node.job.service for node in nodes):
        from bgrun.render import services

        services.check_slots(nodes)
    return RenderedPlan(tuple(nodes), tuple(place for name in requested for place in places[name]))


def _nodes(job_file: JobFile, one: Request, inputs: RenderInputs) -> list[Node]:
    """Return a job as the nodes of a plan: one, or one for each combination of its matrix."""
    job = find_job(job_file, one.name)
    if not job.matrix:
        return [_node(job_file, one, inputs)]
    selected, rest = _selected(job, one.given)
    request = one._replace(given=rest)
    nodes = [_node(job_file, request, inputs, each) for each in matrix.narrowed(job.matrix, selected)]
    if twice := job_label.label_twice([node.job.label for node in nodes]):
        raise UsageError(f"{job.name}: {twice[0]}", twice[1])
    return nodes


def _selected(job: JobSpec, given: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the matrix values that are selected, and the words that are parameters."""
    params = {param.name for param in job.params}
    axes = {name for one in job.matrix for name in one} - params
    pairs = {word: word.partition("=") for word in given}
    selected = {key: value for key, equals, value in pairs.values() if equals and key in axes}
    return selected, tuple(word for word in given if pairs[word][0] not in axes or not pairs[word][1])


def _node(
    job_file: JobFile, one: Request, inputs: RenderInputs, combination: Mapping[str, Scalar] | None = None
) -> Node:
    job = find_job(job_file, one.name)
    if reason := skip_reason(job, one.given, inputs, combination):
        return Node(render_skipped(job, combination), (), reason)
    return Node(render_job(job_file, one, inputs, combination))


def render_one(job_file: JobFile, one: Request, inputs: RenderInputs) -> RenderedJob:
    """Return a single job without its dependencies, even if its `if` is false.

    Raises:
        UsageError: as `expand_jobs`, and if several combinations of its matrix are left to choose from.
    """
    job = find_job(job_file, one.name)
    if not job.matrix:
        return render_job(job_file, one, inputs)
    selected, rest = _selected(job, one.given)
    left = matrix.narrowed(job.matrix, selected)
    if len(left) > 1:
        message = f"job {job.name!r} has {len(left)} matrix combinations to choose from"
        raise UsageError(message, f"choose one of: {names(map(matrix.shown, left))}")
    return render_job(job_file, one._replace(given=rest), inputs, left[0])
