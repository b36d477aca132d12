"""Decide which runs of a plan start, are skipped or are stopped next, from the states of its runs. Pure."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.model import LIVE_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bgrun.model import State


class Order(NamedTuple):
    """The order of a plan's runs.

    needs: the dependencies of each run, which must succeed before it starts; a run without an entry has none.
    max_parallel: how many may run at once; None: no limit.
    fail_fast: stop all other runs as soon as one does not succeed.
    """

    needs: Mapping[str, tuple[str, ...]] = {}
    max_parallel: int | None = None
    fail_fast: bool = False


class Step(NamedTuple):
    """What to do next.

    skip, waive, stop: the reason by run ID. A waived run is skipped as well, but fails neither the group nor its
        dependents: its own `if` was false, or that of every dependency it lacks.
    done: every run of the plan has finished.
    """

    launch: tuple[str, ...] = ()
    skip: Mapping[str, str] = {}
    waive: Mapping[str, str] = {}
    stop: Mapping[str, str] = {}
    done: bool = False


def decide(
    states: Mapping[str, State], order: Order, waived: Collection[str] = (), held_back: Collection[str] = ()
) -> Step:
    """Return the next step of a plan.

    Args:
        states: the runs in the order in which they start, each after its dependencies.
        order: the dependencies and limits.
        waived: the skipped runs that count as no failure.
        held_back: queued runs that wait for a slot of their concurrency group.
    """
    running = [run_id for run_id, now in states.items() if now == "running"]
    failed = next((run_id for run_id, now in states.items() if _is_failure(now) and run_id not in waived), None)
    if order.fail_fast and failed:
        why = f"fail_fast: {failed} did not succeed"
        queued = [run_id for run_id, now in states.items() if now == "queued"]
        return Step((), dict.fromkeys(queued, why), {}, dict.fromkeys(running, why), not running)
    skip, waive = _unstartable(states, order, waived)
    ready = [
        run_id
        for run_id, now in states.items()
        if now == "queued"
        and run_id not in held_back
        and all(states[one] == "succeeded" for one in order.needs.get(run_id, ()))
    ]
    free = len(ready) if order.max_parallel is None else max(0, order.max_parallel - len(running))
    queued_on = any(now == "queued" and one not in skip and one not in waive for one, now in states.items())
    return Step(tuple(ready[:free]), skip, waive, done=not queued_on and not running)


def _unstartable(
    states: Mapping[str, State], order: Order, waived: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the queued runs that can never start: those to skip, and those to waive.

    One pass finds their dependents too, since each run comes after its dependencies.
    """
    skip: dict[str, str] = {}
    waive: dict[str, str] = {}
    for run_id, needs in order.needs.items():
        if states[run_id] != "queued":
            continue
        missing = [one for one in needs if one in skip or one in waive or _is_failure(states[one])]
        harmful = [one for one in missing if one not in waive and one not in waived]
        if harmful:
            skip[run_id] = _why(harmful, states, skip)
        elif missing and not any(states[one] in LIVE_STATES and one not in waive for one in needs):
            # Only once all have finished: an active one may still fail, and then this run is skipped for that.
            waive[run_id] = _why(missing, states, skip)
    return skip, waive


def _why(missing: list[str], states: Mapping[str, State], skip: Mapping[str, str]) -> str:
    """Return the reason of a skipped run: of several dependencies, one that was not skipped itself."""
    cause = next((one for one in missing if states[one] not in ("queued", "skipped")), missing[0])
    state = "skipped" if states[cause] == "queued" or cause in skip else states[cause]
    return f"dependency {cause} {_ENDED.get(state, state)}"


_ENDED = {
    "failed": "failed",
    "timed_out": "timed out",
    "stopped": "was stopped",
    "skipped": "was skipped",
    "lost": "is lost",
}


def _is_failure(state: State) -> bool:
    return state not in LIVE_STATES and state != "succeeded"
