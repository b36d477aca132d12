"""The handlers of `status` and `latest`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, UsageError
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.model import Run


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
    from bgrun.cli import tables

    for line in tables.overview_lines(runs, notes, output.columns()):
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
        wait_for(project, run_ids, quiet=quiet)


def wait_for(project: Project, run_ids: Sequence[str], *, quiet: bool) -> None:
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


def latest(project: Project, args: Args) -> int:
    """Handle `bgrun latest`."""
    from bgrun.cli.choice import one_with_log

    run = one_with_log(project, args.ref)
    if args.json:
        output.document(api.documents.run_fields(run))
    else:
        output.out(run.log)
    return EXIT_OK
