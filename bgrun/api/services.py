"""Wait until services are ready, and use those that run already.

A service that was started by name runs until it is stopped. Starts of what needs it use it, if the service that they
would start themselves does exactly the same; else they start their own, on a port of its own.
"""

from __future__ import annotations

import time

from bgrun.api import plan_cache, references, runs
from bgrun.errors import StorageError, UsageError
from bgrun.store import state, stop_request
from bgrun.system import reading
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.model import Run
    from bgrun.plan import Condition, Node, RenderedJob, RenderedPlan

SHORTEST_PAUSE_S, LONGEST_PAUSE_S, GROWTH = 0.01, 0.2, 1.3
"""How long the pauses between two looks are: a record that says so is written once, whenever a check succeeds."""


def meant(project: Project, refs: Sequence[str]) -> list[Run]:
    """Return the services that references mean; without references every active one.

    Raises:
        UsageError: a reference means a job, or no service is active.
    """
    if not refs:
        found = [run for run in runs.live(project) if run.service]
        if not found:
            raise UsageError("no active services", "start one with 'bgrun start SERVICE'")
        return found
    found = references.meant(project, refs, without_stopping=True)
    if jobs := [run for run in found if not run.service]:
        verb = "is not a service" if len(jobs) == 1 else "are not services"
        message = f"{names(run.run_id for run in jobs)} {verb}"
        raise UsageError(message, f"bgrun wait {jobs[0].run_id}")
    return found


