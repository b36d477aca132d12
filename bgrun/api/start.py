"""Start jobs, groups and any command; find an active run that an identical start can join."""

from __future__ import annotations

from bgrun import codec, engine
from bgrun.api import plan_cache
from bgrun.errors import StorageError
from bgrun.light import NamedTuple, contextmanager, suppress
from bgrun.model import Node, RenderedPlan
from bgrun.store import record
from bgrun.system import git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.engine import Engine, Submitted
    from bgrun.jobfile.project import Project
    from bgrun.model import RenderedJob, Run
    from bgrun.store.store import Store


def join_key(job: RenderedJob, folder: str) -> str:
    """Return what two starts have in common that mean the same: script, parameters and the state of the work tree."""
    import json  # slow to import, and only `join` needs it

    parts = [job.label, job.script, json.dumps(job.params)]
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return codec.digest(text + b"\0" + git.state_of(folder)).hex()


def find_joinable(store: Store, job: RenderedJob) -> Run | None:
    """Return the newest live run that does the same work as a job with a `join_key`."""
    for run_id in store.index().newest_first(job.label):
        with suppress(StorageError):
            known = store.facts(run_id) or {}
            if known.get("join_key") == job.join_key:
                run = store.read(run_id)
                if run and run.live:
                    return run
    return None


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
    names, made = plan_cache.load_plan(project, plan_cache.PlanRequest("start", tuple(words), tuple(extra)))
    plan = _keyed(project, _within(made, bounds))
    engine.refuse_unsupported(engine.default(), plan)
    with _single_flight(project, plan) as live:
        return Started(live, joined=True) if live else Started(_start(project, names, plan))


def _start(project: Project, names: Sequence[str], plan: RenderedPlan) -> Run:
    launched = launch(project, plan, _title(names, plan), f"bgrun start {' '.join(names)}")
    return _begun(project, launched, launched.runs[plan.wanted[0]] if len(plan.wanted) == 1 else launched.own)


def _begun(project: Project, launched: Submitted, run_id: str) -> Run:
    """Return a run that was launched as its supervisor told it, or else as its files do."""
    if launched.known:
        return record.launched(project.store.run(run_id), launched.known)
    return project.store.existing(run_id)


def _keyed(project: Project, plan: RenderedPlan) -> RenderedPlan:
    """Give each job that others may join its key."""
    return plan._replace(nodes=tuple(node._replace(job=_with_key(project, node.job)) for node in plan.nodes))


def _with_key(project: Project, job: RenderedJob) -> RenderedJob:
    if not job.concurrency or job.concurrency.when_busy != "join":
        return job

    return job._replace(join_key=join_key(job, project.root))


@contextmanager
def _single_flight(project: Project, plan: RenderedPlan) -> Iterator[Run | None]:
    """Give the live run that a start of this plan is to join, if any; until the end nobody else starts the same."""
    node = plan.nodes[plan.wanted[0]]
    if len(plan.wanted) > 1 or node.skip or not node.job.join_key or node.job.concurrency is None:
        yield None
        return
    project.store.make()
    with engine.default().single_flight(project.store, node.job.concurrency):
        yield find_joinable(project.store, node.job)


def _title(names: Sequence[str], plan: RenderedPlan) -> str:
    """Return the label of a plan's own run: that of a job whose runs are told apart by its matrix is free."""
    if len(names) > 1:
        return "plan"
    return names[0] if len(plan.wanted) > 1 else f"plan_{names[0]}"


def run_command(project: Project, label: str, argv: Sequence[str], folder: str) -> Run:
    """Launch a command that is declared nowhere, in `folder`, and return its run."""
    from bgrun.jobfile import label as labels
    from bgrun.render import command

    labels.check_label(label)  # before anything is written
    template = plan_cache.load_plan(project, plan_cache.PlanRequest("run", (folder,))).plan.nodes[0].job
    return launch_node(project, Node(command.fill(template, label, argv)))


def start_group(
    project: Project, name: str, bounds: Bounds | None = None, only: Sequence[str] = (), given: Sequence[str] = ()
) -> Run:
    """Launch the jobs of a declared group, or `only` some of them, and return the group's own run.

    `given` are parameters as KEY=VALUE, for every job of the group that declares them.
    """
    _, made = plan_cache.load_plan(project, plan_cache.PlanRequest("group", (name, *only), tuple(given)))
    launched = launch(project, _within(made, bounds), name, f"bgrun group {name}", always=True)
    return project.store.existing(launched.own)


def _within(plan: RenderedPlan, bounds: Bounds | None) -> RenderedPlan:
    """Return a plan with the bounds that a start asks for, where it does."""
    asked = bounds or Bounds()
    most, fast = asked.max_parallel or plan.max_parallel, asked.fail_fast or plan.fail_fast
    return plan._replace(max_parallel=most, fail_fast=fast)


def launch_node(project: Project, node: Node, owner: Engine | None = None) -> Run:
    """Launch a single job and return its run; `owner` is the engine, if it is to be a certain one."""
    plan = RenderedPlan((_timed(project, node),), (0,))
    launched = _submit(project, plan, owner)
    return _begun(project, launched, launched.runs[0])


def launch(
    project: Project, plan: RenderedPlan, label: str, cmd: str, *, always: bool = False, owner: Engine | None = None
) -> Submitted:
    """Launch a plan; `always` gives it a run of its own even if it is of a single job; `owner` as above."""

    def script(run_ids: Sequence[str]) -> str:
        from bgrun.render import group_script

        wanted = [run_id for run_id, node in zip(run_ids, plan.nodes, strict=True) if not node.skip]
        if not wanted or any(node.needs for node in plan.nodes):
            return group_script.sequential(label, wanted)
        return group_script.parallel(label, wanted, plan.max_parallel)

    plan = plan._replace(nodes=tuple(_timed(project, node) for node in plan.nodes))
    title = engine.Title(label, cmd, label, script) if always or len(plan.nodes) > 1 else None
    return _submit(project, plan, owner, title)


def _submit(project: Project, plan: RenderedPlan, owner: Engine | None, title: engine.Title | None = None) -> Submitted:
    """Hand a plan to an engine, if that supports all of it."""
    chosen = owner or engine.default()
    engine.refuse_unsupported(chosen, plan)
    return chosen.submit(project.store, project.root, plan, title)


def _timed(project: Project, node: Node) -> Node:
    """Turn a timeout that is a share of what runs usually take into seconds; without past runs there is none."""
    job = node.job
    if job.timeout_share is None:
        return node
    from bgrun.store import history

    usual = history.usual_s(project.store, job.label)
    if usual is None:
        return node
    timeout_s = max(job.timeout_share * usual, SHORTEST_TIMEOUT_S)
    return node._replace(job=job._replace(limits=job.limits._replace(timeout_s=timeout_s)))


def warnings(project: Project) -> list[str]:
    """Return what may keep runs that are started here from being recorded, in words for a person."""
    from bgrun.system import preflight

    return [*preflight.low_disk(project.store.log_dir), *preflight.doomed_sandbox()]
