"""Stop runs on Slurm: by a request on the shared file system, which their launchers see, and by a word to Slurm.

The request comes first, so that a stop works while the controller does not: a launcher checks it each second.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import StopError, UsageError
from bgrun.slurm import calls, queue, wait
from bgrun.store import record, state, stop_request
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.model import Run
    from bgrun.store.store import Store

PATIENCE_S = 15.0
"""How long after its grace period a run is left to its launcher; then Slurm ends its job."""
LAST_S = 45.0
"""How long after that Slurm is given: its KillWait is 30 s, unless a cluster has another one."""
PAUSE_S, LOOK_S = 0.1, 2.0


def request(store: Store, run_id: str, reason: str, *, now: bool = False) -> None:
    """Request the stop of an active run without waiting for it; `now`: without a grace period.

    Raises:
        StorageError: the request cannot be written.
    """
    run = store.read(run_id)
    if run and run.live:
        _ask(store, run, reason, now=now)
        _send(store, run.members or (run_id,), ask=True)


def stop_run(store: Store, run_id: str, *, now: bool = False) -> Run | None:
    """Stop a run and return it as it is then; None if it was deleted.

    Raises:
        StopError: it is still active, as far as anybody knows. The request stays.
    """
    run = store.read(run_id)
    if run is None or not run.live:
        return run
    _ask(store, run, "stop", now=now)
    named = run.members or (run_id,)
    _send(store, named, ask=True)
    escalate_at = time.monotonic() + (0.0 if now else _grace_s(store, named)) + PATIENCE_S
    give_up_at, look_at = escalate_at + LAST_S, time.monotonic() + 0.5
    while not wait.has_finished(store.run(run_id)):
        at = time.monotonic()
        if at >= look_at:
            run, look_at = store.read(run_id), time.monotonic() + LOOK_S
            if run is None or not run.live:
                return run
            if run.state == "unknown" and not run.started_at:
                break  # its job may not have begun, and Slurm does not answer: nobody can carry it out
        if at >= escalate_at:
            _send(store, named, ask=False)
            escalate_at = give_up_at
        if at >= give_up_at:
            break
        time.sleep(PAUSE_S)
    return _settled(store.read(run_id))


def _settled(run: Run | None) -> Run | None:
    if run and run.live:
        hint = "the request is recorded and will be carried out once Slurm answers; look again with "
        raise StopError(f"could not stop {run.run_id} yet: {run.state}", f"{hint}'bgrun status {run.run_id}'")
    return run


def _ask(store: Store, run: Run, reason: str, *, now: bool) -> None:
    for one in (run.run_id, *run.members):
        at = store.run(one)
        facts = record.read_meta(at)
        if facts and state.closing_words(facts) is None:
            with files.storage(at.stop, "write"):
                stop_request.ask_to_end(at, reason, now=now)


def _send(store: Store, run_ids: Sequence[str], *, ask: bool) -> None:
    """Wake the launchers of runs and take queued ones from the queue, or have Slurm end their jobs, in two calls."""
    wake: list[str] = []
    end: list[str] = []
    metas = [facts for one in run_ids if (facts := store.facts(one)) and state.closing_words(facts) is None]
    config = next(filter(None, map(queue.config_of, metas)), "")
    found = queue.look(store.log_dir, config=config)
    if not found.answered:
        return  # as it was just now: each further call would take as long again
    found = queue.look(store.log_dir, 0.0, config)
    for job in filter(None, map(found.of, metas)):
        if job.live:
            (wake if ask and job.state != "PENDING" else end).append(job.job_id)
    if wake:
        calls.call(("scancel", "--batch", "-s", "USR1", *wake), config=config)
    if end:
        calls.call(("scancel", *end), config=config)
        queue.forget(store.log_dir)


def _grace_s(store: Store, run_ids: Sequence[str]) -> float:
    metas = (store.facts(one) or {} for one in run_ids)
    return max((state.parse_float(one.get("stop_grace_s", "")) or 0.0 for one in metas), default=0.0)


def spare_caller(store: Store, run: Run) -> None:
    """Refuse to stop a run from inside.

    Raises:
        UsageError: the caller is a process of it, or of a job of it.
    """
    mine = os.environ.get(MARK_RUN, "")
    if mine and mine in (run.run_id, *run.members) and _is_same(os.environ.get(MARK_DIR, ""), store.log_dir):
        raise UsageError(
            f"cannot stop {run.run_id} from inside {run.run_id}",
            "stop it from another terminal, or exit with the code you want",
        )


def _is_same(one: str, other: str) -> bool:
    return bool(one) and os.path.realpath(one) == os.path.realpath(other)
