"""The stop of a run, from the first signal to the last: who is asked to end, who is killed, and when it is over."""

from __future__ import annotations

import os

from bgrun.lean import suppress
from bgrun.local import escalate, ledger, tree
from bgrun.local.kernel import steady_clock
from bgrun.runs import process, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.local.escalate import Stopping
    from bgrun.local.member import Member


def pursue(members: Iterable[Member]) -> None:
    """Take the stop of each of these runs a step further.

    One look at all processes is for all of them: of a plan of hundreds each would take its time anew. What
    is forked after it is found the next time, which comes as long as anything is found.
    """
    view = tree.View()
    for member in members:
        if member.stopping:
            _pursue(member, member.stopping, view)


def _pursue(member: Member, stopping: Stopping, view: tree.View) -> None:
    found = tree.find(_claim(member), view)
    if not found and member.exit:
        member.stop_over()
        return
    phase = escalate.phase(stopping, steady_clock())
    if phase == "ask" and found:
        _ask(member, stopping, found)
    elif phase == "kill":
        _kill(member, stopping, found)
    elif phase == "give up" and member.exit:
        member.stop_over(left=len(found))


def _ask(member: Member, stopping: Stopping, found: list[process.Process]) -> None:
    """Send the stop signal to all but the job script, which then ends with the command's own code."""
    if not member.exit and ledger.command_is_over(member.at):
        return  # it ends by itself, and is about to say how
    _record(member, stopping)
    below = [one for one in found if one.pid != member.pid]
    reached = tree.ask(below or found, stopping.signal)
    _note(member, reached)
    tree.send(found, "SIGCONT")  # the job script too: one that was suspended could not answer
    member.stopping = stopping._replace(asked=bool(reached))


def _kill(member: Member, stopping: Stopping, found: list[process.Process]) -> None:
    """Kill what is left: first hold all of it still, so that nothing forks away meanwhile."""
    _record(member, stopping)
    member.stopping = stopping = escalate.killing(stopping, steady_clock())
    known: dict[tuple[int, str], process.Process] = {}
    while found and steady_clock() < stopping.give_up_at:
        tree.send(found, "SIGSTOP")
        known |= {one.key: one for one in found}
        found = [one for one in tree.find(_claim(member)) if one.key not in known]
    _note(member, tree.send(known.values(), "SIGKILL"))


def _record(member: Member, stopping: Stopping) -> None:
    """Record what is wanted before the signal, for whoever reads this if we are killed meanwhile."""
    if stopping.reason:
        with suppress(OSError):
            record.write_stop(member.at, stopping.reason, signalled=True)


def _note(member: Member, reached: list[process.Process]) -> None:
    """Keep what our signals reached: it tells a run that was ended from one that ended by itself."""
    member.ended.update(one.key for one in reached)
    if not member.exit and any(one.pid != member.pid for one in reached):
        member.command_was_hit = True


def _claim(member: Member) -> tree.Claim:
    host = member.host
    return tree.Claim(
        mark=tree.mark_of(member.at.log_dir, member.plan.run_id),
        log=member.at.log,
        # Once it is reaped its pid may be somebody else's: then only descent and marks count.
        leader=member.pid if host.subreaper or not member.exit else 0,
        ancestor=os.getpid() if host.subreaper else 0,
        whole=host.subreaper and host.alone,
        not_these=frozenset(host.helpers),
    )
