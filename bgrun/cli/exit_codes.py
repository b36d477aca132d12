"""The exit codes of commands that waited for runs."""

from __future__ import annotations

from bgrun.cli import output
from bgrun.errors import EXIT_JOB_FAILED, EXIT_OK, EXIT_TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.model import Run


def exit_code(run: Run, *, own: bool = False) -> int:
    """Return the exit code of a command that waited for this run; `own` hands the run's through."""
    if run.live:
        output.note(f"{run.run_id} is still {run.state}; it goes on")
        return EXIT_TIMEOUT
    if own and run.exit_code is not None and (run.exit_code or run.succeeded):
        return run.exit_code
    return EXIT_OK if run.succeeded else EXIT_JOB_FAILED
