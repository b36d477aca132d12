"""Stopping a run from outside: through its supervisor, or by hand where that one is dead."""

from __future__ import annotations

import os
import time

from bgrun.errors import StopError, UsageError
from bgrun.lean import suppress
from bgrun.local import escalate, ledger, tree, wait
from bgrun.runs import files, lock, process, record, state
from bgrun.runs.layout import MARK_DIR, MARK_RUN, RunFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.model import Run

LOOK_S = 0.05
POKE_S = 0.5
SLACK_S = 3.0
"""What a supervisor may need beyond grace and kill, on a busy machine."""


def request(log_dir: str, run_id: str, reason: str) -> None:
    """Ask for the end of a live run without waiting for it; where its supervisor is dead nothing follows.

    Raises:
        StorageError: the request cannot be written.
    """
    at = RunFiles(log_dir, run_id)
    run, facts = record.read_run(log_dir, run_id), record.read_meta(at)
    if run and facts and run.live:
        with files.storage(at.stop, "write"):
            record.write_stop(at, reason, signalled=False)
        _poke_supervisor(at, facts)


def stop_run(log_dir: str, run_id: str, grace_s: float | None = None, reason: str = "stop") -> Run | None:
    """End a run with all its processes and return it as it is then; one that has ended is left alone.

    Args:
        log_dir: the log folder.
        run_id: the run, or a group's run, which takes its runs along.
        grace_s: seconds between the stop signal and SIGKILL where bgrun itself has to send them.
        reason: why, in words, or `stop` where somebody just asked for it.

    Raises:
        UsageError: the caller is a process of that run.
        StopError: something of it is still alive.
    """
    at = RunFiles(log_dir, run_id)
    run = record.read_run(log_dir, run_id)
    facts = record.read_meta(at)
    if run is None or facts is None or not run.live:
        return run
    spare_caller(log_dir, run)
    with files.storage(at.stop, "write"):
        record.write_stop(at, reason, signalled=False)
    until = time.monotonic() + _bound_s(log_dir, run, facts)
    ended: Run | None = run
    while ended and ended.live and time.monotonic() < until:
        # Asked again each time: a supervisor may be killed between our asking and its answer.
        facts = record.read_meta(at) or facts
        if _poke_supervisor(at, facts):
            ended = wait.wait_run(log_dir, run_id, POKE_S)
        else:
            ended = _stop_orphans(log_dir, run, facts, (grace_s, reason))
    return _settled(at, ended)


def _settled(at: RunFiles, run: Run | None) -> Run | None:
    if run and run.live:
        raise StopError(f"{run.run_id} is still {run.state}", f"look at its processes: pid {run.pid}")
    if run and state.closing_words(record.read_meta(at) or {}):
        files.remove(at.stop)
    return run


def _bound_s(log_dir: str, run: Run, facts: Mapping[str, str]) -> float:
    """Return how long a stop may take; a group takes as long as the slowest of its runs."""
    metas = [facts, *(record.read_meta(RunFiles(log_dir, member)) or {} for member in run.members)]
    graces = [state.parse_float(one.get("stop_grace_s", "")) or 0.0 for one in metas]
    return max(graces) + escalate.KILL_S + SLACK_S


def spare_caller(log_dir: str, run: Run) -> None:
    """Refuse to stop the run that the caller is a process of.

    Raises:
        UsageError: it is.
    """
    inside = {run.run_id, *run.members}
    mine = (os.environ.get(MARK_RUN, ""), os.environ.get(MARK_DIR, ""))
    if (mine[0] in inside and mine[1] == log_dir) or (run.pid and run.pid in _ancestors()):
        raise UsageError(
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


def _poke_supervisor(at: RunFiles, facts: Mapping[str, str]) -> bool:
    """Wake the supervisor that holds the lock; return whether there is one."""
    group = RunFiles(at.log_dir, facts["group_run"]).pid if facts.get("group_run") else ""
    if not record.is_locked(at) and not (group and lock.is_held(group)):
        return False
    pid, start = state.parse_int(facts.get("supervisor_pid", "")), facts.get("supervisor_start", "")
    if not pid or not process.is_running(pid, start):
        return False
    target = process.look(pid)
    asked = bool(target and tree.send([target], "SIGUSR1"))
    if target and asked:
        tree.send([target], "SIGCONT")  # a suspended one could not answer
    return asked


def _stop_orphans(log_dir: str, run: Run, facts: Mapping[str, str], how: tuple[float | None, str]) -> Run | None:
    """Carry out the stop of a run, or of a group's runs, whose supervisor is dead."""
    now = record.read_run(log_dir, run.run_id)
    if now is None or not now.live:
        return now
    for member in run.members:
        with suppress(UsageError):
            stop_run(log_dir, member, *how)
    if not run.members:
        _end_tree(log_dir, run, facts, how)
    _close(RunFiles(log_dir, run.run_id), how[1])
    return record.read_run(log_dir, run.run_id)


def _close(at: RunFiles, reason: str) -> None:
    """Write the last words on a run that nobody else will write any, and never over somebody else's."""
    ended = record.read_run(at.log_dir, at.run_id)
    facts = record.read_meta(at)
    if ended is None or facts is None or ended.live or state.closing_words(facts):
        return
    if ended.state != "stopped" and (not ended.members or ended.succeeded):
        return  # it ended by itself before any signal was sent
    verdict = state.Verdict("stopped", ended.exit_code, ended.signal, state.stop_words(reason))
    ledger.close_orphan(at, facts, verdict)


def _end_tree(log_dir: str, run: Run, facts: Mapping[str, str], how: tuple[float | None, str]) -> None:
    at = RunFiles(log_dir, run.run_id)
    grace_s, reason = how
    grace = grace_s if grace_s is not None else state.parse_float(facts.get("stop_grace_s", "")) or 0.0
    plan = escalate.begin("stop", facts.get("stop_signal") or "SIGTERM", grace, time.monotonic())
    while found := tree.find(_claim(at, run, facts)):
        phase = escalate.phase(plan, time.monotonic())
        if phase == "ask" and ledger.command_is_over(at) and any(one.pid == run.pid for one in found):
            phase = "wait"  # it ends by itself, and its script is about to say how
        if phase in ("ask", "kill"):
            record.write_stop(at, reason, signalled=True)
        if phase == "ask":
            # The job script last: it then ends with the command's own exit code and records it.
            reached = tree.ask([one for one in found if one.pid != run.pid] or found, plan.signal)
            tree.send(found, "SIGCONT")
            if not reached:
                record.write_stop(at, reason, signalled=False)  # they were on their way out by themselves
            plan = plan._replace(asked=bool(reached))
        elif phase == "kill":
            plan = escalate.killing(plan, time.monotonic())
            tree.send(found, "SIGKILL")
        elif phase == "give up":
            left = ", ".join(str(one.pid) for one in found)
            raise StopError(f"{run.run_id}: still alive after SIGKILL: pid {left}")
        time.sleep(LOOK_S)


def _claim(at: RunFiles, run: Run, facts: Mapping[str, str]) -> tree.Claim:
    leader = run.pid if run.pid and process.is_running(run.pid, facts.get("pid_start", "")) else 0
    if record.is_foreign(facts):
        # Never its `pgid=`: that is the process group of whoever called the old script, an agent's shell perhaps.
        mark = tree.read_mark(leader) if leader else ""
        return tree.Claim(mark, at.log, leader, not_these=frozenset({os.getpid()}), marked=False)
    return tree.Claim(tree.mark_of(at.log_dir, at.run_id), at.log, leader)
