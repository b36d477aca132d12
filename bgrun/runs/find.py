"""From what a person names (a run id, a label) to run ids; the names of the files are the index."""

from __future__ import annotations

import os

from bgrun.runs import record
from bgrun.runs.layout import RunFiles, parse_run_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.model import RunId


def resolve(log_dir: str, ref: str) -> str | None:
    """Return the run id that `ref` means: itself, or the newest run of exactly that label."""
    if parse_run_id(ref) and "/" not in ref and os.path.lexists(RunFiles(log_dir, ref).meta):
        return ref
    newest = newest_of(record.scan(log_dir), ref)
    return str(newest) if newest else None


def newest_of(run_ids: Iterable[str], label: str) -> RunId | None:
    """Return the newest run of exactly this label, never of one that only begins like it."""
    found = (parsed for run_id in run_ids if run_id.startswith(label) and (parsed := parse_run_id(run_id)))
    return max((run for run in found if run.label == label), key=lambda run: run.order, default=None)


def newest_by_label(run_ids: Iterable[str]) -> dict[str, RunId]:
    """Return the newest run of every label."""
    newest: dict[str, RunId] = {}
    for run_id in run_ids:
        run = parse_run_id(run_id)
        if run and (run.label not in newest or newest[run.label].order < run.order):
            newest[run.label] = run
    return newest


def newest_first(run_ids: Iterable[str], label: str | None = None) -> list[str]:
    """Return the run ids of one label, or of all, the newest first."""
    parsed = [found for run_id in run_ids if (found := parse_run_id(run_id))]
    kept = [run for run in parsed if label is None or run.label == label]
    return [str(run) for run in sorted(kept, key=lambda run: (run.order, run.label), reverse=True)]


def stamp_of(run_id: str) -> str:
    """Return the time stamp in a run id."""
    parsed = parse_run_id(run_id)
    return parsed.ts if parsed else ""


def labels(run_ids: Iterable[str]) -> set[str]:
    """Return the labels that these runs are filed under."""
    return {parsed.label for run_id in run_ids if (parsed := parse_run_id(run_id))}
