"""The stop of a run, from the first signal to the last: who is asked to end, who is killed, and when it is over.

The supervisor carries it out, or `stop` where that is dead: both take the same steps.
"""

from __future__ import annotations

import os

from bgrun.errors import StorageError
from bgrun.light import NamedTuple
from bgrun.local import journal, workdir
from bgrun.local.stopping import policy, processes
from bgrun.store import meta, record, state
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Literal

    from bgrun.local.run import RunTask
    from bgrun.local.stopping.policy import Stopping
    from bgrun.store.paths import RunPaths
    from bgrun.system.process import Process

    Outcome = Literal["goes on", "look again", "over", "given up"]

CALM = 2
"""How many looks in a row have to find nothing more: one alone may miss what forks and ends."""


class Target(NamedTuple):
    """What is being stopped, whoever does it.

    `script_pid` is that of the job script until its end was seen, else 0. `told_by_record`: only the record of the
    stop will tell what became of the run; where that cannot be written, no signal is sent.
    """

    claim: processes.Ownership
    script_pid: int
    files: RunPaths
    told_by_record: bool = False


class Step(NamedTuple):
    """What a step of a stop came to: how the stop stands, and the processes that a signal of it reached.

    `look again`: at once, for something may have been missed. `left` is what could not be ended.
    """

    stopping: Stopping
    outcome: Outcome
    reached: tuple[Process, ...] = ()
    left: tuple[Process, ...] = ()


def step(target: Target, stopping: Stopping, view: processes.View, now: float) -> Step:
    """Take a stop a step further; `now` is on the steady clock.

    Raises:
        OSError: what is wanted could not be recorded before a signal (see `StorageError`).
    """
    phase = policy.phase(stopping, now)
    claim = target.claim._replace(leader=0) if target.claim.reaped and stopping.no_session else target.claim
    if phase == "kill":
        return _kill(target, claim, stopping, view, now)
    found = processes.find(claim, view)
    stopping = _seen(claim, stopping, found, new=bool(found))
    if not found:
        return Step(stopping, "over" if stopping.calm >= CALM else "look again")
    if phase == "give up":
        return Step(stopping, "given up", left=tuple(found))
    if phase == "ask" and not (target.script_pid and journal.command_is_over(target.files)):
        return _ask(target, stopping, found)
    return Step(stopping, "goes on")  # perhaps its script is about to say how the command ended


def _seen(claim: processes.Ownership, stopping: Stopping, found: list[Process], *, new: bool) -> Stopping:
    """Return a stop after one more look."""
    no_session = stopping.no_session or (claim.reaped and not any(processes.in_session(claim, one) for one in found))
    return stopping._replace(calm=0 if new else stopping.calm + 1, no_session=no_session)


def _ask(target: Target, stopping: Stopping, found: list[Process]) -> Step:
    """Send the stop signal to all but the job script, which then ends with the command's own code."""
    _record(target, stopping, signalled=True)
    below = [one for one in found if one.pid != target.script_pid]
    reached = processes.ask(below or found, stopping.signal)
    processes.send(found, "SIGCONT")  # the job script too: one that was suspended could not answer
    if not reached:
        _record(target, stopping, signalled=False)  # all were on their way out by themselves
    return Step(stopping._replace(asked=bool(reached)), "goes on", tuple(reached))


def _kill(target: Target, claim: processes.Ownership, stopping: Stopping, view: processes.View, now: float) -> Step:
    """Hold all of it still, so that nothing forks away; once a second look finds nothing else, kill it."""
    held = {one.key: one for one in stopping.held}

    def hold(found: Sequence[Process]) -> None:
        fresh = {one.key: one for one in found if one.key not in held}
        processes.send(fresh.values(), "SIGSTOP")
        held.update(fresh)

    found = processes.find(claim, view, hold)
    stopping = _seen(claim, stopping, found, new=len(held) > len(stopping.held))._replace(held=tuple(held.values()))
    if not held:
        return Step(stopping, "over" if stopping.calm >= CALM else "look again")
    if not found and stopping.calm >= CALM:
        return Step(stopping, "over")
    if stopping.holding_since is None:
        _record(target, stopping, signalled=True)
    stopping = policy.holding(stopping, now)
    if stopping.calm < CALM and not policy.has_held_long(stopping, now):
        return Step(stopping, "look again")
    return Step(policy.killing(stopping, now), "goes on", tuple(processes.send(held.values(), "SIGKILL")))


def _record(target: Target, stopping: Stopping, *, signalled: bool) -> None:
    """Record what is wanted before the signal, for whoever reads this if we are killed meanwhile."""
    if not stopping.reason:
        return
    try:
        record.write_stop(target.files, stopping.reason, signalled=signalled)
    except OSError as error:
        if target.told_by_record:
            raise StorageError(f"cannot write {target.files.stop}: {error.strerror}") from error


def claim_of(files: RunPaths, facts: Mapping[str, str], *, reaped: bool) -> processes.Ownership:
    """Return what makes a process part of a run, from the facts in its meta; `reaped`: its script has ended."""
    if record.is_foreign(facts):
        # Never its `pgid=`: that is the process group of whoever called the old script, an agent's shell perhaps.
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
    """Return what makes a process part of a run that has ended: its mark, its log, or that it was recorded.

    The session of its script proves nothing, since nobody looked at it all the time.
    """
    known = frozenset(record.left_running(facts))
    return claim_of(files, facts, reaped=True)._replace(leader=0, known=known)


# --- in the supervisor ------------------------------------------------------------------------


def pursue(members: Iterable[RunTask]) -> None:
    """Take the stop of each of these runs a step further.

    One look at all processes is for all of them: of a plan of hundreds each would take its time anew.
    """
    again = [member for member in members if member.stopping]
    while again:
        view = processes.View()
        again = [member for member in again if member.stopping and _pursue(member, member.stopping, view)]


def _pursue(member: RunTask, stopping: Stopping, view: processes.View) -> bool:
    """Take the stop of a run a step further; return whether to look again at once."""
    target = Target(claim(member), 0 if member.exit else member.pid, member.at)
    done = step(target, stopping, view, steady_clock())
    member.stopping = done.stopping
    member.note(done.reached)
    if done.outcome in ("over", "given up") and member.exit:
        member.stop_over(done.left)
    return done.outcome == "look again"


def claim(member: RunTask) -> processes.Ownership:
    """Return what makes a process part of this run of a supervisor."""
    host = member.host
    facts = meta.unpack(member.child.known) if member.child else {}
    files = member.at._replace(log_dir=workdir.now(host.recorded))
    return claim_of(files, facts, reaped=bool(member.exit))._replace(
        ancestor=os.getpid() if host.subreaper else 0,
        whole=host.subreaper and host.alone,
        not_these=frozenset(host.helpers),
    )
