"""The one algorithm of a stop: which signals are sent to which processes, and when the run is over.

The supervisor carries it out; if that was killed, `bgrun stop` does (see `orphans`), with the same steps.
"""

from __future__ import annotations

import os

from bgrun.errors import StorageError
from bgrun.light import NamedTuple
from bgrun.local.recording import journal
from bgrun.local.stopping import policy, processes, signals
from bgrun.store import record, state, stop_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from bgrun.local.stopping.policy import Stopping
    from bgrun.store.paths import RunPaths
    from bgrun.system.process import Process

    Outcome = Literal["pending", "scan again", "over", "given up"]

QUIET_SCANS = 2
"""How many scans in a row must find no new process: a single one may miss a process that forks and exits."""


class Target(NamedTuple):
    """What is being stopped, and by whom it is recorded.

    script_pid: the PID of the job script until its exit was seen, else 0.
    needs_record: the stop request is the only record of the stop; if it cannot be written, no signal is sent.
    """

    claim: processes.Ownership
    script_pid: int
    files: RunPaths
    needs_record: bool = False


class Step(NamedTuple):
    """The result of one step: the new state of the stop, and the processes that its signals reached.

    outcome: `scan again` means at once, since a process may have been missed.
    left: the processes that could not be killed.
    """

    stopping: Stopping
    outcome: Outcome
    reached: tuple[Process, ...] = ()
    left: tuple[Process, ...] = ()


def step(target: Target, stopping: Stopping, view: processes.View, now: float) -> Step:
    """Carry out the next step of a stop; `now` is on the steady clock.

    Raises:
        OSError: the request could not be recorded before a signal (see `StorageError`).
    """
    phase = policy.phase(stopping, now)
    claim = target.claim._replace(leader=0) if target.claim.reaped and stopping.no_session else target.claim
    if phase == "kill":
        return _kill(target, claim, stopping, view, now)
    found = processes.find(claim, view)
    stopping = _scanned(claim, stopping, found, new=bool(found))
    if not found:
        return Step(stopping, "over" if stopping.quiet_scans >= QUIET_SCANS else "scan again")
    if phase == "give up":
        return Step(stopping, "given up", left=tuple(found))
    if phase == "signal" and not (target.script_pid and journal.command_is_over(target.files)):
        return _signal(target, stopping, found)
    return Step(stopping, "pending")  # perhaps the script is about to record the exit code of the command


def _scanned(claim: processes.Ownership, stopping: Stopping, found: list[Process], *, new: bool) -> Stopping:
    """Return a stop after one more scan."""
    no_session = stopping.no_session or (claim.reaped and not any(processes.in_session(claim, one) for one in found))
    return stopping._replace(quiet_scans=0 if new else stopping.quiet_scans + 1, no_session=no_session)


def _signal(target: Target, stopping: Stopping, found: list[Process]) -> Step:
    """Send the stop signal to all but the job script, which then exits with the command's own code."""
    _record(target, stopping, signalled=True)
    below = [one for one in found if one.pid != target.script_pid]
    reached = signals.send_to_living(below or found, stopping.signal)
    signals.send(found, "SIGCONT")  # the job script too: a suspended one could not respond
    if not reached:
        _record(target, stopping, signalled=False)  # all of them were exiting by themselves
    return Step(stopping._replace(signaled=bool(reached)), "pending", tuple(reached))


def _kill(target: Target, claim: processes.Ownership, stopping: Stopping, view: processes.View, now: float) -> Step:
    """Suspend every process, so that none can fork; once another scan finds no new one, kill them all."""
    suspended = {one.key: one for one in stopping.suspended}

    def suspend(found: Sequence[Process]) -> None:
        fresh = {one.key: one for one in found if one.key not in suspended}
        signals.send(fresh.values(), "SIGSTOP")
        suspended.update(fresh)

    found = processes.find(claim, view, suspend)
    stopping = _scanned(claim, stopping, found, new=len(suspended) > len(stopping.suspended))
    stopping = stopping._replace(suspended=tuple(suspended.values()))
    if not suspended:
        return Step(stopping, "over" if stopping.quiet_scans >= QUIET_SCANS else "scan again")
    if not found and stopping.quiet_scans >= QUIET_SCANS:
        return Step(stopping, "over")
    if stopping.suspending_since is None:
        _record(target, stopping, signalled=True)
    stopping = policy.suspending(stopping, now)
    if stopping.quiet_scans < QUIET_SCANS and not policy.must_kill(stopping, now):
        return Step(stopping, "scan again")
    return Step(policy.killing(stopping, now), "pending", tuple(signals.send(suspended.values(), "SIGKILL")))


def _record(target: Target, stopping: Stopping, *, signalled: bool) -> None:
    """Record the stop before its signal, for readers in case this process is killed in between."""
    if not stopping.reason:
        return
    try:
        stop_request.write_stop(target.files, stopping.reason, signalled=signalled)
    except OSError as error:
        if target.needs_record:
            raise StorageError(f"cannot write {target.files.stop}: {error.strerror}") from error


def claim_of(files: RunPaths, facts: Mapping[str, str], *, reaped: bool) -> processes.Ownership:
    """Return what makes a process part of a run, from the facts in its meta; `reaped`: its script has exited."""
    if record.is_foreign(facts):
        # Never its `pgid=`: that is the process group of the caller of the old script, an agent's shell perhaps.
        leader = 0 if reaped else state.parse_int(facts.get("pid", "")) or 0
        mark = processes.read_mark(leader) if leader else ""
        return processes.Ownership(mark, files.log, leader, not_these=frozenset({os.getpid()}), marked=False)
    return processes.Ownership(
        mark=processes.mark_of(facts.get("log_dir") or files.log_dir, files.run_id),
        log=files.log,
        leader=state.parse_int(facts.get("pid", "")) or 0,
        reaped=reaped,
        since=facts.get("pid_start", ""),
    )


def claim_of_ended(files: RunPaths, facts: Mapping[str, str]) -> processes.Ownership:
    """Return what makes a process part of a finished run: its mark, its log, or that it was recorded.

    The session of the script proves nothing: its number may have been reused since.
    """
    from bgrun.local import evidence

    known = frozenset(evidence.left_running(facts))
    return claim_of(files, facts, reaped=True)._replace(leader=0, known=known)
