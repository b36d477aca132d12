"""Wait until services are ready, for as long as the caller allows."""

from __future__ import annotations

import time

from bgrun.api import references, runs
from bgrun.errors import UsageError
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.model import Run

SHORTEST_PAUSE_S, LONGEST_PAUSE_S, GROWTH = 0.01, 0.2, 1.3
"""How long the pauses between two looks are: a record that says so is written once, whenever a check succeeds."""


NOT_NEEDED = "no longer needed"
"""How the reason of a service begins that its plan stopped."""


def meant(project: Project, refs: Sequence[str]) -> list[Run]:
    """Return the services that references mean; without references every active one.

    Raises:
        UsageError: a reference means a job, or no service is active.
    """
    if not refs:
        found = [run for run in runs.live(project) if run.service]
        if not found:
            raise UsageError("no service is active", "start one with 'bgrun start SERVICE'")
        return found
    found = references.meant(project, refs, without_stopping=True)
    if jobs := [run for run in found if not run.service]:
        verb = "is no service" if len(jobs) == 1 else "are no services"
        message = f"{names(run.run_id for run in jobs)} {verb}, and never ready"
        raise UsageError(message, f"bgrun wait {jobs[0].run_id}")
    return found


def wait_ready(project: Project, run_ids: Iterable[str], timeout_s: float | None = None) -> list[Run]:
    """Return the runs once each is ready or has finished, or as they are at the timeout."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    ordered = list(run_ids)
    pause_s = SHORTEST_PAUSE_S
    while True:
        found = [runs.read(project, run_id) for run_id in ordered]
        left = None if until is None else until - time.monotonic()
        if all(arrived(run) for run in found) or (left is not None and left <= 0):
            return found
        time.sleep(pause_s if left is None else min(pause_s, left))
        pause_s = min(pause_s * GROWTH, LONGEST_PAUSE_S)


def served(run: Run) -> bool:
    """Return whether a run is a service with nothing to report: it is up, or was stopped since nothing needed it."""
    return run.service and (run.live or (run.state == "stopped" and (run.reason or "").startswith(NOT_NEEDED)))


def arrived(run: Run) -> bool:
    """Return whether nothing is to be waited for: the run is ready, or has finished."""
    return run.is_ready or not run.live
