"""What a plan does next, from the states of its runs; pure."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.model import LIVE_STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bgrun.model import State


class Order(NamedTuple):
    """The order of a plan's runs.

    `needs` are the runs that have to succeed before another one starts; a run without an entry needs
    none. `max_parallel` is how many may run at once (None: no bound); `fail_fast` says whether the
    first run that does not succeed ends the rest.
    """

    needs: Mapping[str, tuple[str, ...]] = {}
    max_parallel: int | None = None
    fail_fast: bool = False


class Step(NamedTuple):
    """What is due now.

    `skip`, `waive` and `stop` give the reason by run id. A waived run is skipped too, but spoils
    nothing: its own `if` ruled it out, or that of all it needs and did not get. `done` when nothing is
    left.
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
        states: the runs in the order in which they are to start, each behind all that it needs.
        order: how they depend on each other.
        waived: the skipped runs that spoil nothing.
        held_back: queued runs that may not start yet, whatever the order says.
    """
    running = [run_id for run_id, now in states.items() if now == "running"]
    failed = next((run_id for run_id, now in states.items() if _spoils(now) and run_id not in waived), None)
    if order.fail_fast and failed:
        why = f"fail_fast: {failed} did not succeed"
        queued = [run_id for run_id, now in states.items() if now == "queued"]
        return Step((), dict.fromkeys(queued, why), {}, dict.fromkeys(running, why), not running)
    skip, waive = _ruled_out(states, order, waived)
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


def _ruled_out(
    states: Mapping[str, State], order: Order, waived: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the queued runs that can never start, and of those apart the ones that spoil nothing.

    Those behind them in turn are ruled out in the same pass, since each stands behind what it needs.
    """
    skip: dict[str, str] = {}
    waive: dict[str, str] = {}
    for run_id, needs in order.needs.items():
        if states[run_id] != "queued":
            continue
        missing = [one for one in needs if one in skip or one in waive or _spoils(states[one])]
        harmful = [one for one in missing if one not in waive and one not in waived]
        if harmful:
            skip[run_id] = _why(harmful, states, skip)
        elif missing and not any(states[one] in LIVE_STATES and one not in waive for one in needs):
            # Only once all of them are over: one that still runs may yet be missed in earnest.
            waive[run_id] = _why(missing, states, skip)
    return skip, waive


def _why(missing: list[str], states: Mapping[str, State], skip: Mapping[str, str]) -> str:
    """Name what a run missed: of several the one that is itself no consequence of another."""
    cause = next((one for one in missing if states[one] not in ("queued", "skipped")), missing[0])
    state = "skipped" if states[cause] == "queued" or cause in skip else states[cause]
    return f"it needs {cause}, which {_ENDED.get(state, state)}"


_ENDED = {
    "failed": "failed",
    "timed_out": "timed out",
    "stopped": "was stopped",
    "skipped": "was skipped",
    "lost": "is lost",
}


def _spoils(state: State) -> bool:
    return state not in LIVE_STATES and state != "succeeded"
