"""Wait for a run on Slurm: by its files, and seldom by a call of Slurm, for what those cannot tell."""

from __future__ import annotations

import os
import time

from bgrun.slurm import evidence, queue
from bgrun.store import record, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.model import Run
    from bgrun.store.paths import RunPaths
    from bgrun.store.store import Store

SHORTEST_S, LONGEST_S = 0.2, 2.0
"""How often the files are checked: at first, and after a while."""
FIRST_LOOK_S, LOOK_S = 10.0, 30.0
"""After how many seconds of a wait Slurm is asked, and after how many more each further time, for all runs together."""
_due: dict[str, float] = {}
"""When Slurm is to be asked next for a log directory, on the monotonic clock: one wait may be for many runs in turn."""


def wait_run(store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
    """Return a run once it has finished, or as it is at the timeout; None if it was deleted."""
    began = time.monotonic()
    until = float("inf") if timeout_s is None else began + timeout_s
    pause_s = SHORTEST_S
    due = _due.setdefault(store.log_dir, began + FIRST_LOOK_S)
    while True:
        is_finished, now = has_finished(store.run(run_id)), time.monotonic()
        if now >= until and not is_finished:
            with queue.patience(LOOK_S):  # of many runs each is read now
                return store.read(run_id)
        if is_finished or now >= due:
            run = store.read(run_id)
            if run is None or not run.live or time.monotonic() >= until:
                return run
            due = _due[store.log_dir] = time.monotonic() + LOOK_S
        # How a run ended that Slurm terminated only Slurm knows, which may not answer: then there is no hurry.
        time.sleep(max(0.0, min(LONGEST_S if is_finished else pause_s, until - time.monotonic())))
        pause_s = min(LONGEST_S, pause_s * 1.2)


def has_finished(at: RunPaths) -> bool:
    """Return whether the files of a run, or of each run of a group, have a result, or nothing is left of them.

    A run that Slurm terminated has an exit code, or at least an end, and no result: only Slurm knows why it ended.
    """
    facts = record.read_meta(at)
    if facts is None or state.closing_words(facts) is not None:
        return True
    if record.is_group(facts):
        members = map(at.other, facts["members"].split())
        return all(has_finished(one) for one in members if not record.is_group(record.read_meta(one) or {}))
    if os.path.exists(at.exit) or facts.get("ended_at"):
        return True
    return not state.has_started(facts) and bool(evidence.failed_need(at, facts))
