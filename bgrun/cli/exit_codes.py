"""The exit codes of commands that report a run."""

from __future__ import annotations

from bgrun.cli import output
from bgrun.errors import EXIT_JOB_FAILED, EXIT_OK, EXIT_TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.model import Run


def exit_code(run: Run, *, own: bool = False, waited: bool = True, ready: bool = False) -> int:
    """Return the exit code of a command that reports this run.

    own: exit with the run's own exit code.
    waited: the command waited for the run, so that an active one means a timeout.
    ready: it waited until the run is ready, which is success.
    """
    if ready and run.is_ready:
        return EXIT_OK
    if ready and run.is_never_ready:
        output.note(f"{run.run_id} will not become ready: {run.reason}")
        return EXIT_JOB_FAILED
    if run.live:
        why = f", {run.reason}" if ready and run.reason else ""
        output.note(f"{'timed out waiting: ' if waited else ''}{run.run_id} is still {run.state}{why}")
        return EXIT_TIMEOUT
    if own and run.exit_code is not None and (run.exit_code or run.succeeded):
        return run.exit_code
    return EXIT_OK if run.succeeded else EXIT_JOB_FAILED
