"""The handlers of `status`, `list` and `latest`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, UsageError
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.model import Run

DEFAULT_RUNS = 20


def status(project: Project, args: Args) -> int:
    """Handle `bgrun status`."""
    runs, unknown = _meant(project, args.refs)
    if args.exit_code:
        from bgrun.cli.choice import require_one

        require_one(runs)
    if args.watch and (live_ids := [run.run_id for run in api.runs.top_level(runs) if run.live]):
        _watch(project, live_ids, quiet=args.quiet)
        runs = api.references.meant(project, [run.run_id for run in runs]) if args.refs else api.runs.status(project)
    if args.json:
        # Without REF there may be many runs, and each digest takes a moment.
        output.document(api.documents.status(project, runs, with_digest=bool(args.refs)))
    elif not (args.refs or args.quiet):
        _print_overview(project, runs)
    else:
        _print_status(project, runs, short=args.quiet)
    if unknown:
        raise unknown
    if args.exit_code:
        from bgrun.cli.exit_codes import exit_code

        return exit_code(runs[0], own=True, waited=False)
    return EXIT_OK


def _meant(project: Project, refs: Sequence[str]) -> tuple[list[Run], UsageError | None]:
    """Return the runs to show, and the error for the first reference that means none, if others do.

    Raises:
        UsageError: no reference means a run.
    """
    if len(refs) < 2:
        return (api.references.meant(project, refs) if refs else api.runs.status(project)), None
    errors: list[UsageError] = []
    found = {run.run_id: run for ref in refs for run in _known(project, ref, errors)}
    if errors and not found:
        raise errors[0]
    return list(found.values()), errors[0] if errors else None


def _known(project: Project, ref: str, errors: list[UsageError]) -> list[Run]:
    try:
        return api.references.meant(project, [ref])
    except UsageError as error:
        errors.append(error)
        return []


def _print_overview(project: Project, runs: Sequence[Run]) -> None:
    if not runs:
        output.note("no runs yet")
        return
    progress = _progress(project, runs)
    notes = {run.run_id: progress.get(run.run_id) or format.remark(run) for run in runs}
    for line in format.overview_lines(runs, notes, output.columns()):
        output.out(line)


def _progress(project: Project, runs: Sequence[Run]) -> dict[str, str]:
    """Return the progress of active runs in words, by run ID; nothing is loaded for finished ones."""
    found = api.insight.estimates(project, runs) if any(run.live for run in runs) else {}
    return {run_id: format.progress_text(estimate) for run_id, estimate in found.items()}


def _watch(project: Project, run_ids: Sequence[str], *, quiet: bool) -> None:
    if output.wants_live():
        from bgrun.cli import live

        live.watch(project, run_ids)
    else:
        _wait_for(project, run_ids, quiet=quiet)


def _wait_for(project: Project, run_ids: Sequence[str], *, quiet: bool) -> None:
    """Wait where nothing can be shown live; on a dumb terminal, a line names the runs."""
    if quiet:
        api.stop.wait_for(project, run_ids)
        return
    with output.note_later(lambda: f"waiting for {names(run_ids)}"):
        api.stop.wait_for(project, run_ids)


def _print_status(project: Project, runs: Iterable[Run], *, short: bool) -> None:
    for run in runs:
        members = api.runs.members(project, run)
        lines = format.status_lines(run)
        for line in lines[:-2] if short else lines:
            output.out(line)
        if short:
            continue
        if any(one.live for one in (run, *members)) and output.wants_live():
            from bgrun.cli import live

            live.snapshot(project, [run.run_id])
            continue
        progress = _progress(project, (run, *members))
        if words := progress.get(run.run_id):
            output.out(f"PROGRESS {words}")
        if run.live:
            from bgrun.cli import digest_text

            for line in digest_text.lines_of_failure(project, run):
                output.out(line)
        for one in members:
            words = progress.get(one.run_id)
            output.out(f"  {format.result_line(one)}" + (f", {words}" if words else ""))


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
    return format.list_lines(runs, output.columns(), found) if runs else []


def _watch_list(project: Project, args: Args, read: Callable[[], list[Run]]) -> None:
    """Show the list until none of its runs is active."""
    if output.wants_live(quiet=args.quiet, json=args.json):
        from bgrun.cli import live

        live.watch_list(lambda: _list_lines(project, args, read()), lambda: not any(run.live for run in read()))
    else:
        _wait_for(project, [run.run_id for run in read() if run.live], quiet=args.quiet)


def latest(project: Project, args: Args) -> int:
    """Handle `bgrun latest`."""
    from bgrun.cli.choice import one_with_log

    run = one_with_log(project, args.ref)
    if args.json:
        output.document(api.documents.run_fields(run))
    else:
        output.out(run.log)
    return EXIT_OK
