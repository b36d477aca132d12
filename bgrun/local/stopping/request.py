"""Stop runs from outside: through the supervisor, or in its place if it was killed."""

from __future__ import annotations

import os
import time

from bgrun import wording
from bgrun.errors import StopError, UsageError
from bgrun.light import suppress
from bgrun.local import evidence, wait
from bgrun.local.stopping import orphans, policy, processes, signals
from bgrun.local.supervision import event_loop
from bgrun.store import record, state, stop_request
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import files, lock, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgrun.model import Run
    from bgrun.store.paths import RunPaths
    from bgrun.store.store import Store

WAKE_S = 0.5
"""How often a supervisor that has not responded is woken again."""
SLACK_S = 3.0
"""What a supervisor may need beyond grace period and SIGKILL, on a busy machine."""


def request(store: Store, run_id: str, reason: str, *, now: bool = False) -> None:
    """Request the stop of an active run without waiting for it; has no effect if the supervisor was killed.

    `now`: without a grace period.

    Raises:
        StorageError: the request cannot be written.
    """
    at = store.run(run_id)
    run, facts = record.read_run(at), record.read_meta(at)
    if run and facts and run.live:
        with files.storage(at.stop, "write"):
            stop_request.ask_to_end(at, reason, now=now)
        _wake_supervisor(at, facts)


def stop_run(store: Store, run_id: str, grace_s: float | None = None, reason: str = "stop") -> Run | None:
    """Stop a run with all its processes and return it as it is then.

    Of a finished run, stop what it left running; its result does not change, and the reason of the returned run
    says how many processes that were.

    Args:
        store: the log directory.
        run_id: the run, or a group's run, which includes its runs.
        grace_s: seconds between the stop signal and SIGKILL if the caller has to send them; 0.0: SIGKILL at once,
            whoever sends it.
        reason: the reason to record; `stop` for a plain request.

    Raises:
        UsageError: the caller is a process of that run.
        StopError: a process of it is left.
    """
    at = store.run(run_id)
    run = record.read_run(at)
    facts = record.read_meta(at)
    if run is None or facts is None:
        return run
    if not run.live:
        return _stop_left(store, run, grace_s, reason)
    spare_caller(store, run)
    with files.storage(at.stop, "write"):
        stop_request.ask_to_end(at, reason, now=grace_s == 0.0)
    until = time.monotonic() + _bound_s(store, run, facts)
    ended: Run | None = run
    while ended and ended.live and time.monotonic() < until:
        # Checked again each time: a supervisor may be killed between the request and its response.
        facts = record.read_meta(at) or facts
        if _wake_supervisor(at, facts):
            if grace_s == 0.0:
                # The supervisor may have overwritten it as it sent a signal.
                stop_request.ask_to_end(at, reason, now=True)
            ended = wait.wait_run(store, run_id, WAKE_S)
        else:
            ended = _stop_orphans(store, run_id, grace_s, reason)
    return _settled(store, at, ended, grace_s, reason)


def _settled(store: Store, at: RunPaths, run: Run | None, grace_s: float | None, reason: str) -> Run | None:
    if run is None:
        return None
    if run.live:
        hint = f"inspect its process: ps -fp {run.pid}" if run.pid else "try again"
        raise StopError(f"could not stop {run.run_id}: still {run.state}", hint)
    if state.closing_words(record.read_meta(at) or {}):
        record.remove(at, at.stop)
        return run
    # The script recorded its exit code; the supervisor was killed while other processes were still running.
    return _stop_left(store, run, grace_s, reason)


def _bound_s(store: Store, run: Run, facts: Mapping[str, str]) -> float:
    """Return how many seconds a stop may take; a group takes as long as the slowest of its jobs, then its services."""
    metas = [facts, *(store.facts(member) or {} for member in run.members)]
    times = [(state.parse_float(one.get("stop_grace_s", "")) or 0.0, one.get("service") == "true") for one in metas]
    jobs_s = max((grace for grace, is_service in times if not is_service), default=0.0)
    services_s = sum(grace for grace, is_service in times if is_service)
    unnoticed_s = 0.0 if event_loop.CAN_WATCH else event_loop.REQUEST_CHECK_S
    return jobs_s + services_s + policy.SUSPEND_S + policy.KILL_S + SLACK_S + unnoticed_s


