"""Stopping a run from outside: through its supervisor, or by hand where that one is dead."""

from __future__ import annotations

import os
import time

from bgrun.errors import BgrunError, StopError, UsageError
from bgrun.light import contextmanager, suppress
from bgrun.local import event_loop, journal, wait
from bgrun.local.stopping import policy, processes, stopper
from bgrun.store import record, state
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import clock, files, lock, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bgrun.model import Run
    from bgrun.store.paths import RunPaths
    from bgrun.store.store import Store

LOOK_S = 0.05
POKE_S = 0.5
SLACK_S = 3.0
"""What a supervisor may need beyond grace and kill, on a busy machine."""


def request(store: Store, run_id: str, reason: str, *, now: bool = False) -> None:
    """Ask for the end of a live run without waiting for it; where its supervisor is dead nothing follows.

    `now`: without a grace period.

    Raises:
        StorageError: the request cannot be written.
    """
    at = store.run(run_id)
    run, facts = record.read_run(at), record.read_meta(at)
    if run and facts and run.live:
        with files.storage(at.stop, "write"):
            record.ask_to_end(at, reason, now=now)
        _poke_supervisor(at, facts)


def stop_run(store: Store, run_id: str, grace_s: float | None = None, reason: str = "stop") -> Run | None:
    """End a run with all its processes and return it as it is then.

    Of a run that has ended, end what it left running; its result stays what it is, and the reason of the run that
    is returned tells of it.

    Args:
        store: the log directory.
        run_id: the run, or a group's run, which takes its runs along.
        grace_s: seconds between the stop signal and SIGKILL where bgrun itself has to send them; 0.0: SIGKILL at
            once, whoever sends it.
        reason: why, in words, or `stop` where somebody just asked for it.

    Raises:
        UsageError: the caller is a process of that run.
        StopError: something of it is still alive.
    """
    at = store.run(run_id)
    run = record.read_run(at)
    facts = record.read_meta(at)
    if run is None or facts is None:
        return run
    if not run.live:
        return _stop_left(store, run, grace_s)
    spare_caller(store, run)
    with files.storage(at.stop, "write"):
        record.ask_to_end(at, reason, now=grace_s == 0.0)
    until = time.monotonic() + _bound_s(store, run, facts)
    ended: Run | None = run
    while ended and ended.live and time.monotonic() < until:
        # Asked again each time: a supervisor may be killed between our asking and its answer.
        facts = record.read_meta(at) or facts
        if _poke_supervisor(at, facts):
            if grace_s == 0.0:
                record.ask_to_end(at, reason, now=True)  # its supervisor may have written over it as it sent a signal
            ended = wait.wait_run(store, run_id, POKE_S)
        else:
            ended = _stop_orphans(store, run_id, grace_s, reason)
    return _settled(store, at, ended, grace_s)


def _settled(store: Store, at: RunPaths, run: Run | None, grace_s: float | None) -> Run | None:
    if run is None:
        return None
    if run.live:
        raise StopError(f"{run.run_id} is still {run.state}", f"look at its processes: pid {run.pid}")
    if state.closing_words(record.read_meta(at) or {}):
        files.remove(at.stop)
        return run
    # Its script said how it ended, and its supervisor was killed before all of it had.
    return _stop_left(store, run, grace_s)


def _bound_s(store: Store, run: Run, facts: Mapping[str, str]) -> float:
    """Return how long a stop may take; a group takes as long as the slowest of its runs."""
    metas = [facts, *(store.facts(member) or {} for member in run.members)]
    graces = [state.parse_float(one.get("stop_grace_s", "")) or 0.0 for one in metas]
    unheard_s = 0.0 if event_loop.CAN_WATCH else event_loop.SLOW_LOOK_S
    return max(graces) + policy.HOLD_S + policy.KILL_S + SLACK_S + unheard_s


