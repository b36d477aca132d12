"""The handlers of `stop` and `prune`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, UsageError
from bgrun.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args


def stop(project: Project, args: Args) -> int:
    """Handle `bgrun stop`."""
    if args.all and args.refs:
        raise UsageError("--all cannot be combined with REF")
    if not args.all and not args.refs:
        raise UsageError("missing argument REF", "stop every active run of this project with 'bgrun stop --all'")
    now = args.now
    found = () if args.all else api.runs.meant(project, args.refs)
    finished = {run.run_id: run for run in found if not run.live}
    run_ids = [run.run_id for run in found]
    runs = api.stop.stop_all(project, now=now) if args.all else api.stop.stop_runs(project, run_ids, now=now)
    if args.json:
        output.document(api.documents.list_of(runs))
    elif not args.quiet:
        for run in runs:
            if run == finished.get(run.run_id) and not run.left_running:
                output.note(f"{run.run_id} has already finished")
            else:
                output.out(format.result_line(run))
        if not runs:
            output.note("no active runs")
    return EXIT_OK


def prune(project: Project, args: Args) -> int:
    """Handle `bgrun prune`."""
    pruned = api.stop.prune(project, dry_run=args.dry_run)
    if args.json:
        output.document(api.documents.removed(pruned, dry_run=args.dry_run))
    elif not args.quiet:
        verb = "would delete" if args.dry_run else "deleted"
        for one in pruned:
            output.out(f"{verb} {one.run_id}: {one.why}")
        output.note(f"{verb} {count(len(pruned), 'run')}" if pruned else "nothing to prune")
    return EXIT_OK
