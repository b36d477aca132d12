"""The handler of `list`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import output, tables
from bgrun.errors import EXIT_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.model import Run

DEFAULT_RUNS = 20


def list_runs(project: Project, args: Args) -> int:
    """Handle `bgrun list`."""
    since = api.runs.moment(args.since)
    wanted = api.runs.Selection(args.state, args.tag, since, args.sort or "newest")
    limit = None if args.all else args.lines or DEFAULT_RUNS
    if args.watch:
        _watch_list(project, args, lambda: api.runs.list_runs(project, args.label, limit, wanted))
    runs = api.runs.list_runs(project, args.label, limit, wanted)
    if args.json:
        found = api.documents.list_with_outputs(project, runs) if args.outputs else api.documents.list_of(runs)
        output.document(found)
        return EXIT_OK
    if args.quiet:
        for run in runs:
            output.out(run.run_id)
        return EXIT_OK
    for line in _list_lines(project, args, runs):
        output.out(line)
    if not runs:
        label = f" with label {args.label!r}" if args.label else ""
        output.note("no matching runs" if wanted.is_narrow else f"no runs{label} yet")
        if args.label and not wanted.is_narrow:
            output.hint(api.references.unknown_label(project, args.label))
    return EXIT_OK


def _list_lines(project: Project, args: Args, runs: Sequence[Run]) -> list[str]:
    found: dict[str, str] | None = None
    if args.outputs:
        from bgrun.cli.digest_text import outputs_cell

        found = {run.run_id: outputs_cell(api.insight.outputs(project, run)) for run in runs}
    return tables.list_lines(runs, output.columns(), found) if runs else []


def _watch_list(project: Project, args: Args, read: Callable[[], list[Run]]) -> None:
    """Show the list until none of its runs is active."""
    if output.wants_live(quiet=args.quiet, json=args.json):
        from bgrun.cli import live

        live.watch_list(lambda: _list_lines(project, args, read()), lambda: not any(run.live for run in read()))
    else:
        from bgrun.cli.commands.status import wait_for

        wait_for(project, [run.run_id for run in read() if run.live], quiet=args.quiet)
