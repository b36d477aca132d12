"""The test reports of a run, from the copies that were taken as it ended: see `local.reports`."""

from __future__ import annotations

import itertools
import os

from bgrun.errors import BgrunError
from bgrun.light import NamedTuple
from bgrun.store import masking, meta
from bgrun.store.paths import RunPaths
from bgrun.store.store import Store
from bgrun.system import clock, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.model import RenderedJob, Run
    from bgrun.parsers.junit import Report
    from bgrun.store.masking import Mark

INDEX, NOTE = "index", "note"
"""The file beside the copies, of `number=path` lines, and its line on what was left out."""
MOST_COMPARED = 200
"""How many of the newest runs are looked at for one that wrote to the same files."""
_MOST_INDEX = 8 << 20
_TICK_S, _ROUNDED_S = 0.011, 0.001
"""How much the time of a file may be behind the clock, a tick of the kernel's, and what a meta rounds off."""


class Taken(NamedTuple):
    """What the test reports of a run say, or None, and a word on what is not in it."""

    report: Report | None = None
    note: str | None = None


def reports(at: RunPaths, run: Run, job: RenderedJob, known: Sequence[Mark]) -> Taken:
    """Return what the test reports of a run say; nothing of one that did not run, or declares none.

    What another run may have written is not taken for this one's: where two that wrote to the same files
    overlapped, only the times of the files tell, and where they cannot, the reports are left out.
    """
    if not job.junit or run.live or run.started_at is None:
        return Taken()
    try:
        data = files.read_own(f"{at.reports}/{INDEX}", files.owner(at.meta), _MOST_INDEX)
        if data is None:
            return Taken(note=f"{job.junit} was not taken when the run ended: what is here is from the log alone")
        index = meta.unpack(data)
        note = index.pop(NOTE, "") or None
        if index and (other := _other_writer(at, run, job)):
            told = f"{job.junit} may be that of {other}, which ran at the same time: give each run a file of its own"
            return Taken(note=told)
        return Taken(_parsed([f"{at.reports}/{number}" for number in index], known), note)
    except BgrunError as error:
        return Taken(note=f"{job.junit}: {error.message}")
    except OSError as error:
        return Taken(note=f"{job.junit}: cannot read {at.reports}: {error.strerror}")


def _parsed(paths: Sequence[str], known: Sequence[Mark]) -> Report | None:
    from bgrun.parsers import junit

    found = []
    for path in paths:
        with os.fdopen(files.open_regular(path), "rb") as file:
            found.append(junit.parse(file, lambda line: masking.shown(line, known)))
    counts: dict[str, int] = {}
    for one in found:
        for what, number in one.counts.items():
            counts[what] = counts.get(what, 0) + number
    return junit.Report(counts, tuple(problem for one in found for problem in one.problems)) if found else None


def _other_writer(at: RunPaths, run: Run, job: RenderedJob) -> str | None:
    """Return another run that declares the same reports and ran when one of these was written, or None."""
    times = [files.modified(f"{at.reports}/{name}") for name in os.listdir(at.reports) if name.isdigit()]
    place = os.path.normpath(os.path.join(job.working_dir, job.junit))
    store = Store(at.log_dir)
    for run_id in itertools.islice(store.index().newest_first(), MOST_COMPARED):
        known = store.facts(run_id) or {}
        declared = known.get("junit", "")
        if not declared or os.path.normpath(os.path.join(known.get("working_dir", ""), declared)) != place:
            continue
        if run_id != run.run_id and (other := store.read(run_id)) and _may_have_written(other, run, times):
            return run_id
    return None


def _may_have_written(other: Run, run: Run, times: Sequence[float]) -> bool:
    """Return whether another run can have written files of these times, which were copied as this one ended; pure."""
    began, ended = clock.epoch(other.started_at or ""), clock.epoch(other.ended_at or "")
    own_end = clock.epoch(run.ended_at or "")
    ended = float("inf") if other.live else ended
    if began is None or ended is None or own_end is None:
        return False
    # The time of a file is never ahead of the clock. What began later has written only what is later than our end.
    earliest = began - _TICK_S if began < own_end else own_end + _ROUNDED_S
    return any(earliest <= at <= ended + _ROUNDED_S for at in times)
