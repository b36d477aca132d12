"""Starting: jobs, groups, any command, and runs once more."""

from __future__ import annotations

import os

from bgrun.errors import UsageError
from bgrun.lean import NamedTuple, contextmanager
from bgrun.local import prepare, surroundings
from bgrun.model import Node, RenderedPlan
from bgrun.runner import plans
from bgrun.runner.declared import load, render
from bgrun.runner.looking import facts_of, members, read, resolve
from bgrun.runs import facts, files, record
from bgrun.runs.layout import RunFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bgrun.jobfile.find import Project
    from bgrun.model import RenderedJob, Run

_MOST_SCRIPT = 64 << 20


SHORTEST_TIMEOUT_S = 1.0
"""What a timeout that is a share amounts to at least: the noise of a busy machine is not the job's fault."""


class Bounds(NamedTuple):
    """How a plan is to run: how many at once, and whether one failure ends the rest; None and False ask for nothing."""

    max_parallel: int | None = None
    fail_fast: bool = False


class Started(NamedTuple):
    """The run that a start is about; `joined` where it was live before, and the start only attached to it."""

    run: Run
    joined: bool = False


def start(project: Project, words: Sequence[str], extra: Sequence[str] = (), bounds: Bounds | None = None) -> Started:
    """Launch declared jobs, and before each what it needs.

    Args:
        project: where.
        words: names of jobs, each followed by its parameters.
        extra: words to append to the command, where it is one job.
        bounds: how the runs may run together.

    Returns:
        The run of the job that was asked for, or a live one that it joins; of several jobs the run of the
        plan that they make up.

    Raises:
        BusyError: its concurrency group is full, and it is not to wait.
    """
    names, made = plans.of(project, plans.Wanted("start", tuple(words), tuple(extra)))
    plan = _keyed(project, _within(made, bounds))
    with _single_flight(project, plan) as live:
        return Started(live, joined=True) if live else Started(_start(project, names, plan))


def _start(project: Project, names: Sequence[str], plan: RenderedPlan) -> Run:
    launched = _launch(project, plan, _title(names, plan), f"bgrun start {' '.join(names)}")
    if len(plan.wanted) == 1:
        return read(project, launched.runs[plan.wanted[0]])
    return read(project, launched.own)


def _keyed(project: Project, plan: RenderedPlan) -> RenderedPlan:
    """Give each job that others may join its key."""
    return plan._replace(nodes=tuple(node._replace(job=_with_key(project, node.job)) for node in plan.nodes))


def _with_key(project: Project, job: RenderedJob) -> RenderedJob:
    if not job.concurrency or job.concurrency.when_busy != "join":
        return job
    from bgrun.runs import twin

    return job._replace(join_key=twin.key_of(job, project.root))


@contextmanager
def _single_flight(project: Project, plan: RenderedPlan) -> Iterator[Run | None]:
    """Give the live run that a start of this plan is to join, if any; until the end nobody else starts the same."""
    node = plan.nodes[plan.wanted[0]]
    if len(plan.wanted) > 1 or node.skip or not node.job.join_key or node.job.concurrency is None:
        yield None
        return
    from bgrun.local import slots
    from bgrun.runs import twin

    log_dir = project.log_dir
    files.ensure_log_dir(log_dir)
    with slots.single_flight(slots.place_of(log_dir, node.job.concurrency)):
        yield twin.find_twin(log_dir, node.job)


def _title(names: Sequence[str], plan: RenderedPlan) -> str:
    """Return the label of a plan's own run: that of a job whose runs are told apart by its matrix is free."""
    if len(names) > 1:
        return "plan"
    return names[0] if len(plan.wanted) > 1 else f"plan_{names[0]}"


def run_command(project: Project, label: str, argv: Sequence[str], folder: str) -> Run:
    """Launch a command that is declared nowhere, in `folder`, and return its run."""
    from pathlib import Path

    from bgrun.jobfile.render import render_command
    from bgrun.jobfile.world import World

    job_file = load(project) if project.job_file else None
    here, root, world = Path(folder), Path(project.root), World(os.environ)
    job = render_command(label, argv, working_dir=here, root=root, job_file=job_file, world=world)
    return _launch_one(project, job)


def start_group(
    project: Project, name: str, bounds: Bounds | None = None, only: Sequence[str] = (), given: Sequence[str] = ()
) -> Run:
    """Launch the jobs of a declared group, or `only` some of them, and return the group's own run.

    `given` are parameters as KEY=VALUE, for every job of the group that declares them.
    """
    _, made = plans.of(project, plans.Wanted("group", (name, *only), tuple(given)))
    plan = _within(made, bounds)
    return read(project, _launch(project, plan, name, f"bgrun group {name}", always=True).own)


def _within(plan: RenderedPlan, bounds: Bounds | None) -> RenderedPlan:
    """Return a plan with the bounds that a start asks for, where it does."""
    asked = bounds or Bounds()
    most, fast = asked.max_parallel or plan.max_parallel, asked.fail_fast or plan.fail_fast
    return plan._replace(max_parallel=most, fail_fast=fast)


