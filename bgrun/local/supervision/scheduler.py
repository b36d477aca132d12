"""Decide which runs of a plan start, are skipped or are stopped next, from the states of its runs. Pure."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.model import LIVE_STATES
from bgrun.store.state import ENDED, NOT_NEEDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bgrun.model import State
    from bgrun.plan import Condition, Kept


class Order(NamedTuple):
    """The order of a plan's runs.

    needs: the dependencies of each run, which must succeed before it starts; a run without an entry has none.
    max_parallel: how many may run at once; None: no limit.
    fail_fast: stop all other runs as soon as one does not succeed.
    conditions: what a run waits for instead, for each of its dependencies in order; without an entry for success.
    services: how long each service runs that nothing needs. They do not count against `max_parallel`.
    """

    needs: Mapping[str, tuple[str, ...]] = {}
    max_parallel: int | None = None
    fail_fast: bool = False
    conditions: Mapping[str, tuple[Condition, ...]] = {}
    services: Mapping[str, Kept] = {}

    def pairs(self, run_id: str) -> list[tuple[str, Condition]]:
        """Return the dependencies of a run, each with its condition."""
        needs, conditions = self.needs.get(run_id, ()), self.conditions.get(run_id)
        return list(zip(needs, conditions, strict=True)) if conditions else [(one, "succeeded") for one in needs]


class Step(NamedTuple):
    """What to do next.

    skip, waive, stop: the reason by run ID. A waived run is skipped as well, but fails neither the group nor its
        dependents: its own `if` was false, or that of every dependency it lacks; or it is a service nothing needs.
    release: services to stop, because nothing needs them any more.
    done: every run of the plan has finished.
    """

    launch: tuple[str, ...] = ()
    skip: Mapping[str, str] = {}
    waive: Mapping[str, str] = {}
    stop: Mapping[str, str] = {}
    done: bool = False
    release: tuple[str, ...] = ()


def decide(
    states: Mapping[str, State],
    order: Order,
    waived: Collection[str] = (),
    held_back: Collection[str] = (),
    ready: Collection[str] = (),
) -> Step:
    """Return the next step of a plan.

    Args:
        states: the runs in the order in which they start, each after its dependencies.
        order: the dependencies and limits.
        waived: the runs that count as no failure.
        held_back: queued runs that wait for a slot of their concurrency group.
        ready: the running services that are ready.
    """
    running = [run_id for run_id, now in states.items() if now == "running"]
    failed = next((run_id for run_id, now in states.items() if _is_failure(now) and run_id not in waived), None)
    if order.fail_fast and failed:
        return _stop_all(states, order, f"fail_fast: {failed} did not succeed")
    skip, waive = _unstartable(states, order, waived)
    needed = _needed(states, order, {**skip, **waive})
    idle = {run_id for run_id in order.services if run_id not in needed and run_id not in skip}
    waive |= {run_id: NOT_NEEDED for run_id in idle if states[run_id] == "queued"}
    due = [
        run_id
        for run_id, now in states.items()
        if now == "queued"
        and run_id not in held_back
        and run_id not in waive
        and all(_holds(condition, one, states[one], ready) for one, condition in order.pairs(run_id))
    ]
    jobs = [run_id for run_id in due if run_id not in order.services]
    busy = sum(run_id not in order.services for run_id in running)
    free = len(jobs) if order.max_parallel is None else max(0, order.max_parallel - busy)
    launch = {*jobs[:free], *(run_id for run_id in due if run_id in order.services)}
    queued_on = any(now == "queued" and one not in skip and one not in waive for one, now in states.items())
    return Step(
        tuple(run_id for run_id in due if run_id in launch),
        skip,
        waive,
        done=not queued_on and not running,
        release=tuple(run_id for run_id in running if run_id in idle),
    )


def stop_in_order(states: Mapping[str, State], order: Order) -> tuple[str, ...]:
    """Return the runs that are to be stopped next where all are: jobs first, a service once nothing needs it."""
    freed = order._replace(services=dict.fromkeys(order.services, ""))
    queued = [run_id for run_id, now in states.items() if now == "queued"]
    needed = _needed(states, freed, queued)
    return tuple(run_id for run_id, now in states.items() if now in LIVE_STATES and run_id not in needed)


def _stop_all(states: Mapping[str, State], order: Order, why: str) -> Step:
    """Return the step that ends a plan; a service that something still needs is stopped after that."""
    queued = [run_id for run_id, now in states.items() if now == "queued"]
    running = [run_id for run_id, now in states.items() if now == "running"]
    ending = [run_id for run_id in stop_in_order(states, order) if states[run_id] == "running"]
    stop = [run_id for run_id in ending if run_id not in order.services]
    release = tuple(run_id for run_id in ending if run_id in order.services)
    waive = {run_id: NOT_NEEDED for run_id in queued if run_id in order.services}
    skip = {run_id: why for run_id in queued if run_id not in order.services}
    return Step((), skip, waive, dict.fromkeys(stop, why), not running, release)


def _needed(states: Mapping[str, State], order: Order, over: Collection[str]) -> set[str]:
    """Return the services that something needs which is not over: a job, or a service that is needed or still runs."""
    jobs_left = any(now in LIVE_STATES and one not in over and one not in order.services for one, now in states.items())
    kept = {"": False, "jobs": jobs_left, "stop": True}
    needed = {run_id for run_id, how in order.services.items() if kept[how]}
    for run_id in reversed(list(states)) if order.services else ():
        lasts = states[run_id] == "running" or (states[run_id] == "queued" and run_id not in over)
        if lasts and (states[run_id] == "running" or run_id not in order.services or run_id in needed):
            needed |= {one for one, condition in order.pairs(run_id) if condition in ("started", "ready")}
    return needed & order.services.keys()


def _holds(condition: Condition, run_id: str, now: State, ready: Collection[str]) -> bool:
    """Return whether a dependency allows its dependent to start."""
    if condition == "succeeded":
        return now == "succeeded"
    if condition == "completed":
        return now not in LIVE_STATES
    return run_id in ready if condition == "ready" else now not in ("queued", "skipped")


def _is_lost_to(condition: Condition, now: State, *, is_service: bool) -> bool:
    """Return whether a dependency will never allow its dependent to start."""
    if condition == "completed":
        return False
    if condition == "started" and not is_service:
        return now == "skipped"
    return _is_failure(now)


def _unstartable(
    states: Mapping[str, State], order: Order, waived: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the queued runs that can never start: those to skip, and those to waive.

    One pass finds their dependents too, since each run comes after its dependencies.
    """
    skip: dict[str, str] = {}
    waive: dict[str, str] = {}
    for run_id in order.needs:
        if states[run_id] != "queued":
            continue
        pairs = [(one, how) for one, how in order.pairs(run_id) if how != "completed"]
        needs = [one for one, _ in pairs]
        missing = [
            one
            for one, how in pairs
            if one in skip or one in waive or _is_lost_to(how, states[one], is_service=one in order.services)
        ]
        harmful = [one for one in missing if one not in waive and one not in waived]
        if harmful:
            skip[run_id] = _why(harmful, states, skip)
        elif missing and not any(_is_undecided(one, states, order) and one not in waive for one in needs):
            # Only once all have finished: an active one may still fail, and then this run is skipped for that.
            waive[run_id] = _why(missing, states, skip)
    return skip, waive


def _is_undecided(run_id: str, states: Mapping[str, State], order: Order) -> bool:
    """Return whether a dependency may still fail. A service ends only once its dependents need it no longer."""
    return states[run_id] in LIVE_STATES and run_id not in order.services


def _why(missing: list[str], states: Mapping[str, State], skip: Mapping[str, str]) -> str:
    """Return the reason of a skipped run: of several dependencies, one that was not skipped itself."""
    cause = next((one for one in missing if states[one] not in ("queued", "skipped")), missing[0])
    state = "skipped" if states[cause] == "queued" or cause in skip else states[cause]
    return f"dependency {cause} {ENDED.get(state, state)}"


def _is_failure(state: State) -> bool:
    return state not in LIVE_STATES and state != "succeeded"
