"""Reading logs: as they grow, whole, or page by page."""

from __future__ import annotations

import time

from bgrun.lean import NamedTuple
from bgrun.runs import lock, logs, masks, record
from bgrun.runs.layout import RunFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.jobfile.find import Project
    from bgrun.model import Run
    from bgrun.runs import reading

FOLLOW_LOOK_S = 0.02
"""How often `follow` looks for new log text, in seconds."""


class Chunk(NamedTuple):
    """New bytes of the log of a run."""

    run_id: str
    label: str
    data: bytes


def follow(project: Project, runs: Sequence[Run], lines: int | None = None) -> Iterator[Chunk]:
    """Give the logs of runs, and of a group's runs, as they grow, until all of the runs have ended.

    Args:
        project: where.
        runs: what to follow.
        lines: begin with this many last lines of each; None begins at the start.
    """
    log_dir = project.log_dir
    run_ids = dict.fromkeys(run_id for run in runs for run_id in (run.members or (run.run_id,)))
    sources = [_Source(RunFiles(log_dir, run_id), lines) for run_id in run_ids]
    over = False
    while not over:
        # Whether it is over is asked before the last reading, so that nothing is missed.
        over = not any(_goes_on(log_dir, run.run_id) for run in runs)
        chunks = [chunk for source in sources for chunk in source.grown()]
        yield from chunks
        if not chunks and not over:
            time.sleep(FOLLOW_LOOK_S)
    yield from (source.last() for source in sources)


class _Source:
    """A log that is being followed, and how far."""

    def __init__(self, at: RunFiles, lines: int | None) -> None:
        facts_now = record.read_meta(at) or {}
        self.at = at
        self.label = facts_now.get("label", at.run_id)
        self.offset = 0 if lines is None else logs.tail_offset(at.log, lines)
        self.stream = masks.Stream(masks.parse(facts_now.get("secrets", "")))

    def grown(self) -> Iterator[Chunk]:
        for piece in logs.read_from(self.at.log, self.offset):
            self.offset = piece.end
            yield self._chunk(self.stream.feed(piece.data))

    def last(self) -> Chunk:
        return self._chunk(self.stream.end())

    def _chunk(self, data: bytes) -> Chunk:
        return Chunk(self.at.run_id, self.label, data)


def read_log(project: Project, run: Run, lines: int | None = None) -> Iterator[bytes]:
    """Give the log of a run as it is now, its secrets masked; `lines` begins with that many last lines."""
    at = RunFiles(project.log_dir, run.run_id)
    stream = masks.Stream(masks.parse((record.read_meta(at) or {}).get("secrets", "")))
    for data, _ in logs.read_from(at.log, 0 if lines is None else logs.tail_offset(at.log, lines)):
        yield stream.feed(data)
    yield stream.end()


def read_page(project: Project, run: Run, cursor: str | None, wanted: reading.Wanted) -> reading.Page:
    """Return lines of the log of a run, all that are wanted or those behind a cursor.

    Raises:
        UsageError: the cursor is none, or one of another run.
    """
    from bgrun.runs import reading

    at = RunFiles(project.log_dir, run.run_id)
    known = masks.parse((record.read_meta(at) or {}).get("secrets", ""))
    start = reading.unpack(cursor, run.run_id).offset if cursor else 0
    if not cursor and wanted.pattern is None and wanted.tail is not None:
        start = logs.tail_offset(at.log, wanted.tail)
    # A line that is still being written is left for the next page.
    final = not cursor or not run.live
    return reading.page(reading.lines_from(at.log, start, known, final=final), start, wanted)


def _goes_on(log_dir: str, run_id: str) -> bool:
    if lock.is_held(RunFiles(log_dir, run_id).pid):
        return True
    run = record.read_run(log_dir, run_id)
    return run is not None and run.live