def rerun(project: Project, ref: str, *, failed: bool = False) -> Run:
    """Launch what a run was made of once more, from its own job script, and return the new run.

    `failed` launches of a group's run only what did not succeed, in its order; what was ruled out by
    its own condition stays out.

    Raises:
        UsageError: it was no group's run, it still goes on, or all of it succeeded.
    """
    run_id = resolve(project, ref)
    old = facts_of(project, run_id)
    if not record.is_group(old):
        if failed:
            raise UsageError(f"{run_id} is not the run of a group", f"bgrun rerun {run_id}")
        return _launch_node(project, _again(project, run_id))
    again = _unsuccessful(project, read(project, run_id)) if failed else old["members"].split()
    place = {member: index for index, member in enumerate(again)}
    nodes = [_again(project, one)._replace(needs=_needs_again(project, one, place)) for one in again]
    plan = prepare.with_bounds_of(old, RenderedPlan(tuple(nodes), tuple(place.values())))
    return read(project, _launch(project, plan, old.get("label", ""), old.get("cmd", ""), always=True).own)


def _again(project: Project, run_id: str) -> Node:
    """Return the job of a run to be launched once more; one that was not to run still is not."""
    known = facts_of(project, run_id)
    why = known.get("reason", "it was not to run") if record.is_waived(known) else ""
    return Node(_job_again(project, run_id), (), why)


def _needs_again(project: Project, run_id: str, place: Mapping[str, int]) -> tuple[int, ...]:
    """Return which of the runs that are launched again this one needs; the others succeeded before."""
    needs = facts_of(project, run_id).get("needs", "").split()
    return tuple(place[one] for one in needs if one in place)


def _unsuccessful(project: Project, run: Run) -> list[str]:
    if run.live:
        raise UsageError(f"{run.run_id} still goes on", f"bgrun wait {run.run_id}")
    states = {member.run_id: member.state for member in members(project, run)}
    again = [one for one in run.members if states.get(one) != "succeeded" and not _is_waived(project, one)]
    if not again:
        raise UsageError(f"all of {run.run_id} succeeded", f"to run all of it again: bgrun rerun {run.run_id}")
    return again


def _is_waived(project: Project, run_id: str) -> bool:
    return record.is_waived(facts_of(project, run_id))


def _job_again(project: Project, run_id: str) -> RenderedJob:
    script = files.read(RunFiles(project.log_dir, run_id).script, _MOST_SCRIPT)
    if script is None:
        raise UsageError(f"the job script of {run_id} is gone", "start the job anew")
    known = facts_of(project, run_id)
    job = facts.job_of(known, script.decode("utf-8", "surrogateescape"))
    if job.working_dir and not os.path.isdir(job.working_dir):
        raise UsageError(f"the folder that {run_id} ran in is gone: {job.working_dir}")
    return job._replace(secrets=_secrets_again(project, job, known.get("secrets", "")))


def _secrets_again(project: Project, job: RenderedJob, marks: str) -> tuple[tuple[str, str], ...]:
    """Return the secrets of a run, of which it has these marks, as they are now: they were kept nowhere."""
    if not marks:
        return ()
    from bgrun.runs import masks

    names = masks.names(marks)
    given = [f"{key}={value}" for key, value in job.params]
    declared = dict(render(project, job.job, given).secrets) if job.job else {}
    values = {**os.environ, **declared}
    missing = [name for name in names if name not in values]
    if missing:
        raise UsageError(f"the secret {missing[0]} is not set", "set it in the environment and try again")
    return tuple((name, values[name]) for name in names)


def _launch_one(project: Project, job: RenderedJob) -> Run:
    return _launch_node(project, Node(job))


def _launch_node(project: Project, node: Node) -> Run:
    plan = RenderedPlan((_timed(project, node),), (0,))
    return read(project, prepare.launch(project.log_dir, project.root, plan).runs[0])


def _launch(project: Project, plan: RenderedPlan, label: str, cmd: str, *, always: bool = False) -> prepare.Launched:
    """Launch a plan; `always` gives it a run of its own even if it is of a single job."""

    def script(run_ids: Sequence[str]) -> str:
        from bgrun.runner import planscript

        wanted = [run_id for run_id, node in zip(run_ids, plan.nodes, strict=True) if not node.skip]
        if not wanted or any(node.needs for node in plan.nodes):
            return planscript.in_turn(label, wanted)
        return planscript.at_once(label, wanted, plan.max_parallel)

    plan = plan._replace(nodes=tuple(_timed(project, node) for node in plan.nodes))
    title = prepare.Title(label, cmd, label, script) if always or len(plan.nodes) > 1 else None
    return prepare.launch(project.log_dir, project.root, plan, title)


def _timed(project: Project, node: Node) -> Node:
    """Turn a timeout that is a share of what runs usually take into seconds; without past runs there is none."""
    job = node.job
    if job.timeout_share is None:
        return node
    from bgrun.runs import history

    usual = history.usual_s(project.log_dir, job.label)
    if usual is None:
        return node
    timeout_s = max(job.timeout_share * usual, SHORTEST_TIMEOUT_S)
    return node._replace(job=job._replace(limits=job.limits._replace(timeout_s=timeout_s)))


def warnings(project: Project) -> list[str]:
    """Return what may keep runs that are started here from being recorded, in words for a person."""
    return [*surroundings.low_disk(project.log_dir), *surroundings.doomed_sandbox()]
