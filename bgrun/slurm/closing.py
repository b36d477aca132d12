"""Record the result of a run that no launcher can record any more."""

from __future__ import annotations

import os

from bgrun.light import suppress
from bgrun.store import meta
from bgrun.system import clock, files
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.slurm.verdict import Seen
    from bgrun.store.paths import RunPaths
    from bgrun.store.state import Verdict


def close(at: RunPaths, seen: Seen, found: Verdict) -> None:
    """Write the closing words of a run; without the right to write, nothing.

    A run that was never claimed is claimed for that: should its job start after all, its command does not run.
    """
    with suppress(OSError), Change(at.log_dir, at.run_id):
        if not seen.claimed:
            os.mkdir(at.claim(1), 0o700)
        files.replace(at.meta, files.unique(at.hidden("meta")), meta.pack({**seen.facts, **_final(seen, found)}))
        files.remove(at.stop)
        files.remove(at.hidden("env"))
        files.remove(at.hidden("besides"))


def _final(seen: Seen, found: Verdict) -> dict[str, str]:
    """Return the closing words."""
    ended = seen.job.ended if seen.job and seen.job.ended else seen.now
    began = clock.epoch(seen.facts.get("started_at", ""))
    known = {"ended_at": clock.iso(ended)}
    if began is not None:
        known["duration_s"] = f"{max(0.0, ended - began):.3f}"
    if seen.facts.get("ended_at"):
        known = {}  # the launcher has recorded it
    return {**known, **found.facts()}
