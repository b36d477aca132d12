"""The commands that look at runs, wait for them and end them."""

from __future__ import annotations

from bgrun import runner
from bgrun.cli import report as reports
from bgrun.cli import show
from bgrun.cli.choice import one_run, one_with_log, require_one
from bgrun.cli.exits import exit_code
from bgrun.errors import EXIT_JOB_FAILED, EXIT_OK, EXIT_TIMEOUT, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from bgrun.cli.call import Asked
    from bgrun.jobfile.find import Project
    from bgrun.model import Run

FORMATS = ("text", "github")
DEFAULT_RUNS = 20


def status(project: Project, asked: Asked) -> int:
    """Handle `bgrun status`."""
    runs = runner.status(project, asked.refs)
    if asked.exit_code:
        require_one(runs)
    if asked.watch and (live_ids := [run.run_id for run in runs if run.live]):
        _watch(project, live_ids)
        runs = runner.status(project, [run.run_id for run in runs])
    if asked.json:
        # Without a name there may be many, and each digest takes a moment.
        show.document({"runs": [_looked_at(project, run, closely=bool(asked.refs)) for run in runs]})
    else:
        _print_status(project, runs, short=asked.quiet)
    if not runs and not asked.json:
        show.note("nothing ran here yet")
    return exit_code(runs[0], own=True) if asked.exit_code else EXIT_OK


def _looked_at(project: Project, run: Run, *, closely: bool) -> dict[str, Any]:
    outlook = show.outlook_fields(runner.outlook_on(project, run))
    digest = reports.digested(project, run) if closely else {"digest": None}
    return {**show.run_fields(run), **outlook, **digest}


def _watch(project: Project, run_ids: Sequence[str]) -> None:
    if show.wants_live():
        from bgrun.cli import live

        live.watch(project, run_ids)
    else:
        runner.wait_for(project, run_ids)


def _print_status(project: Project, runs: Iterable[Run], *, short: bool) -> None:
    for run in runs:
        members = runner.members(project, run)
        lines = show.status_lines(run)
        for line in lines[:-2] if short else lines:
            show.out(line)
        if short:
            continue
        if any(one.live for one in (run, *members)) and show.wants_live():
            from bgrun.cli import live

            live.snapshot(project, [run.run_id])
            continue
        if words := show.progress_words(runner.outlook_on(project, run)):
            show.out(f"PROGRESS {words}")
        for line in reports.lines_of_failure(project, run) if run.live else ():
            show.out(line)
        for one in members:
            words = show.progress_words(runner.outlook_on(project, one))
            show.out(f"  {show.verdict_line(one)}" + (f", {words}" if words else ""))


def wait(project: Project, asked: Asked) -> int:
    """Handle `bgrun wait`."""
    wanted = runner.meant(project, asked.refs, without_stopping=True)
    if asked.exit_code:
        require_one(wanted)
    runs = runner.wait_for(project, [run.run_id for run in wanted], asked.timeout)
    if asked.json:
        show.document({"runs": [{**show.run_fields(run), **reports.digested(project, run)} for run in runs]})
    elif not asked.quiet:
        for run in runs:
            show.out(show.verdict_line(run))
            for line in reports.lines_of_failure(project, run):
                show.out(line)
    if asked.exit_code:
        return exit_code(runs[0], own=True)
    if any(run.live for run in runs):
        return EXIT_TIMEOUT
    return EXIT_OK if runner.all_succeeded(runs) else EXIT_JOB_FAILED


def report(project: Project, asked: Asked) -> int:
    """Handle `bgrun report`."""
    if asked.format not in (None, *FORMATS):
        raise UsageError(f"no format {asked.format!r}", f"there are {' and '.join(FORMATS)}")
    run = one_run(project, asked.ref)
    if asked.json:
        show.document({"run": show.run_fields(run), **reports.digested(project, run)})
    else:
        found = runner.digest(project, run)
        text = (show.verdict_line(found.run), *reports.lines(found))
        for line in reports.github_lines(found) if asked.format == "github" else text:
            show.out(line)
    return exit_code(run, own=True) if asked.exit_code else EXIT_OK


def follow(project: Project, asked: Asked) -> int:
    """Handle `bgrun follow`."""
    runs = runner.meant(project, [asked.ref], without_stopping=True)
    if asked.exit_code:
        require_one(runs)
    for run in runs:
        if run.started_at and not runner.has_log(run):
            show.note(f"the log of {run.run_id} does not exist: {show.path(run.log)}")
    if asked.raw:
        for chunk in _noted(runner.follow(project, runs, asked.lines)):
            show.raw(chunk.data)
    else:
        _follow_text(project, runs, asked.lines, quiet=asked.quiet)
    ended = runner.meant(project, [run.run_id for run in runs])
    if not asked.quiet:
        for one in (shown for run in ended for shown in (*runner.members(project, run), run)):
            show.note(show.verdict_line(one))
    if len(ended) == 1:
        return exit_code(ended[0], own=asked.exit_code)
    return EXIT_OK if runner.all_succeeded(ended) else EXIT_JOB_FAILED