def spare_caller(store: Store, run: Run) -> None:
    """Refuse to stop a run from inside.

    Raises:
        UsageError: the caller is a process of it.
    """
    mine = processes.mark_of(os.environ.get(MARK_DIR, ""), os.environ.get(MARK_RUN, ""))
    known_as = (store.facts(run.run_id) or {}).get("log_dir") or store.log_dir
    marks = [processes.mark_of(known_as, run_id) for run_id in (run.run_id, *run.members)]
    has_its_mark = any(processes.is_same_mark(mine, mark, store.log_dir) for mark in marks)
    if has_its_mark or (run.pid and run.pid in _ancestors()):
        raise _inside(run)


def _inside(run: Run) -> UsageError:
    return UsageError(
        f"cannot stop {run.run_id} from inside {run.run_id}",
        "stop it from another terminal, or exit with the code you want",
    )


def _ancestors() -> set[int]:
    found: set[int] = set()
    one = process.read(os.getpid())
    while one and one.ppid > 1 and one.ppid not in found:
        found.add(one.ppid)
        one = process.read(one.ppid)
    return found


def _wake_supervisor(at: RunPaths, facts: Mapping[str, str]) -> bool:
    """Wake the supervisor that holds the lock; return whether there is one.

    A held lock means a living supervisor, even if its PID means nothing here (another PID namespace, such as a
    container and its host). It is then woken by touching the directory that it watches.
    """
    group = at.other(facts["group_run"]).pid if facts.get("group_run") else ""
    if not evidence.is_locked(at) and not (group and lock.is_held(group)):
        return False
    pid, start = state.parse_int(facts.get("supervisor_pid", "")), facts.get("supervisor_start", "")
    target = process.read(pid) if pid and process.is_running(pid, start) else None
    if target and signals.send([target], "SIGUSR1"):
        signals.send([target], "SIGCONT")  # a suspended one could not respond
    else:
        for watched in (at.scripts, at.stop):  # an older supervisor watches the log directory
            with suppress(OSError):
                os.utime(watched)
    return True


def _stop_orphans(store: Store, run_id: str, grace_s: float | None, reason: str) -> Run | None:
    """Stop a run, or the runs of a group, whose supervisor was killed."""
    run, facts = store.read(run_id), store.facts(run_id)
    if run is None or facts is None or not run.live:
        return run
    named = run.members or (run_id,)
    with orphans.alone([store.run(one).log for one in named], _bound_s(store, run, facts)):
        orphans.stop([store.run(one) for one in named], grace_s, reason)
        if run.members:
            orphans.close(store.run(run_id), reason)
    return store.read(run_id)


def _stop_members(store: Store, run: Run, grace_s: float | None, reason: str) -> int:
    """Stop the services of a finished group that outlived its supervisor; return how many processes that were."""
    live = [store.run(one.run_id) for one in store.readable(run.members) if one.live]
    if not live:
        return 0
    spare_caller(store, run)
    with orphans.alone([one.log for one in live], _bound_s(store, run, store.facts(run.run_id) or {})):
        return orphans.stop(live, grace_s, reason)


def _stop_left(store: Store, run: Run, grace_s: float | None, reason: str) -> Run:
    """Stop what a finished run, or the runs of a finished group, left running."""
    stopped = _stop_members(store, run, grace_s, reason)
    spared = {os.getpid(), *_ancestors()}

    def refuse(found: Iterable[int]) -> None:
        if not spared.isdisjoint(found):
            raise _inside(run)

    named = [store.run(one) for one in run.members or (run.run_id,)]
    count = stopped + orphans.stop_left_running(named, grace_s, refuse)
    if not count:
        return run
    now = record.existing(store.run(run.run_id))
    words = f"stopped {wording.count(count, 'process')} it had left running"
    return now._replace(reason="; ".join(filter(None, (now.reason, words))))
