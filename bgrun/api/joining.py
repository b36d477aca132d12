"""Start what may have been started before: join the active run of an identical start instead of running it twice.

A coding agent repeats a call that was cut off, and its client may have been killed in the middle of one. A run is
joined only if it does the same: the same scripts and parameters (the work key) on the same files. Every declared start
records the first, which costs it nothing. Whether files have changed since is asked when a start may join: the commit
is the same, and no file of the work tree was written after the run was claimed. What has left the work tree shows in
its directories alone, and runs write there, too. So starts that may be repeated also record the state of the work tree
beforehand (the join key), which takes a call of git: then the directories do not count. Outside a repository nothing
tells whether files have changed, so that no run is joined there unless its job declares it.
"""

from __future__ import annotations

import os

from bgrun import engine
from bgrun.api import plan_cache, start
from bgrun.api.runs import active_of, members
from bgrun.light import NamedTuple
from bgrun.plan import Concurrency
from bgrun.store import index, stop_request
from bgrun.system import clock, git, work_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgrun.engine import Engine
    from bgrun.jobfile.project import Project
    from bgrun.model import Run
    from bgrun.plan import RenderedPlan


class Attached(NamedTuple):
    """The run that a start led to.

    joined: it was started before.
    others: other active runs with its label, which do something else or were not to be joined.
    """

    run: Run
    joined: bool = False
    others: tuple[Run, ...] = ()


def start_job(
    project: Project, words: Sequence[str], extra: Sequence[str] = (), *, again: bool = False, on: str = ""
) -> Attached:
    """Start a declared job, after the jobs that it depends on, or join the run of an identical start.

    Args:
        project: where.
        words: its name and its parameters.
        extra: arguments to append to its command.
        again: start it even if an identical run is active.
        on: the name of the engine; '' for that of its jobs. Only a run of that engine is joined.

    Raises:
        BusyError: its concurrency group is full, and it must not be queued.
    """
    request = plan_cache.PlanRequest("start", tuple(words), tuple(extra))
    return start.on_free_ports(lambda: _start_job(project, request, again=again, on=on))


def _start_job(project: Project, request: plan_cache.PlanRequest, *, again: bool, on: str) -> Attached:
    (names, made, _), running = start.with_running(project, request)
    if running and not again:
        return Attached(running, joined=True)
    if running:  # another instance of it, on a port of its own
        names, made, _ = plan_cache.load_plan(project, request)
    plan = start.keyed(project, made)
    is_single = len(plan.nodes) == 1 and not plan.nodes[0].uses
    key = _key(project, made) or (plan.nodes[0].job.join_key if is_single else "")
    plan = plan._replace(join_key=key)
    owner = engine.chosen(plan, on)
    start.refuse_unsupported(project, owner, plan)
    if is_single:
        plan = plan._replace(nodes=tuple(node._replace(job=node.job._replace(join_key=key)) for node in plan.nodes))
    label = plan.nodes[0].job.label if is_single else start.title_of(project, plan)

    def launch() -> Run:
        launched = start.launch(project, plan, label, f"bgrun start {' '.join(names)}", owner=owner)
        wanted = launched.runs[plan.wanted[0]] if len(plan.wanted) == 1 else launched.own
        return start.begun(project, launched, wanted)

    found = _attached(project, plan, _Place(label, key, owner), launch, again=again)
    if not found.joined or is_single or len(plan.wanted) > 1:
        return found
    # Of a job with dependencies the plan is joined; the run that was asked for is one of it. Which one it is does not
    # follow from its place here: the other plan may have services that are left out of this one, since they run.
    wanted = plan.nodes[plan.wanted[0]].job.label
    own = next((one for one in members(project, found.run) if one.label == wanted), found.run)
    return found._replace(run=own)


def start_group(
    project: Project,
    name: str,
    only: Sequence[str] = (),
    given: Sequence[str] = (),
    *,
    again: bool = False,
    on: str = "",
) -> Attached:
    """Start a declared group, or `only` some of its jobs, or join the group run of an identical start.

    `given` are parameters as KEY=VALUE, for every job of the group that declares them. `again`, `on`: as above.
    """
    request = plan_cache.PlanRequest("group", (name, *only), tuple(given))
    return start.on_free_ports(lambda: _start_group(project, name, request, again=again, on=on))


def _start_group(project: Project, name: str, request: plan_cache.PlanRequest, *, again: bool, on: str) -> Attached:
    (_, plan, _), _ = start.with_running(project, request)
    key = _key(project, plan)
    plan = plan._replace(join_key=key)
    owner = engine.chosen(plan, on)
    start.refuse_unsupported(project, owner, plan)

    def launch() -> Run:
        launched = start.launch(project, plan, name, f"bgrun group {name}", always=True, owner=owner)
        return project.store.existing(launched.own)

    return _attached(project, plan, _Place(name, key, owner), launch, again=again)


def _key(project: Project, plan: RenderedPlan) -> str:
    """Return what identical starts share, or '' outside a repository."""
    state = work_tree.state_of(project.root)
    return start.join_key((node.job for node in plan.nodes), state) if state else ""


class _Place(NamedTuple):
    """Where a start looks for a run to join: its label, what identical starts share, and the engine."""

    label: str
    key: str
    owner: Engine


def _attached(
    project: Project, plan: RenderedPlan, place: _Place, launch: Callable[[], Run], *, again: bool
) -> Attached:
    """Launch, or join an active run at this place. No start of the label looks for one at the same time."""
    store = project.store
    store.make()
    locked = _declares_join(plan) or Concurrency(place.label)
    with engine.default().single_flight(store, locked):
        active = [
            run for run in _active(project, place.label) if not stop_request.is_asked_to_end(store.run(run.run_id), run)
        ]
        same = None if again else next((run for run in active if _does_the_same(project, run, plan, place)), None)
        run = same or launch()
    return Attached(run, bool(same), tuple(one for one in active if one.run_id != run.run_id))


def _does_the_same(project: Project, run: Run, plan: RenderedPlan, place: _Place) -> bool:
    """Return whether an active run does what a plan would do now at this place."""
    if run.engine != place.owner.name:
        return False
    known = project.store.facts(run.run_id) or {}
    is_recorded = bool(place.key) and known.get("join_key") == place.key
    if is_recorded and _declares_join(plan):
        return True
    if not is_recorded and not (plan.work_key and known.get("work_key") == plan.work_key):
        return False
    commit, moment = known.get("git_sha", ""), _claimed(project, run)
    if not commit or moment is None or git.facts(project.root).sha != commit:
        return False
    return work_tree.is_unchanged_since(project.root, moment, names_too=not is_recorded)


def _declares_join(plan: RenderedPlan) -> Concurrency | None:
    """Return the concurrency group of the only job of a plan if it declares that starts join its run, or None."""
    wanted = plan.nodes[0].job.concurrency if len(plan.nodes) == 1 else None
    return wanted if wanted and wanted.when_busy == "join" else None


def _claimed(project: Project, run: Run) -> work_tree.Moment | None:
    """Return when a run was claimed, after which its command began to read files; None if that is unknown."""
    try:
        script = os.lstat(project.store.run(run.run_id).script)
    except OSError:
        return None
    begun = clock.epoch(run.started_at) if run.started_at else None
    written = script.st_mtime_ns if begun is None else min(script.st_mtime_ns, int(begun * 1e9))
    return work_tree.Moment(script.st_dev, written)


def _active(project: Project, label: str) -> list[Run]:
    """Return the active runs of exactly this label, the newest first."""
    return active_of(project, index.find_label(project.store, label).unfinished)
