"""Read the runs of the shell script that bgrun replaces: the same four files, whose meta has no `run_id`.

That script writes `.meta`, starts the job script with nohup(1), writes `.pid` at once, and leaves `.exit` to a trap
of the job script. There is no lock, no start time and no boot ID, and `pgid=` is the caller's process group. So a
run without an exit code is running only if the process of its `.pid` writes to its log, or started between the times
of its two files; otherwise it is lost.
"""

from __future__ import annotations

import os
import time

from bgrun.plan import DEFAULT_GRACE_S
from bgrun.store import state
from bgrun.store.paths import split_run_id
from bgrun.system import clock, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.store.paths import RunPaths

SLACK_S = 2.0
"""How far the start of a process and the time of a file may differ: file system resolution, a corrected clock."""
ZONE_STEP_S, MOST_ZONES_S, ZONE_SLACK_S = 15 * 60, 26 * 3600 + 60, 3.0
"""Time zones differ by multiples of the first and by the second at most; the third is the tolerance. Seconds."""


def completed(at: RunPaths, written: Mapping[str, str], code: int | None) -> dict[str, str]:
    """Return the facts of a foreign run under the keys of a bgrun meta; `run_id` stays absent.

    Args:
        at: its files.
        written: the lines of its meta, unchanged.
        code: its exit code, or None.

    Raises:
        StorageError: its `.pid` is a symlink or cannot be read.
    """
    label, stamp = (split_run_id(at.run_id) or (at.run_id, ""))[:2]
    pid = state.parse_int((reading.head(at.pid, 64) or b"").decode("ascii", "replace")) or 0
    recorded = reading.modified(at.meta)
    # Between writing `.meta` and `.pid` it is about to start: it is not lost.
    begins = not pid and code is None and abs(time.time() - recorded) < SLACK_S
    began = instant(clock.of_stamp(stamp), recorded)
    return {
        **written,
        "label": written.get("label") or label,
        # printf %q adds a space after each word; an escaped one belongs to the last word.
        "cmd": written.get("cmd", "").removesuffix(" "),
        "pgid": "",
        "working_dir": written.get("repo_dir", ""),
        "pid": str(pid) if pid else "",
        # bgrun rewrites the meta of a run that it stops, and records its start time.
        "started_at": written.get("started_at") or ("" if begins else clock.iso(began)),
        # The file times of a copy do not show when the run finished.
        **({"copied": "true"} if began != recorded and not written.get("started_at") else {}),
        **({"waiting": "waiting for the process ID to be recorded"} if begins else {}),
        "stop_grace_s": f"{DEFAULT_GRACE_S:g}",
    }


def unseen(facts: Mapping[str, str]) -> str:
    """Return why the result of a foreign run is unknown."""
    if not is_here(facts):
        return f"exit code unknown, started on host {facts['host']}"
    return "exit code unknown, the job ended without recording it"


def is_here(facts: Mapping[str, str]) -> bool:
    """Return whether a run was started on this machine; the domain in the host name is ignored."""
    host = facts.get("host", "").partition(".")[0]
    return host in ("", os.uname().nodename.partition(".")[0])


def instant(stamped: float | None, recorded: float) -> float:
    """Return when a run started, in seconds since the epoch.

    Args:
        stamped: the time in its run ID, read in the local time zone; None if it is not a time.
        recorded: when its `.meta` was written, in the same second. Copied files have another time, so it
            counts only if the two differ by a time zone or daylight saving time.
    """
    if stamped is None:
        return recorded
    apart = abs(recorded - stamped)
    off = apart % ZONE_STEP_S
    return recorded if apart <= MOST_ZONES_S and min(off, ZONE_STEP_S - off) <= ZONE_SLACK_S else stamped
