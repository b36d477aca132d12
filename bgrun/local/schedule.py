"""What a plan does next, from the states of its runs; pure."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.model import LIVE_STATES, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Step(NamedTuple):
    """What is due now. `skip` and `stop` give the reason by run id; `done` when nothing is left."""

    launch: tuple[str, ...] = ()
    skip: Mapping[str, str] = {}
    stop: Mapping[str, str] = {}
    done: bool = False


def decide(states: Mapping[str, State], max_parallel: int | None = None, *, fail_fast: bool = False) -> Step:
    """Return the next step of a plan.

    Args:
        states: the runs in the order in which they are to start, each with its state.
        max_parallel: how many may run at once; None for no bound.
        fail_fast: whether the first run that does not succeed ends the rest.
    """
    queued = [run_id for run_id, now in states.items() if now == "queued"]
    running = [run_id for run_id, now in states.items() if now == "running"]
    failed = next((run_id for run_id, now in states.items() if _spoils(now)), None)
    if fail_fast and failed:
        why = f"fail_fast: {failed} did not succeed"
        return Step((), dict.fromkeys(queued, why), dict.fromkeys(running, why), not running)
    return Step(_first(queued, len(running), max_parallel), done=not queued and not running)


def _first(queued: Sequence[str], running: int, max_parallel: int | None) -> tuple[str, ...]:
    free = len(queued) if max_parallel is None else max(0, max_parallel - running)
    return tuple(queued[:free])


def _spoils(state: State) -> bool:
    return state not in LIVE_STATES and state != "succeeded"
