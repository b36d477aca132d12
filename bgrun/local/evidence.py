"""Gather what this machine knows of a run that has not finished: its lock, its process, its files."""

from __future__ import annotations

import os

from bgrun.light import suppress
from bgrun.store import record, state
from bgrun.store.paths import RunPaths
from bgrun.store.state import Evidence
from bgrun.system import boot, lock, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def gather(at: RunPaths, recorded: Mapping[str, str]) -> Evidence | None:
    """Return the evidence, in the one order that the end of a run cannot overtake; None if it was deleted meanwhile.

    Whoever finishes a run writes the exit code first, and releases the lock, or exits, last. So the lock comes
    first, then the process, and only then the files.
    """
    if _is_supervised(at, recorded):
        return Evidence(recorded, locked=True)
    facts = with_start(at, recorded)
    away = "" if record.is_foreign(facts) else _away(facts)
    pid = state.parse_int(facts.get("pid", "")) or 0
    begins = record.is_foreign(facts) and not state.has_started(facts)
    runs = begins or (not away and process.is_running(pid, facts.get("pid_start", "")))
    if runs and is_copy(at, facts) and not process.writes_to(pid, process.open_file(at.log)):
        runs, away = False, f"this is a copy of a run that is in {facts['log_dir']}"
    if runs:
        return Evidence(facts, _has_supervisor(facts), alive=True)
    fresh = record.read_meta(at)
    if fresh is None:
        return None
    if state.closing_words(fresh) is not None:
        return Evidence(fresh)  # it finished meanwhile: its meta says all, whatever is in the place of its other files
    if state.has_started(fresh) and not state.has_started(facts):
        return gather(at, fresh)
    from bgrun.store import stop_request  # a run that is supervised needs no look at it

    request = stop_request.read_stop(at)
    reason = request.reason if request and (request.carried_out or not state.has_started(facts)) else ""
    code = record.seen_exit(at)
    if code is not None:
        record.publish_exit(at)
    if facts.get("service") and not away:
        record.remove(at, at.hidden("ready"))  # the last answer of its check, which its supervisor would have deleted
    if record.is_foreign(facts):
        from bgrun.store import foreign

        away = foreign.unseen(facts)
    return Evidence(fresh, False, False, code, reason, away)


def with_start(at: RunPaths, facts: Mapping[str, str]) -> Mapping[str, str]:
    """Return the meta of a run with the start of its process, which the script that bgrun replaces did not record."""
    if not record.is_foreign(facts):
        return facts
    from bgrun.local import foreign

    return {**facts, "pid_start": foreign.start_of(at, facts)}


def _is_supervised(at: RunPaths, facts: Mapping[str, str]) -> bool:
    """Return whether the supervisor of a run exists; before a job of a group has started, that of the group."""
    if not state.has_started(facts) and facts.get("group_run"):
        return lock.is_held(at.other(facts["group_run"]).pid)
    return is_locked(at)


def is_locked(at: RunPaths) -> bool:
    """Return whether a supervisor holds the lock of this run.

    Before the launch the file is hidden. That one is checked first: it may be published meanwhile.
    """
    return lock.is_held(at.hidden("pid")) or lock.is_held(at.pid)


def _has_supervisor(facts: Mapping[str, str]) -> bool:
    """Return whether the supervisor of a service lives all the same: the file with its lock may have been deleted."""
    pid = state.parse_int(facts.get("supervisor_pid", "")) or 0 if facts.get("service") else 0
    return bool(pid) and process.is_running(pid, facts.get("supervisor_start", ""))


def is_copy(at: RunPaths, facts: Mapping[str, str]) -> bool:
    """Return whether the files of a run were copied from another directory, in which they still are.

    After a project was renamed, its old place is empty.
    """
    recorded = facts.get("log_dir", "")
    if recorded in ("", at.log_dir) or not os.path.lexists(RunPaths(recorded, at.run_id).meta):
        return False
    with suppress(OSError):
        return not os.path.samefile(recorded, at.log_dir)
    return False


def left_running(facts: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return PID and start of each process that a run left running when it finished and that still runs."""
    if not (text := facts.get("left_running")) or _away(facts):
        return []
    named = ((state.parse_int(pid) or 0, start) for pid, _, start in (one.partition(":") for one in text.split()))
    return [(pid, start) for pid, start in named if process.is_running(pid, start)]


def is_elsewhere(facts: Mapping[str, str]) -> bool:
    """Return whether the processes of a run cannot be seen from here: on another host, in a container.

    A lock shows that its supervisor is gone; its job may still run.
    """
    recorded = facts.get("boot_id", "")
    if not recorded:
        return False
    if boot.is_this_boot(recorded):
        return facts.get("pid_ns", "") not in ("", process.pid_namespace())
    return facts.get("host", "") != os.uname().nodename


def _away(facts: Mapping[str, str]) -> str:
    """Return why the processes of a run cannot be those of this machine now, or ''."""
    recorded = facts.get("boot_id", "")
    if not recorded:
        return ""
    elsewhere = is_elsewhere(facts)
    if boot.is_this_boot(recorded):
        why = "it was started in another PID namespace (a container?), and its supervisor is gone"
        return why if elsewhere else ""
    if elsewhere:
        return f"it was started on host {facts.get('host')}, and its supervisor is gone"
    return "the machine was restarted while it ran"
