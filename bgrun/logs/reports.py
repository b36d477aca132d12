"""Read the test reports of a run from the copies that `local.recording.reports` made when it finished."""

from __future__ import annotations

import itertools
import os

from bgrun.errors import BgrunError
from bgrun.light import NamedTuple
from bgrun.logs.deadline import NEVER, Deadline
from bgrun.store import masking, meta
from bgrun.store.paths import RunPaths
from bgrun.store.store import Store
from bgrun.system import clock, reading
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bgrun.model import Run
    from bgrun.parsers.junit import Report
    from bgrun.plan import RenderedJob
    from bgrun.store.masking import Mark

INDEX, NOTE = "index", "note"
"""The file with the copies, of `number=path` lines, and its key for what was not copied."""
MOST_COMPARED = 200
"""How many of the newest runs are checked for one that wrote to the same files."""
_MOST_INDEX = 8 << 20
_MOST_NOTES = 2
_TICK_S, _ROUNDED_S = 0.011, 0.001
"""How far a file's time may be behind the clock (one kernel tick), and the rounding of times in a meta; seconds."""


class Taken(NamedTuple):
    """The content of a run's test reports, or None, and a note on what is missing from it."""

    report: Report | None = None
    note: str | None = None


def reports(at: RunPaths, run: Run, job: RenderedJob, known: Sequence[Mark], deadline: Deadline = NEVER) -> Taken:
    """Return the test reports of a run; empty for one that did not run or declares none.

    If two runs that write to the same files overlapped, the file times decide which one wrote them; where they
    cannot, the reports are left out: a report is never attributed to the wrong run.
    """
    if not job.junit or run.live or run.started_at is None:
        return Taken()
    try:
        data = reading.read_own(f"{at.reports}/{INDEX}", reading.owner(at.meta), _MOST_INDEX)
        if data is None:
            return Taken(note=f"{job.junit} was not copied when the run finished; this summary is from the log alone")
        index = meta.unpack(data)
        note = index.pop(NOTE, "") or None
        if index and (other := _other_writer(at, run, job)):
            return Taken(note=f"{job.junit} may belong to {other}, which ran at the same time; use one file per run")
        report = _parsed(
            [(os.path.relpath(path, job.working_dir), f"{at.reports}/{number}") for number, path in index.items()],
            known,
            deadline,
        )
        notes = "; ".join(filter(None, (note, report and report.note))) or None
        return Taken(report if report and report.counts else None, notes)
    except BgrunError as error:
        return Taken(note=f"{job.junit}: {error.message}")
    except OSError as error:
        return Taken(note=f"{job.junit}: cannot read {at.reports}: {error.strerror}")


def _parsed(copies: Sequence[tuple[str, str]], known: Sequence[Mark], deadline: Deadline) -> Report | None:
    """Return the content of copies with the paths of what was copied; what one lacks does not affect the others."""
    found = [(path, _parsed_one(copy, known, deadline)) for path, copy in copies]
    counts: dict[str, int] = {}
    for _, one in found:
        for what, number in one.counts.items():
            counts[what] = counts.get(what, 0) + number
    problems = tuple(problem for _, one in found for problem in one.problems)
    notes = [f"{path}: {one.note}" for path, one in found if one.note]
    note = names(notes, _MOST_NOTES)
    return next((one._replace(counts=counts, problems=problems, note=note) for _, one in found), None)


def _parsed_one(copy: str, known: Sequence[Mark], deadline: Deadline) -> Report:
    from bgrun.parsers import junit

    try:
        with os.fdopen(reading.open_regular(copy), "rb") as file:
            return junit.parse(file, lambda line: masking.shown(line, known), lambda: deadline.is_over)
    except (OSError, BgrunError) as error:
        return junit.Report({}, (), f"cannot be read: {error}")


def _other_writer(at: RunPaths, run: Run, job: RenderedJob) -> str | None:
    """Return another run that declares the same reports and was running when one of them was written, or None."""
    times = [reading.modified(f"{at.reports}/{name}") for name in os.listdir(at.reports) if name.isdigit()]
    return other_writer(at, run, place_of(job.working_dir, job.junit), times, _declared)


def _declared(known: Mapping[str, str]) -> Iterator[str]:
    if junit := known.get("junit", ""):
        yield place_of(known.get("working_dir", ""), junit)


def other_writer(
    at: RunPaths, run: Run, place: str, times: Sequence[float], places: Callable[[Mapping[str, str]], Iterable[str]]
) -> str | None:
    """Return another run that may have written files of a run, or None.

    Args:
        at: the files of the run.
        run: the run.
        place: the path or glob that its job declares.
        times: the modification times of the files, in epoch seconds.
        places: returns the paths and globs that the job of a run declares, from its meta.
    """
    store = Store(at.log_dir)
    for run_id in itertools.islice(store.index().newest_first(), MOST_COMPARED):
        if run_id == run.run_id or place not in places(store.facts(run_id) or {}):
            continue
        if (other := store.read(run_id)) and _may_have_written(other, run, times):
            return run_id
    return None


def place_of(directory: str, path: str) -> str:
    """Return a declared path or glob as an absolute one, so that two jobs can be compared."""
    return os.path.normpath(os.path.join(directory, path))


def _may_have_written(other: Run, run: Run, times: Sequence[float]) -> bool:
    """Return whether another run can have written files with these times, copied when this run finished. Pure."""
    began, ended = clock.epoch(other.started_at or ""), clock.epoch(other.ended_at or "")
    own_end = clock.epoch(run.ended_at or "")
    ended = float("inf") if other.live else ended
    if began is None or ended is None or own_end is None:
        return False
    # A file's time is never ahead of the clock. A run that started later wrote only after this one finished.
    earliest = began - _TICK_S if began < own_end else own_end + _ROUNDED_S
    return any(earliest <= at <= ended + _ROUNDED_S for at in times)