def wait_ready(project: Project, run_ids: Iterable[str], timeout_s: float | None = None) -> list[Run]:
    """Return the runs once each is ready or never will be, or as they are at the timeout."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    found = [runs.read(project, run_id) for run_id in run_ids]
    pause_s = SHORTEST_PAUSE_S
    while True:
        found = [project.store.read(run.run_id) or runs.without_record(run) for run in found]
        left = None if until is None else until - time.monotonic()
        if all(arrived(run) for run in found) or (left is not None and left <= 0):
            return found
        time.sleep(pause_s if left is None else min(pause_s, left))
        pause_s = min(pause_s * GROWTH, LONGEST_PAUSE_S)


def needing(project: Project, run: Run) -> list[Run]:
    """Return the active runs that need a service: those of its plan, and those of other plans that use it."""
    own = runs.active_of(project, run.needed_by)
    users = (one for one in runs.live(project) if one.run_id not in run.needed_by and not one.service)
    return [*own, *(one for one in users if run.run_id in _used(project, one))]


def _used(project: Project, run: Run) -> list[str]:
    return (project.store.facts(run.run_id) or {}).get("uses", "").split()


def wait_released(project: Project, run: Run, until: float | None) -> None:
    """Wait until the services that only a finished run needed have stopped, or `until` a time of `time.monotonic`.

    Else the same start right after this one might find their ports taken. One without a supervisor is not waited for.
    """
    pause_s = SHORTEST_PAUSE_S
    while (until is None or time.monotonic() < until) and is_releasing(project, run):
        time.sleep(pause_s)
        pause_s = min(pause_s * GROWTH, LONGEST_PAUSE_S)


def is_releasing(project: Project, run: Run) -> bool:
    """Return whether the plan of a run has services that are still to be stopped because nothing needs them."""
    group = project.store.read(run.group_run) if run.group_run else None
    plan = {one.run_id: one for one in runs.members(project, group)} if group else {}
    return any(
        one.service and one.live and not one.abandoned and not _is_needed(project, one, plan) for one in plan.values()
    )


def _is_needed(project: Project, service: Run, plan: Mapping[str, Run]) -> bool:
    """Return whether an active job of the plan needs a service, maybe through another one, or nobody will stop it."""
    kept = (project.store.facts(service.run_id) or {}).get("kept")
    if kept == "stop" or (kept == "jobs" and any(one.live and not one.service for one in plan.values())):
        return True
    users = [plan[run_id] for run_id in service.needed_by if run_id in plan]
    return any(one.live and (not one.service or _is_needed(project, one, plan)) for one in users)


def served(run: Run) -> bool:
    """Return whether a run is a service with nothing to report: it is up, or was stopped since nothing needed it."""
    return run.service and (run.live or (run.state == "stopped" and (run.reason or "").startswith(state.NOT_NEEDED)))


def arrived(run: Run) -> bool:
    """Return whether nothing is to be waited for: the run is ready, has finished, or will not become ready."""
    return run.is_ready or not run.live or run.is_never_ready


# --- services that run already --------------------------------------------------------------------


def with_running(
    project: Project, request: plan_cache.PlanRequest, made: plan_cache.Made
) -> tuple[plan_cache.Made, Run | None]:
    """Return a plan without the services that run already, and the run of one if nothing else was asked for."""
    live = {run.job: run for run in runs.live(project) if run.job and _stays(project, run)}
    if len(made.plan.wanted) > 1:
        for place in made.plan.wanted:
            live.pop(made.plan.nodes[place].job.job, None)
    while live:
        ports = {name: run.port for name, run in live.items() if run.port}
        again = plan_cache.make_with_ports(project, request, ports)
        needed = [place for place, node in enumerate(again.plan.nodes) if node.job.job in live and not node.skip]
        found = {place: live[again.plan.nodes[place].job.job] for place in needed}
        other = [
            run.job
            for place, run in found.items()
            if not (
                _is_same(project, again.plan.nodes[place].job, run)
                and _may_be_used(again.plan, place)
                # It was started with the others of its time.
                and all(need in found for need in again.plan.nodes[place].needs if again.plan.nodes[need].job.service)
            )
        ]
        if not other:
            wanted = found.get(again.plan.wanted[0]) if len(again.plan.wanted) == 1 else None
            used = {place: run.run_id for place, run in found.items()}
            return again._replace(plan=without(again.plan, used)), wanted
        live = {name: run for name, run in live.items() if name not in other}
    return made, None


def _stays(project: Project, run: Run) -> bool:
    """Return whether a run is a service that runs until it is stopped, or one that such a service of its plan needs."""
    if not run.service or run.state != "running" or run.is_never_ready:
        return False
    if stop_request.is_asked_to_end(project.store.run(run.run_id), run):
        return False
    group = project.store.read(run.group_run) if run.group_run else None  # it may have been deleted
    plan = runs.members(project, group) if group else [run]
    return any(
        one.state in ("queued", "running") and (project.store.facts(one.run_id) or {}).get("kept") == "stop"
        for one in plan
    )


def _is_same(project: Project, job: RenderedJob, run: Run) -> bool:
    """Return whether a run does what a job would do: it has the same job script. One with secrets is never the same."""
    if job.secrets or job.port != (run.port or 0):
        return False
    script = job.script.encode("utf-8", "surrogateescape")
    try:
        return reading.read(project.store.run(run.run_id).script, len(script)) == script
    except StorageError:
        return False


_BY_A_SERVICE: tuple[Condition, ...] = ("ready", "started")


def _may_be_used(plan: RenderedPlan, place: int) -> bool:
    """Return whether everything that needs a service needs it while it runs."""
    pairs = (pair for node in plan.nodes for pair in _pairs(node))
    return all(condition in _BY_A_SERVICE for need, condition in pairs if need == place)


def _pairs(node: Node) -> list[tuple[int, Condition]]:
    usual: Condition = "succeeded"
    return list(zip(node.needs, node.conditions or [usual] * len(node.needs), strict=True))


def without(plan: RenderedPlan, used: Mapping[int, str]) -> RenderedPlan:
    """Return a plan without the nodes at these places, whose run IDs are used instead, and without what only they need.

    A plan that is asked for nothing else stays as it is. Pure.
    """
    wanted = [place for place in plan.wanted if place not in used]
    kept: set[int] = set()
    waiting = list(wanted)
    while waiting:
        place = waiting.pop()
        if place not in kept:
            kept.add(place)
            waiting.extend(need for need in plan.nodes[place].needs if need not in used)
    if not wanted:
        return plan
    places = {old: new for new, old in enumerate(sorted(kept))}
    nodes = []
    for old in sorted(kept):
        node = plan.nodes[old]
        pairs = [(places[need], condition) for need, condition in _pairs(node) if need not in used]
        nodes.append(
            node._replace(
                needs=tuple(need for need, _ in pairs),
                conditions=tuple(condition for _, condition in pairs) if node.conditions else (),
                uses=tuple(used[need] for need in node.needs if need in used),
            )
        )
    return plan._replace(nodes=tuple(nodes), wanted=tuple(places[place] for place in wanted))