def _follow_text(project: Project, runs: Sequence[Run], lines: int | None, *, quiet: bool) -> None:
    """Print the lines, those of several logs with their names; on a terminal with the live view below them."""
    name = _run_id if len(runs) > 1 else _label if runs[0].members else _no_name
    if not show.wants_live(quiet=quiet):
        _print_lines(runner.follow(project, runs, lines, as_lines=True), name)
        return
    from bgrun.cli import live

    # What has come of a line that has not ended stands in the view, as the last line of its run.
    with live.view(project, [run.run_id for run in runs]) as console:
        for chunk in _noted(runner.follow(project, runs, lines, as_lines=True, early=False)):
            if chunk.pieces:
                text = "\n".join(f"{name(chunk)}{piece.whole}" for piece in chunk.pieces)
                console.out(text, highlight=False)


def _run_id(chunk: runner.Chunk) -> str:
    return f"{chunk.run_id} | "


def _label(chunk: runner.Chunk) -> str:
    return f"{chunk.label} | "


def _no_name(_: runner.Chunk) -> str:
    return ""


def _noted(chunks: Iterable[runner.Chunk]) -> Iterator[runner.Chunk]:
    """Give the chunks, and tell what is to be said of a log itself."""
    for chunk in chunks:
        if chunk.note:
            show.note(chunk.note)
        yield chunk


def _print_lines(chunks: Iterable[runner.Chunk], name: Callable[[runner.Chunk], str]) -> None:
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
            show.raw("".join(text).encode("utf-8", "replace"))


def stop(project: Project, asked: Asked) -> int:
    """Handle `bgrun stop`."""
    if asked.all and asked.refs:
        raise UsageError("stop takes either --all or names of runs, not both")
    if not asked.all and not asked.refs:
        raise UsageError("missing run, label or job to stop", "bgrun stop --all stops every active run of this project")
    now = asked.now
    runs = runner.stop_all(project, now=now) if asked.all else runner.stop_runs(project, asked.refs, now=now)
    if asked.json:
        show.runs_document(runs)
    elif not asked.quiet:
        for run in runs:
            show.out(show.verdict_line(run))
        if not runs:
            show.note("no active runs")
    return EXIT_OK


def list_runs(project: Project, asked: Asked) -> int:
    """Handle `bgrun list`."""
    from bgrun.runs import select

    wanted = select.of_words(asked.state, asked.tag, runner.moment(asked.since))
    limit = None if asked.all else asked.lines or DEFAULT_RUNS
    order = asked.sort or "newest"
    # The newest few are found without reading the rest; which are the oldest or longest only all can tell.
    read = runner.list_runs(project, asked.label, limit if order == "newest" else None, wanted)
    runs = select.in_order(read, order)[:limit]
    if asked.json:
        show.runs_document(runs)
        return EXIT_OK
    if asked.quiet:
        for run in runs:
            show.out(run.run_id)
        return EXIT_OK
    head = ["STATE", "EXIT", "TOOK", "STARTED", "RUN"]
    for line in show.table([head, *map(show.run_row, runs)]) if runs else []:
        show.out(line)
    if not runs:
        under = f" under the label {asked.label}" if asked.label else ""
        show.note("no run is like that" if wanted != select.Filter() else f"nothing ran here{under} yet")
    return EXIT_OK


def latest(project: Project, asked: Asked) -> int:
    """Handle `bgrun latest`."""
    run = one_with_log(project, asked.ref)
    if asked.json:
        show.document(show.run_fields(run))
    else:
        show.out(show.path(run.log))
    return EXIT_OK


def prune(project: Project, asked: Asked) -> int:
    """Handle `bgrun prune`."""
    gone = runner.prune(project, dry_run=asked.dry_run)
    if asked.json:
        removed = [{"run_id": one.run_id, "reason": one.why} for one in gone]
        show.document({"dry_run": asked.dry_run, "removed": removed})
    elif not asked.quiet:
        verb = "would remove" if asked.dry_run else "removed"
        for one in gone:
            show.out(f"{verb} {one.run_id}: {one.why}")
        show.note(f"{verb} {len(gone)} run{'' if len(gone) == 1 else 's'}")
    return EXIT_OK
