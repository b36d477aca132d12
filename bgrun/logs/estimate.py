"""How far a run is and when it may end, from the end of its log and from its past runs."""

from __future__ import annotations

from bgrun.logs import reader
from bgrun.parsers import progress, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.model import RenderedJob, Run
    from bgrun.parsers.progress import Progress

_WINDOW = 16 << 10
_SURE = 0.05
"""From which share on the pace so far says more of the end than past runs do."""


def progress_of(path: str, job: RenderedJob) -> Progress | None:
    """Return how far the newest lines of a log say that a run of this job is, or None where they do not.

    What to look for is what the job declares, or else the built-in of a tool in its command. Only the
    last few KiB are read.
    """
    wanted = progress.patterns(job.progress or progress.known_in(job.cmd))
    return progress.newest(_newest_lines(path), wanted) if wanted else None


def _newest_lines(path: str) -> Iterator[str]:
    """Give the last lines, the newest first; a bar that goes back with carriage returns makes several."""
    data = b"".join(piece.data for piece in reader.read_from(path, max(0, reader.size(path) - _WINDOW)))
    for line in reversed(terminal.decode(data).replace("\r", "\n").split("\n")):
        if line:
            yield terminal.clean(line)


def left_s(run: Run, progress: Progress | None, usual_s: float | None) -> float | None:
    """Return in how many seconds a running run may be expected to end: by its pace, or by its past runs."""
    elapsed = run.duration_s
    if run.state != "running" or elapsed is None:
        return None
    if progress and progress.fraction >= _SURE:
        return elapsed * (1 - progress.fraction) / progress.fraction
    return None if usual_s is None else max(0.0, usual_s - elapsed)
