"""The handlers of `stop` and `prune`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, UsageError
from bgrun.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked


def stop(project: Project, asked: Asked) -> int:
    """Handle `bgrun stop`."""
    if asked.all and asked.refs:
        raise UsageError("--all cannot be combined with REF")
    if not asked.all and not asked.refs:
        raise UsageError("missing argument REF", "stop every active run of this project with 'bgrun stop --all'")
    now = asked.now
    found = () if asked.all else api.runs.meant(project, asked.refs)
    finished = {run.run_id: run for run in found if not run.live}
    run_ids = [run.run_id for run in found]
    runs = api.stop.stop_all(project, now=now) if asked.all else api.stop.stop_runs(project, run_ids, now=now)
    if asked.json:
        output.document(api.documents.list_of(runs))
    elif not asked.quiet:
        for run in runs:
            if run == finished.get(run.run_id) and not run.left_running:
                output.note(f"{run.run_id} has already finished")
            else:
                output.out(format.verdict_line(run))
        if not runs:
            output.note("no active runs")
    return EXIT_OK


def prune(project: Project, asked: Asked) -> int:
    """Handle `bgrun prune`."""
    pruned = api.stop.prune(project, dry_run=asked.dry_run)
    if asked.json:
        output.document(api.documents.removed(pruned, dry_run=asked.dry_run))
    elif not asked.quiet:
        verb = "would delete" if asked.dry_run else "deleted"
        for one in pruned:
            output.out(f"{verb} {one.run_id}: {one.why}")
        output.note(f"{verb} {count(len(pruned), 'run')}" if pruned else "nothing to prune")
    return EXIT_OK
