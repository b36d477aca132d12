"""Judge a group whose supervisor was killed by the runs of it. Pure."""

from __future__ import annotations

from bgrun.store import state
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.model import Run

_NEVER = float("inf")


def judged(
    unseen: state.Verdict, named: Sequence[str], own: Mapping[str, Mapping[str, str]], runs: Mapping[str, Run]
) -> tuple[state.Verdict, tuple[int, ...]]:
    """Return the verdict of a group whose supervisor was killed, and the PIDs of the services that it left running.

    The verdict comes from its runs, if all results are known. The group is over once its jobs are: nobody stops its
    services any more. What becomes of those later does not change the verdict.

    unseen: the verdict without its runs. named: the run IDs that its meta names. own: the metas of those that exist
    and are no groups, and `runs` those runs, both by run ID.
    """
    jobs = [run for run in runs.values() if not run.service]
    if any(run.live and not (run.abandoned and jobs) for run in runs.values()):
        return state.Verdict("running", reason="the supervisor was killed; started runs continue"), ()
    left = tuple(run.pid for run in runs.values() if run.live and run.pid)
    over_at = newest_end(jobs) if jobs else _NEVER
    counted = [
        run
        for run_id, run in runs.items()
        if own[run_id].get("waived") != "true" and _counts(run, own[run_id], over_at)
    ]
    if not runs or len(runs) < len(named) or any(run.state == "lost" for run in counted):
        return unseen, left
    return state.group_verdict(run.state for run in counted), left


def _counts(run: Run, facts: Mapping[str, str], over_at: float) -> bool:
    """Return whether a run of a group whose supervisor was killed counts for its result.

    Not a service that outlived the jobs: its supervisor would have stopped it. A duration in the meta of a run means
    that its supervisor saw the end. `over_at`: when the last job finished, in seconds since the epoch.
    """
    if not run.service or not run.started_at or "duration_s" in facts or over_at == _NEVER:
        return True
    ended = clock.epoch(run.ended_at or "")
    return ended is not None and ended < over_at


def newest_end(runs: Iterable[Run]) -> float:
    """Return when the last of some runs finished, in seconds since the epoch; 0 if none did."""
    ends = [clock.epoch(run.ended_at) for run in runs if run.ended_at]
    return max((end for end in ends if end is not None), default=0.0)
