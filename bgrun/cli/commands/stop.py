"""The handlers of `stop` and `prune`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_INTERRUPTED, EXIT_OK, UsageError
from bgrun.wording import count, limit, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.model import Run


def stop(project: Project, args: Args) -> int:
    """Handle `bgrun stop`."""
    if args.all and args.refs:
        raise UsageError("--all cannot be combined with REF", "give one of them")
    if not args.all and not args.refs:
        raise UsageError("missing argument REF", "stop every active run of this project with 'bgrun stop --all'")
    found = api.runs.top_level(api.runs.live(project)) if args.all else api.references.meant(project, args.refs)
    finished = {run.run_id: run for run in found if not run.live}
    try:
        with output.note_later(lambda: _stopping(project, found, now=args.now)):
            runs = api.stop.stop_runs(project, [run.run_id for run in found], now=args.now)
    except KeyboardInterrupt:
        _note_interrupted(project, found)
        return EXIT_INTERRUPTED
    if args.json:
        output.document(api.documents.list_of(runs))
    elif not args.quiet:
        for run in runs:
            if run == finished.get(run.run_id) and not run.left_running:
                output.note(f"{run.run_id} has already finished")
            else:
                output.out(format.result_line(run))
                _note_needed(project, run)
        if not runs:
            output.note("no active runs")
    return EXIT_OK


def _note_needed(project: Project, run: Run) -> None:
    """Note which active runs still need a service that was stopped."""
    needing = api.services.needing(project, run) if run.service else []
    if needing:
        output.note(f"{run.label} is still needed by {names(one.run_id for one in needing)}")


def _stopping(project: Project, runs: Sequence[Run], *, now: bool) -> str:
    """Return what a stop does that takes a moment."""
    live = [run for run in runs if run.live]
    grace = "" if now or not live else f"; SIGKILL follows after {limit(api.stop.grace_s(project, live))} (skip: --now)"
    return f"stopping {names(run.run_id for run in live or runs)}{grace}"


def _note_interrupted(project: Project, runs: Sequence[Run]) -> None:
    """Note which stops continue after an interrupt: those of runs whose supervisor carries them out."""
    active = [run.run_id for run in api.references.meant(project, [run.run_id for run in runs]) if run.live]
    continuing = [run_id for run_id in active if api.stop.continues(project, run_id)]
    left = [run_id for run_id in active if run_id not in continuing]
    stops = f"the stop of {names(continuing)} continues in the background" if continuing else ""
    others = f"still active: {names(left)}" if left else ""
    output.note(f"\ninterrupted; {'; '.join(filter(None, (stops, others))) or 'every run has finished'}")
    if left:
        output.note(f"  hint: bgrun stop {' '.join(left)}")


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
