"""Estimate the progress and the remaining time of a run, from the end of its log and from past runs."""

from __future__ import annotations

from bgrun.logs import reader
from bgrun.parsers import progress, terminal
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.model import Run
    from bgrun.parsers.progress import Progress
    from bgrun.plan import RenderedJob

_WINDOW = 16 << 10
_SURE = 0.05
"""The fraction from which on the pace so far is a better estimate than past runs."""


def progress_of(path: str, job: RenderedJob) -> Progress | None:
    """Return the progress that the newest lines of a log show, or None.

    The patterns are those that the job declares, else the built-in ones of the tools in its command. Only the last
    16 KiB are read.
    """
    wanted = progress.patterns(job.progress or progress.known_in(job.cmd))
    return progress.newest(_newest_lines(path), wanted) if wanted else None


def _newest_lines(path: str) -> Iterator[str]:
    """Yield the last lines, the newest first; each state of a progress bar (carriage return) is a line."""
    data = b"".join(piece.data for piece in reader.read_from(path, max(0, reading.size(path) - _WINDOW)))
    for line in reversed(terminal.decode(data).replace("\r", "\n").split("\n")):
        if line:
            yield terminal.clean(line)


def left_s(run: Run, progress: Progress | None, usual_s: float | None) -> float | None:
    """Return the estimated seconds left of a running run, by its pace or by past runs; None if unknown. Pure."""
    elapsed = run.duration_s
    if run.state != "running" or elapsed is None:
        return None
    if progress and progress.fraction >= _SURE:
        return elapsed * (1 - progress.fraction) / progress.fraction
    # A run that takes longer than usual may take any time.
    return None if usual_s is None or usual_s <= elapsed else usual_s - elapsed
