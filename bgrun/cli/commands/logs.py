"""The handlers of `logs` and `report`: lines of a log, and what failed."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import digest_text as reports
from bgrun.cli import format, output
from bgrun.cli.choice import one_run, one_to_read
from bgrun.cli.exit_codes import exit_code
from bgrun.errors import EXIT_OK, UsageError
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.model import Run


FORMATS = ("text", "github")


def report(project: Project, args: Args) -> int:
    """Handle `bgrun report`."""
    if args.format not in (None, *FORMATS):
        raise UsageError(f"unknown format {args.format!r}", f"choose {' or '.join(FORMATS)}")
    run = one_run(project, args.ref)
    since = api.insight.since_success(project, run) if args.since_success else None
    if args.json:
        output.document(api.documents.report(project, run, since))
    else:
        found = api.insight.digest(project, run)
        text = [format.result_line(found.run), *reports.lines(found), *reports.compared_with(found)]
        text += reports.since_lines(since) if since else ()
        for line in reports.github_lines(project, found) if args.format == "github" else text:
            output.out(line)
    return exit_code(run, own=True, waited=False) if args.exit_code else EXIT_OK


DEFAULT_LINES = 100
JSON_LINES = 200
JSON_BYTES = 16 << 10


def logs(project: Project, args: Args) -> int:
    """Handle `bgrun logs`."""
    if args.follow:
        return _follow(project, args)
    runs = list({run.run_id: run for ref in args.refs or (None,) for run in [one_to_read(project, ref)]}.values())
    if len(runs) > 1 and (args.json or args.since):
        hint = f"name one of {names(run.run_id for run in runs)}"
        raise UsageError(f"{'--json' if args.json else '--since'} needs exactly one run, got {len(runs)}", hint)
    for run in runs:
        api.logs.require_log(run)
    for place, run in enumerate(runs):
        if len(runs) > 1:
            output.out(f"{chr(10) * (place > 0)}==> {run.run_id} <==")
        _print_log(project, args, run)
    return EXIT_OK


def _follow(project: Project, args: Args) -> int:
    """Handle `bgrun logs --follow`, which is `bgrun follow`."""
    from bgrun.cli.commands.wait import follow
    from bgrun.cli.dispatch import Args

    for name in ("head", "grep", "context", "since", "json"):
        if getattr(args, name):
            raise UsageError(f"--{name} cannot be combined with --follow", f"leave out --follow or --{name}")
    return follow(project, Args({**vars(args), "quiet": False, "exit_code": False}))


def _print_log(project: Project, args: Args, run: Run) -> None:
    if args.raw and not (args.json or args.grep or args.since or args.head):
        for block in api.logs.read_log(project, run, None if args.since_start else args.lines or DEFAULT_LINES):
            output.raw(block)
        return
    found = api.logs.read_page(project, run, args.since, _wanted(args))
    if found.restarted:
        output.note(f"the log of {run.run_id} was truncated; these lines are from its new start")
    if args.json:
        # Lines before the last N were left out on request.
        truncated = found.truncated or (found.earlier and not args.lines)
        output.document(api.documents.log_page(run, found, truncated=truncated))
        return
    for line in found.lines:
        output.raw(f"{line}\n".encode("utf-8", "replace"))
    if args.since:
        output.note(f"cursor: {found.cursor}")
    elif found.truncated and args.grep:
        output.note(f"more lines: bgrun logs {run.run_id} --since {found.cursor}")


def _wanted(args: Args) -> api.logs.LogRequest:
    """Return the lines that the options select.

    Raises:
        UsageError: they contradict each other.
    """
    if args.head and args.lines:
        raise UsageError("--head cannot be combined with --lines/--tail", "give one of them")
    if args.context and not args.grep:
        raise UsageError(
            "--context requires --grep", "select lines with --grep REGEX, or run in another directory with --directory"
        )
    head, tail = (args.head, None) if args.head else _bounds(args)
    most = JSON_BYTES if args.json else None
    return api.logs.LogRequest(args.grep, args.context or 0, head, tail, most, args.raw)


def _bounds(args: Args) -> tuple[int | None, int | None]:
    """Return how many first or last lines to print without `--head`."""
    if args.since_start:
        return args.lines or (JSON_LINES if args.json else None), None
    if args.lines:
        return None, args.lines
    if args.since or args.grep:
        return (JSON_LINES if args.json else None), None
    return None, DEFAULT_LINES
