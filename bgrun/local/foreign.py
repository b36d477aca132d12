"""Find the process of a run of the shell script that bgrun replaces; see `store.foreign`."""

from __future__ import annotations

from bgrun.store import record, state
from bgrun.store.foreign import SLACK_S, is_here
from bgrun.system import process, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.store.paths import RunPaths


def start_of(at: RunPaths, facts: Mapping[str, str]) -> str:
    """Return the start of the process with the recorded PID, in the kernel's unit, if it is that of the run; else ''.

    After an exit code was written the PID may be another process's.
    """
    pid = state.parse_int(facts.get("pid", "")) or 0
    if not pid or record.seen_exit(at) is not None:
        return ""
    found = process.read(pid)
    if found is None or found.zombie:
        return ""
    if process.writes_to(pid, process.open_file(at.log)):
        return found.start
    began = process.began_at(pid) if is_here(facts) else None
    is_same = began is not None and fits(began, reading.modified(at.meta), reading.modified(at.pid))
    return found.start if is_same else ""


def fits(began: float, recorded: float, named: float) -> bool:
    """Return whether a process that began then is the one started between these two files; pure.

    Args:
        began: when the process began, in seconds since the epoch.
        recorded: when the `.meta` was written, just before the start.
        named: when the `.pid` was written, just after it.
    """
    return recorded - SLACK_S <= began <= named + SLACK_S
