"""The commands that look at runs, wait for them and end them."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import digest_text as reports
from bgrun.cli import output
from bgrun.cli.choice import one_run, one_with_log, require_one
from bgrun.cli.exit_codes import exit_code
from bgrun.errors import EXIT_JOB_FAILED, EXIT_OK, EXIT_TIMEOUT, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from bgrun.cli.dispatch import Asked
    from bgrun.jobfile.project import Project
    from bgrun.model import Run

FORMATS = ("text", "github")
DEFAULT_RUNS = 20


def status(project: Project, asked: Asked) -> int:
    """Handle `bgrun status`."""
    runs = api.runs.status(project, asked.refs)
    if asked.exit_code:
        require_one(runs)
    if asked.watch and (live_ids := [run.run_id for run in runs if run.live]):
        _watch(project, live_ids)
        runs = api.runs.status(project, [run.run_id for run in runs])
    if asked.json:
        # Without a name there may be many, and each digest takes a moment.
        output.document({"runs": [_looked_at(project, run, closely=bool(asked.refs)) for run in runs]})
    else:
        _print_status(project, runs, short=asked.quiet)
    if not runs and not asked.json:
        output.note("nothing ran here yet")
    return exit_code(runs[0], own=True) if asked.exit_code else EXIT_OK


def _looked_at(project: Project, run: Run, *, closely: bool) -> dict[str, Any]:
    outlook = output.outlook_fields(api.runs.outlook_on(project, run))
    digest = reports.digested(project, run) if closely else {"digest": None}
    return {**output.run_fields(run), **outlook, **digest}


def _watch(project: Project, run_ids: Sequence[str]) -> None:
    if output.wants_live():
        from bgrun.cli import live

        live.watch(project, run_ids)
    else:
        api.stop.wait_for(project, run_ids)


def _print_status(project: Project, runs: Iterable[Run], *, short: bool) -> None:
    for run in runs:
        members = api.runs.members(project, run)
        lines = output.status_lines(run)
        for line in lines[:-2] if short else lines:
            output.out(line)
        if short:
            continue
        if any(one.live for one in (run, *members)) and output.wants_live():
            from bgrun.cli import live

            live.snapshot(project, [run.run_id])
            continue
        if words := output.progress_words(api.runs.outlook_on(project, run)):
            output.out(f"PROGRESS {words}")
        for line in reports.lines_of_failure(project, run) if run.live else ():
            output.out(line)
        for one in members:
            words = output.progress_words(api.runs.outlook_on(project, one))
            output.out(f"  {output.verdict_line(one)}" + (f", {words}" if words else ""))


def wait(project: Project, asked: Asked) -> int:
    """Handle `bgrun wait`."""
    wanted = api.runs.meant(project, asked.refs, without_stopping=True)
    if asked.exit_code:
        require_one(wanted)
    runs = api.stop.wait_for(project, [run.run_id for run in wanted], asked.timeout)
    if asked.json:
        output.document({"runs": [{**output.run_fields(run), **reports.digested(project, run)} for run in runs]})
    elif not asked.quiet:
        for run in runs:
            output.out(output.verdict_line(run))
            for line in reports.lines_of_failure(project, run):
                output.out(line)
    if asked.exit_code:
        return exit_code(runs[0], own=True)
    if any(run.live for run in runs):
        return EXIT_TIMEOUT
    return EXIT_OK if api.runs.all_succeeded(runs) else EXIT_JOB_FAILED


def report(project: Project, asked: Asked) -> int:
    """Handle `bgrun report`."""
    if asked.format not in (None, *FORMATS):
        raise UsageError(f"no format {asked.format!r}", f"there are {' and '.join(FORMATS)}")
    run = one_run(project, asked.ref)
    if asked.json:
        output.document({"run": output.run_fields(run), **reports.digested(project, run)})
    else:
        found = api.runs.digest(project, run)
        text = (output.verdict_line(found.run), *reports.lines(found))
        for line in reports.github_lines(found) if asked.format == "github" else text:
            output.out(line)
    return exit_code(run, own=True) if asked.exit_code else EXIT_OK


def follow(project: Project, asked: Asked) -> int:
    """Handle `bgrun follow`."""
    runs = api.runs.meant(project, [asked.ref], without_stopping=True)
    if asked.exit_code:
        require_one(runs)
    for run in runs:
        if run.started_at and not api.logs.has_log(run):
            output.note(f"the log of {run.run_id} does not exist: {output.path(run.log)}")
    if asked.raw:
        for chunk in _noted(api.logs.follow(project, runs, asked.lines)):
            output.raw(chunk.data)
    else:
        _follow_text(project, runs, asked.lines, quiet=asked.quiet)
    ended = api.runs.meant(project, [run.run_id for run in runs])
    if not asked.quiet:
        for one in (shown for run in ended for shown in (*api.runs.members(project, run), run)):
            output.note(output.verdict_line(one))
    if len(ended) == 1:
        return exit_code(ended[0], own=asked.exit_code)
    return EXIT_OK if api.runs.all_succeeded(ended) else EXIT_JOB_FAILED


def _follow_text(project: Project, runs: Sequence[Run], lines: int | None, *, quiet: bool) -> None:
    """Print the lines, those of several logs with their names; on a terminal with the live view below them."""
    name = _run_id if len(runs) > 1 else _label if runs[0].members else _no_name
    if not output.wants_live(quiet=quiet):
        _print_lines(api.logs.follow(project, runs, lines, as_lines=True), name)
        return
    from bgrun.cli import live

    # What has come of a line that has not ended stands in the view, as the last line of its run.
    with live.view(project, [run.run_id for run in runs]) as console:
        for chunk in _noted(api.logs.follow(project, runs, lines, as_lines=True, early=False)):
            if chunk.pieces:
                text = "\n".join(f"{name(chunk)}{piece.whole}" for piece in chunk.pieces)
                console.out(text, highlight=False)


def _run_id(chunk: api.logs.Chunk) -> str:
    return f"{chunk.run_id} | "


def _label(chunk: api.logs.Chunk) -> str:
    return f"{chunk.label} | "


def _no_name(_: api.logs.Chunk) -> str:
    return ""


def _noted(chunks: Iterable[api.logs.Chunk]) -> Iterator[api.logs.Chunk]:
    """Give the chunks, and tell what is to be said of a log itself."""
    for chunk in chunks:
        if chunk.note:
            output.note(chunk.note)
        yield chunk


def _print_lines(chunks: Iterable[api.logs.Chunk], name: Callable[[api.logs.Chunk], str]) -> None:
    """Print lines as they come in; those of several runs never mix."""
    standing = ""  # the run of whose line the beginning stands in the last line of ours
    for chunk in _noted(chunks):
        text: list[str] = []
        for piece in chunk.pieces:
            if standing == chunk.run_id and piece.more is not None:
                text.append(piece.more)
            else:
                text += ["\n" if standing else "", name(chunk), piece.whole]
            text.append("\n" if piece.ends else "")
            standing = "" if piece.ends else chunk.run_id
        if text:
            output.raw("".join(text).encode("utf-8", "replace"))


def stop(project: Project, asked: Asked) -> int:
    """Handle `bgrun stop`."""
    if asked.all and asked.refs:
        raise UsageError("stop takes either --all or names of runs, not both")
    if not asked.all and not asked.refs:
        raise UsageError("missing run, label or job to stop", "bgrun stop --all stops every active run of this project")
    now = asked.now
    runs = api.stop.stop_all(project, now=now) if asked.all else api.stop.stop_runs(project, asked.refs, now=now)
    if asked.json:
        output.runs_document(runs)
    elif not asked.quiet:
        for run in runs:
            output.out(output.verdict_line(run))
        if not runs:
            output.note("no active runs")
    return EXIT_OK


def list_runs(project: Project, asked: Asked) -> int:
    """Handle `bgrun list`."""
    from bgrun.store import filters

    wanted = filters.of_words(asked.state, asked.tag, api.runs.moment(asked.since))
    limit = None if asked.all else asked.lines or DEFAULT_RUNS
    order = asked.sort or "newest"
    # The newest few are found without reading the rest; which are the oldest or longest only all can tell.
    read = api.runs.list_runs(project, asked.label, limit if order == "newest" else None, wanted)
    runs = filters.in_order(read, order)[:limit]
    if asked.json:
        output.runs_document(runs)
        return EXIT_OK
    if asked.quiet:
        for run in runs:
            output.out(run.run_id)
        return EXIT_OK
    head = ["STATE", "EXIT", "TOOK", "STARTED", "RUN"]
    for line in output.table([head, *map(output.run_row, runs)]) if runs else []:
        output.out(line)
    if not runs:
        under = f" under the label {asked.label}" if asked.label else ""
        output.note("no run is like that" if wanted != filters.Filter() else f"nothing ran here{under} yet")
    return EXIT_OK


def latest(project: Project, asked: Asked) -> int:
    """Handle `bgrun latest`."""
    run = one_with_log(project, asked.ref)
    if asked.json:
        output.document(output.run_fields(run))
    else:
        output.out(output.path(run.log))
    return EXIT_OK


def prune(project: Project, asked: Asked) -> int:
    """Handle `bgrun prune`."""
    gone = api.stop.prune(project, dry_run=asked.dry_run)
    if asked.json:
        removed = [{"run_id": one.run_id, "reason": one.why} for one in gone]
        output.document({"dry_run": asked.dry_run, "removed": removed})
    elif not asked.quiet:
        verb = "would remove" if asked.dry_run else "removed"
        for one in gone:
            output.out(f"{verb} {one.run_id}: {one.why}")
        output.note(f"{verb} {len(gone)} run{'' if len(gone) == 1 else 's'}")
    return EXIT_OK