def spare_caller(store: Store, run: Run) -> None:
    """Refuse to stop the run that the caller is a process of.

    Raises:
        UsageError: it is.
    """
    mine = processes.mark_of(os.environ.get(MARK_DIR, ""), os.environ.get(MARK_RUN, ""))
    known_as = (store.facts(run.run_id) or {}).get("log_dir") or store.log_dir
    marks = [processes.mark_of(known_as, run_id) for run_id in (run.run_id, *run.members)]
    has_its_mark = any(processes.is_same_mark(mine, mark, store.log_dir) for mark in marks)
    if has_its_mark or (run.pid and run.pid in _ancestors()):
        raise _inside(run)


def _inside(run: Run) -> UsageError:
    return UsageError(
        f"this command runs inside {run.run_id} and would end itself",
        "stop it from another terminal, or just exit with the code you want",
    )


def _ancestors() -> set[int]:
    found: set[int] = set()
    one = process.look(os.getpid())
    while one and one.ppid > 1 and one.ppid not in found:
        found.add(one.ppid)
        one = process.look(one.ppid)
    return found


def _poke_supervisor(at: RunPaths, facts: Mapping[str, str]) -> bool:
    """Wake the supervisor that holds the lock; return whether there is one.

    A lock that is held is a living supervisor, though its pid may mean nothing here (another PID namespace,
    a container and its host): it then hears of the request by a touch of that.
    """
    group = at.other(facts["group_run"]).pid if facts.get("group_run") else ""
    if not record.is_locked(at) and not (group and lock.is_held(group)):
        return False
    pid, start = state.parse_int(facts.get("supervisor_pid", "")), facts.get("supervisor_start", "")
    target = process.look(pid) if pid and process.is_running(pid, start) else None
    if target and processes.send([target], "SIGUSR1"):
        processes.send([target], "SIGCONT")  # a suspended one could not answer
    else:
        with suppress(OSError):
            os.utime(at.stop)
    return True


class _Orphan:
    """A run without its supervisor that is being stopped; `ended`: what one left running that has ended."""

    def __init__(
        self, at: RunPaths, facts: Mapping[str, str], stopping: policy.Stopping, *, ended: bool = False
    ) -> None:
        self.at = at
        self.facts = facts
        self.stopping = stopping
        self.ended = ended
        self.reached: set[tuple[int, str]] = set()
        self.left: tuple[process.Process, ...] = ()
        self.over = False

    def target(self) -> stopper.Target:
        """Return what is to be stopped, as it is now."""
        if self.ended:
            return stopper.Target(stopper.claim_of_ended(self.at, self.facts), 0, self.at)
        pid = state.parse_int(self.facts.get("pid", "")) or 0
        lives = process.is_running(pid, self.facts.get("pid_start", ""))
        claim = stopper.claim_of(self.at, self.facts, reaped=not lives)
        return stopper.Target(claim, pid if lives else 0, self.at, told_by_record=True)

    def pursue(self, view: processes.View) -> bool:
        """Take its stop a step further; return whether to look again at once."""
        done = stopper.step(self.target(), self.stopping, view, clock.steady_clock())
        self.stopping, self.left = done.stopping, done.left
        self.reached.update(one.key for one in done.reached)
        self.over = done.outcome in ("over", "given up")
        return done.outcome == "look again"


def _stop_orphans(store: Store, run_id: str, grace_s: float | None, reason: str) -> Run | None:
    """Carry out the stop of a run, or of a group's runs, whose supervisor is dead."""
    run, facts = store.read(run_id), store.facts(run_id)
    if run is None or facts is None or not run.live:
        return run
    named = run.members or (run_id,)
    with _alone([store.run(one).log for one in named], _bound_s(store, run, facts)):
        _carry_out(store, named, grace_s, reason)
        if run.members:
            _close(store.run(run_id), reason)
    return store.read(run_id)


