"""Stop runs whose supervisor was killed: the caller of `bgrun stop` carries out its steps instead."""

from __future__ import annotations

import os
import time

from bgrun import wording
from bgrun.errors import BgrunError, StopError
from bgrun.light import contextmanager, suppress
from bgrun.local import evidence
from bgrun.local.recording import journal
from bgrun.local.stopping import policy, processes, signals, stopper
from bgrun.store import record, state
from bgrun.system import clock, lock, process, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bgrun.store.paths import RunPaths

POLL_S = 0.05


class Orphan:
    """A run without a supervisor that is being stopped; `ended`: it has finished, and left processes running."""

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
        return stopper.Target(claim, pid if lives else 0, self.at, needs_record=True)

    def advance(self, view: processes.View) -> bool:
        """Carry out the next step of its stop; return whether to scan again at once."""
        done = stopper.step(self.target(), self.stopping, view, clock.steady_clock())
        self.stopping, self.left = done.stopping, done.left
        self.reached.update(one.key for one in done.reached)
        self.over = done.outcome in ("over", "given up")
        return done.outcome == "scan again"


def stop(runs: Iterable[RunPaths], grace_s: float | None, reason: str) -> int:
    """Stop active runs, record how they ended, and return how many processes were stopped.

    Raises:
        StopError: a process is left.
    """
    orphans = []
    for at in runs:
        now, facts = record.read_run(at), record.read_meta(at)
        if now and facts and now.live:
            orphans.append(Orphan(at, evidence.with_start(at, facts), _begin(facts, grace_s, reason)))
    _carry_out(orphans)
    for one in orphans:
        close(one.at, reason, len(one.reached))
        if state.closing_words(record.read_meta(one.at) or {}):
            record.remove(one.at, one.at.stop)
    _refuse_left(orphans)
    return sum(len(one.reached) for one in orphans)


def stop_left_running(runs: Iterable[RunPaths], grace_s: float | None, refuse: Callable[[Iterable[int]], None]) -> int:
    """Stop what finished runs left running, and return how many processes that were.

    `refuse` is called with the PIDs that would be stopped, before any signal is sent.

    Raises:
        StopError: a process is left.
    """
    left = []
    for at in runs:
        facts = record.read_meta(at)
        if facts and not evidence.is_copy(at, facts):
            left.append(Orphan(at, facts, _begin(facts, grace_s, ""), ended=True))
    view = processes.View()
    found = [one.pid for orphan in left for one in processes.find(orphan.target().claim, view)]
    if not found:
        return 0
    refuse(found)
    _carry_out(left)
    _refuse_left(left)
    return len({key for orphan in left for key in orphan.reached})


@contextmanager
def alone(logs: Iterable[str], within_s: float) -> Iterator[None]:
    """Let one caller at a time stop orphans: another one would overwrite what this one records.

    The lock is on the logs of the runs. A lock that is held longer than a stop takes is the job's own, and ignored.
    """
    held = []
    until = time.monotonic() + within_s
    try:
        for log in logs:
            with suppress(BgrunError, OSError):
                held.append(reading.open_regular(log))
                lock.hold_within(held[-1], max(0.0, until - time.monotonic()))
        yield
    finally:
        for fd in held:
            os.close(fd)


def close(at: RunPaths, reason: str, count: int = 0) -> None:
    """Record that a run was stopped, unless its result is recorded already.

    `count` is the number of processes that were stopped; a group's own run leaves that to its runs.
    """
    ended = record.read_run(at)
    facts = record.read_meta(at)
    if ended is None or facts is None or ended.live or state.closing_words(facts):
        return
    if ended.state != "stopped" and (not ended.members or ended.succeeded):
        return  # it finished by itself before any signal was sent
    why = state.stop_words(reason) + (f" ({wording.count(count, 'process')} stopped)" if count else "")
    verdict = state.Verdict("stopped", ended.exit_code, ended.signal, why)
    more = {"stopped_processes": str(count)} if count else {}
    if ended.service and not any(run.live for run in record.readable(map(at.other, ended.needed_by))):
        more["waived"] = "true"  # nothing needed it any more
    journal.close_orphan(at, {**facts, **more}, verdict)


def _begin(facts: Mapping[str, str], grace_s: float | None, reason: str) -> policy.Stopping:
    declared = state.parse_float(facts.get("stop_grace_s", "")) or 0.0
    grace = declared if grace_s is None else grace_s
    return policy.begin(reason, facts.get("stop_signal") or "SIGTERM", grace, clock.steady_clock())


def _carry_out(orphans: Sequence[Orphan]) -> None:
    """Stop all of them at once, so that each has its own grace period and none waits for another."""
    try:
        while pending := [one for one in orphans if not one.over]:
            view = processes.View()
            again = [one for one in pending if one.advance(view)]
            if not again and any(not one.over for one in pending):
                time.sleep(POLL_S)
    finally:
        for one in orphans:
            if not one.over:  # interrupted: nothing stays suspended
                signals.send(one.stopping.suspended, "SIGCONT")


def _refuse_left(orphans: Sequence[Orphan]) -> None:
    """Raise StopError if a process is left."""
    failed = [one for one in orphans if one.left]
    if failed:
        names = wording.names(one.at.run_id for one in failed)
        pids = wording.names(last.pid for one in failed for last in one.left)
        raise StopError(f"could not stop {names}: still alive after SIGKILL: pid {pids}")
