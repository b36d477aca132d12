"""The handlers of `stop` and `prune`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked


def stop(project: Project, asked: Asked) -> int:
    """Handle `bgrun stop`."""
    if asked.all and asked.refs:
        raise UsageError("stop takes either --all or names of runs, not both")
    if not asked.all and not asked.refs:
        raise UsageError("missing run, label or job to stop", "bgrun stop --all stops every active run of this project")
    now = asked.now
    runs = api.stop.stop_all(project, now=now) if asked.all else api.stop.stop_runs(project, asked.refs, now=now)
    if asked.json:
        output.document(api.documents.list_of(runs))
    elif not asked.quiet:
        for run in runs:
            output.out(format.verdict_line(run))
        if not runs:
            output.note("no active runs")
    return EXIT_OK


def prune(project: Project, asked: Asked) -> int:
    """Handle `bgrun prune`."""
    gone = api.stop.prune(project, dry_run=asked.dry_run)
    if asked.json:
        output.document(api.documents.removed(gone, dry_run=asked.dry_run))
    elif not asked.quiet:
        verb = "would remove" if asked.dry_run else "removed"
        for one in gone:
            output.out(f"{verb} {one.run_id}: {one.why}")
        output.note(f"{verb} {len(gone)} run{'' if len(gone) == 1 else 's'}")
    return EXIT_OK
