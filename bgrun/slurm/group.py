"""Derive how a group run is doing from its members: on a cluster nothing supervises them together."""

from __future__ import annotations

import os
import time

from bgrun.light import suppress
from bgrun.store import meta, record, state, stop_request
from bgrun.store.state import Verdict
from bgrun.system import clock, files
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgrun.model import Run
    from bgrun.store.paths import RunPaths


def derive(at: RunPaths, facts: Mapping[str, str]) -> Verdict:
    """Return the verdict on a group run, and record it once it is final.

    One with a lost member is never recorded: the exit code of that may still come.
    """
    named = facts["members"].split()
    runs = [run for run_id in named if (run := _member(at.other(run_id)))]
    live = [run for run in runs if run.live]
    if live:
        seen = any(run.state != "unknown" for run in live)
        return Verdict("running") if seen else Verdict("unknown", reason=live[0].reason)
    found = _ended(at, runs, len(named))
    if found.state != "lost":
        _close(at, facts, runs, found)
    return found


def _member(at: RunPaths) -> Run | None:
    """Return a run of a group; None if its record was deleted, or is now that of a group."""
    facts = record.read_meta(at)
    return record.read_run(at) if facts and not record.is_group(facts) else None


def _ended(at: RunPaths, runs: Sequence[Run], members: int) -> Verdict:
    """Return the result of a group whose members have all finished."""
    lost = [run.run_id for run in runs if run.state == "lost"]
    if lost or len(runs) < members:
        return Verdict("lost", reason=f"{lost[0]} is lost" if lost else "some of its runs were deleted")
    waived = {run.run_id for run in runs if state.is_waived(record.read_meta(at.other(run.run_id)) or {})}
    found = state.group_verdict(run.state for run in runs if run.run_id not in waived)
    request = stop_request.read_stop(at)
    if request and state.is_wish(request.reason) and found.state != "succeeded":
        return found._replace(state="stopped")
    return found


def _close(at: RunPaths, facts: Mapping[str, str], runs: Sequence[Run], found: Verdict) -> None:
    """Record the result of a group: whoever makes the directory of its claim does, so that one process writes it."""
    ends = [end for run in runs if run.ended_at and (end := clock.epoch(run.ended_at)) is not None]
    ended = max(ends, default=time.time())
    began = clock.epoch(facts.get("started_at", "")) or ended
    known = {"ended_at": clock.iso(ended), "duration_s": f"{max(0.0, ended - began):.3f}", **found.facts()}
    with suppress(OSError), Change(at.log_dir, at.run_id):
        os.mkdir(at.claim(1), 0o700)
        if found.exit_code is not None:
            files.replace(at.exit, files.unique(at.hidden("exit")), f"{found.exit_code}\n".encode())
        files.replace(at.meta, files.unique(at.hidden("meta")), meta.pack({**facts, **known}))
        files.remove(at.stop)
