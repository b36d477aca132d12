"""The handlers of `wait` and `follow`: until runs finish."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import digest_text as reports
from bgrun.cli import format, output
from bgrun.cli.choice import require_one, several
from bgrun.cli.exit_codes import exit_code
from bgrun.errors import EXIT_JOB_FAILED, EXIT_OK, EXIT_TIMEOUT, UsageError
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.model import Run


FOLLOWED_LINES = 100
"""How many last lines of a log `follow` begins with."""


def wait(project: Project, args: Args) -> int:
    """Handle `bgrun wait`."""
    ready = _is_until_ready(args)
    wanted = api.services.meant(project, args.refs) if ready else _ending(project, args.refs)
    if args.exit_code:
        require_one(wanted)
    until = api.stop.summary_due(args.timeout)
    runs = wait_for(project, [run.run_id for run in wanted], args, ready=ready)
    if args.json:
        output.document(api.documents.waited(project, runs, until))
    elif not args.quiet:
        for run in runs:
            output.out(format.result_line(run))
            for line in reports.lines_of_failure(project, run, until):
                output.out(line)
    if args.exit_code:
        return exit_code(runs[0], own=True, ready=ready)
    open_ones = [run for run in runs if not (ready and run.is_ready)]
    if any(run.live and not (ready and run.is_never_ready) for run in open_ones):
        return EXIT_TIMEOUT
    # A service that has finished is not ready, however it ended.
    return EXIT_OK if api.runs.all_succeeded(open_ones) and not (ready and open_ones) else EXIT_JOB_FAILED


def _ending(project: Project, refs: Sequence[str]) -> list[Run]:
    return several(project, refs, without_stopping=True) if refs else api.references.ending(project)


def _is_until_ready(args: Args) -> bool:
    """Return whether services are to be waited for until they are ready.

    Raises:
        UsageError: the state that is to be waited for is unknown.
    """
    if args.until not in (None, "ready", "finished"):
        raise UsageError(f"invalid --until {args.until!r}", "choose ready or finished")
    return bool(args.until == "ready")


def wait_for(project: Project, run_ids: Sequence[str], args: Args, *, ready: bool = False) -> list[Run]:
    """Return the runs once they have finished or the timeout has expired; on a terminal, show them live meanwhile.

    ready: return them as soon as they are ready.
    """

    def wait() -> list[Run]:
        if ready:
            return api.services.wait_ready(project, run_ids, args.timeout)
        return api.stop.wait_for(project, run_ids, args.timeout)

    if output.wants_live(quiet=args.quiet, json=args.json):
        from bgrun.cli import live

        with live.view(project, run_ids):
            return wait()
    if args.quiet:
        return wait()
    with output.note_later(lambda: f"waiting for {names(run_ids)}"):
        return wait()


def follow(project: Project, args: Args) -> int:
    """Handle `bgrun follow`."""
    if args.lines and args.since_start:
        raise UsageError("--since-start cannot be combined with --lines", "give one of them")
    runs = several(project, args.refs, without_stopping=True)
    if args.exit_code:
        require_one(runs)
    lines = args.lines
    if not (lines or args.since_start or args.raw):
        lines = FOLLOWED_LINES
        _note_the_rest(project, runs)
    gone = _note_gone_logs(runs)
    if args.raw:
        for chunk in _noted(api.logs.follow(project, runs, lines)):
            output.raw(chunk.data)
    else:
        _follow_text(project, runs, lines, quiet=args.quiet)
    finished = api.references.meant(project, [run.run_id for run in runs])
    _note_gone_logs([run for run in finished if run.run_id not in gone])
    if not args.quiet:
        for one in (shown for run in finished for shown in (*api.runs.members(project, run), run)):
            output.note(format.result_line(one))
    if len(finished) == 1:
        return exit_code(finished[0], own=args.exit_code)
    return EXIT_OK if api.runs.all_succeeded(finished) else EXIT_JOB_FAILED


def _note_gone_logs(runs: Sequence[Run]) -> set[str]:
    """Note the runs that have begun and have no log, and return their run IDs."""
    gone = [run for run in runs if run.started_at and not api.logs.has_log(run)]
    for run in gone:
        output.note(f"the log of {run.run_id} does not exist: {format.path(run.log)}")
    return {run.run_id for run in gone}


def _note_the_rest(project: Project, runs: Sequence[Run]) -> None:
    """Note the runs with logs of which only the last lines are shown."""
    long = [run.run_id for run in runs if api.logs.is_longer(project, run, FOLLOWED_LINES)]
    if long:
        whole = f"bgrun follow {' '.join(long)} --since-start"
        output.note(f"showing the last {FOLLOWED_LINES} lines; for the whole log: {whole}")


def _follow_text(project: Project, runs: Sequence[Run], lines: int | None, *, quiet: bool) -> None:
    """Print the lines, those of several logs with their names; on a terminal, above the live view."""
    name = _run_id if len(runs) > 1 else _label if runs[0].members else _no_name
    if not output.wants_live(quiet=quiet):
        _print_lines(api.logs.follow(project, runs, lines, as_lines=True), name)
        return
    from bgrun.cli import live

    # The view shows an unfinished line as the last line of its run.
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
    """Yield the chunks, and print their notes to standard error."""
    for chunk in chunks:
        if chunk.note:
            output.note(chunk.note)
        yield chunk


def _print_lines(chunks: Iterable[api.logs.Chunk], name: Callable[[api.logs.Chunk], str]) -> None:
    """Print lines as they arrive; lines of several runs never mix."""
    unfinished = ""  # the run whose unfinished line is the last one printed
    for chunk in _noted(chunks):
        text: list[str] = []
        for piece in chunk.pieces:
            if unfinished == chunk.run_id and piece.more is not None:
                text.append(piece.more)
            else:
                text += ["\n" if unfinished else "", name(chunk), piece.whole]
            text.append("\n" if piece.ends else "")
            unfinished = "" if piece.ends else chunk.run_id
        if text:
            output.raw("".join(text).encode("utf-8", "replace"))


def wait_for_started(project: Project, args: Args, started: Run, joined: bool | None) -> int:
    """Wait for a run that was just started, and for the services that came along; report it."""
    api.expect_no_start()  # a wait may take hours
    until = api.stop.summary_due(args.timeout)
    (finished,) = wait_for(project, [started.run_id], args, ready=started.service)
    _wait_released(project, finished, until, quiet=args.quiet)
    if args.json:
        output.document(api.documents.started(project, finished, joined=joined, ended=True, until=until))
    if not args.json and not args.quiet:
        for one in (*api.runs.beside(project, finished), finished):
            if one.run_id == finished.run_id or not api.services.served(one):
                output.out(format.result_line(one))
        for line in reports.lines_of_failure(project, finished, until):
            output.out(line)
    return exit_code(finished, own=args.exit_code, ready=started.service)


def _wait_released(project: Project, finished: Run, until: float | None, *, quiet: bool) -> None:
    """Wait until the services have stopped that came along with a run."""
    services = [one.label for one in api.runs.beside(project, finished) if one.service] if not finished.live else []
    if not services or finished.members:
        return
    until = None if until is None else until - api.stop.SUMMARY_S
    if quiet:
        api.services.wait_released(project, finished, until)
        return
    with output.note_later(lambda: f"waiting for the end of {names(services)}"):
        api.services.wait_released(project, finished, until)
