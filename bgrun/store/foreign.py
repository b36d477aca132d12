"""Runs of the shell script that bgrun replaces: the same four files, whose meta has no `run_id`.

That script writes `.meta`, starts the job script with nohup(1), writes `.pid` at once, and leaves `.exit` to a trap
of the job script. There is no lock, no start time and no boot ID, and `pgid=` is the group of whoever called it. So a
run without an exit code is running only if the process of its `.pid` writes to its log, or started between its two
files; otherwise nobody saw its end.
"""

from __future__ import annotations

import os
import time

from bgrun.model import DEFAULT_GRACE_S
from bgrun.store import state
from bgrun.store.paths import split_run_id
from bgrun.system import clock, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.store.paths import RunPaths

SLACK_S = 2.0
"""How far the start of a process and the time of a file may differ: the tick of a file system, a corrected clock."""
ZONE_STEP_S, MOST_ZONES_S, ZONE_SLACK_S = 15 * 60, 26 * 3600 + 60, 3.0
"""All time zones are so many seconds apart, and no two more than so many; and how far stamp and file may differ."""


def completed(at: RunPaths, written: Mapping[str, str], code: int | None) -> dict[str, str]:
    """Return the facts of a foreign run in the words of a meta of bgrun; `run_id` stays absent.

    Args:
        at: its files.
        written: the lines of its meta, as they are.
        code: its exit code, if there is one.

    Raises:
        StorageError: its `.pid` is a symlink or cannot be read.
    """
    label, stamp = (split_run_id(at.run_id) or (at.run_id, ""))[:2]
    pid = state.parse_int((files.head(at.pid, 64) or b"").decode("ascii", "replace")) or 0
    recorded = files.modified(at.meta)
    # Between its `.meta` and its `.pid` it is about to start: that is no end yet.
    begins = not pid and code is None and abs(time.time() - recorded) < SLACK_S
    began = instant(clock.of_stamp(stamp), recorded)
    return {
        **written,
        "label": written.get("label") or label,
        # printf %q puts a blank behind each word; one that is escaped belongs to the last word.
        "cmd": written.get("cmd", "").removesuffix(" "),
        "pgid": "",
        "working_dir": written.get("repo_dir", ""),
        "pid": str(pid) if pid else "",
        # The meta of one that bgrun stopped is younger than its start, and names that.
        "started_at": written.get("started_at") or ("" if begins else clock.iso(began)),
        # Of copies no time tells when the run ended.
        **({"copied": "true"} if began != recorded and not written.get("started_at") else {}),
        **({"waiting": "its process is not recorded yet"} if begins else {}),
        "stop_grace_s": f"{DEFAULT_GRACE_S:g}",
    }


def unseen(facts: Mapping[str, str]) -> str:
    """Return why nothing is known of the end of a foreign run."""
    if not is_here(facts):
        return f"it was started on host {facts['host']} and left no exit code"
    return "it ended without an exit code"


def is_here(facts: Mapping[str, str]) -> bool:
    """Return whether a run was started on this machine, whatever domain it is in now."""
    host = facts.get("host", "").partition(".")[0]
    return host in ("", os.uname().nodename.partition(".")[0])


def instant(stamped: float | None, recorded: float) -> float:
    """Return when a run began, in seconds since the epoch; pure.

    Args:
        stamped: what the local time in its name means here and now; None where it is no time.
        recorded: when its `.meta` was written, in the same second. Files that were copied have another time, so it
            counts only where the two are a difference of time zones or summer time apart.
    """
    if stamped is None:
        return recorded
    apart = abs(recorded - stamped)
    off = apart % ZONE_STEP_S
    return recorded if apart <= MOST_ZONES_S and min(off, ZONE_STEP_S - off) <= ZONE_SLACK_S else stamped