@contextmanager
def _alone(logs: Iterable[str], within_s: float) -> Iterator[None]:
    """Let one caller at a time stop runs without a supervisor: each would write over what the other has recorded.

    It is a lock on their logs. One that is held for longer than a stop takes is the job's own, and is passed over.
    """
    held = []
    until = time.monotonic() + within_s
    try:
        for log in logs:
            with suppress(BgrunError, OSError):
                held.append(files.open_regular(log))
                lock.hold_in_turn(held[-1], max(0.0, until - time.monotonic()))
        yield
    finally:
        for fd in held:
            os.close(fd)


def _carry_out(store: Store, run_ids: Iterable[str], grace_s: float | None, reason: str) -> None:
    orphans = []
    for run_id in run_ids:
        at = store.run(run_id)
        now, facts = record.read_run(at), record.read_meta(at)
        if now and facts and now.live:
            orphans.append(_Orphan(at, facts, _begin(facts, grace_s, reason)))
    _pursue(orphans)
    for one in orphans:
        _close(one.at, reason, len(one.reached))
        if state.closing_words(record.read_meta(one.at) or {}):
            files.remove(one.at.stop)
    _refuse_left(orphans)


def _stop_left(store: Store, run: Run, grace_s: float | None) -> Run:
    """End what a run, or a group's runs, left running when they ended."""
    left = []
    for run_id in run.members or (run.run_id,):
        at = store.run(run_id)
        facts = record.read_meta(at)
        if facts and not record.is_copy(at, facts):
            left.append(_Orphan(at, facts, _begin(facts, grace_s, ""), ended=True))
    view, spared = processes.View(), {os.getpid(), *_ancestors()}
    found = [one.pid for orphan in left for one in processes.find(orphan.target().claim, view)]
    if not found:
        return run
    if not spared.isdisjoint(found):
        raise _inside(run)
    _pursue(left)
    _refuse_left(left)
    count = len({key for orphan in left for key in orphan.reached})
    now = store.existing(run.run_id)
    told = f"ended {count} process{'' if count == 1 else 'es'} that it had left running"
    return now._replace(reason="; ".join(filter(None, (now.reason, told))))


def _begin(facts: Mapping[str, str], grace_s: float | None, reason: str) -> policy.Stopping:
    declared = state.parse_float(facts.get("stop_grace_s", "")) or 0.0
    grace = declared if grace_s is None else grace_s
    return policy.begin(reason, facts.get("stop_signal") or "SIGTERM", grace, clock.steady_clock())


def _pursue(orphans: Sequence[_Orphan]) -> None:
    """Stop them all at once, so that each has its own grace period and nobody waits for another's."""
    try:
        while pending := [one for one in orphans if not one.over]:
            view = processes.View()
            again = [one for one in pending if one.pursue(view)]
            if not again and any(not one.over for one in pending):
                time.sleep(LOOK_S)
    finally:
        for one in orphans:
            if not one.over:  # we are interrupted: nothing is left standing still
                processes.send(one.stopping.held, "SIGCONT")


def _refuse_left(orphans: Sequence[_Orphan]) -> None:
    """Raise StopError where something could not be ended."""
    if left := [(one.at.run_id, last.pid) for one in orphans for last in one.left]:
        told = ", ".join(f"pid {pid} of {run_id}" for run_id, pid in left)
        raise StopError(f"still alive after SIGKILL: {told}")


def _close(at: RunPaths, reason: str, count: int = 0) -> None:
    """Write the last words on a run that nobody else will write any, and never over somebody else's.

    `count` is the number of processes that were ended, which a group's own run leaves to its runs.
    """
    ended = record.read_run(at)
    facts = record.read_meta(at)
    if ended is None or facts is None or ended.live or state.closing_words(facts):
        return
    if ended.state != "stopped" and (not ended.members or ended.succeeded):
        return  # it ended by itself before any signal was sent
    told = state.stop_words(reason) + (f"; ended {count} process{'' if count == 1 else 'es'}" if count else "")
    verdict = state.Verdict("stopped", ended.exit_code, ended.signal, told)
    journal.close_orphan(at, facts | ({"stopped_processes": str(count)} if count else {}), verdict)
