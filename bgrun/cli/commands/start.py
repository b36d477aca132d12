"""The handlers of `start`, `run`, `group` and `rerun`: launch, report and, if requested, wait."""

from __future__ import annotations

import os

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, OutputError, UsageError
from bgrun.wording import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.model import Run


def start(project: Project, args: Args) -> int:
    """Handle `bgrun start`."""
    _warn(project)
    overrides = api.start.Overrides(args.max_parallel, args.fail_fast, args.on or "")
    started = api.start.start(project, (args.job, *args.words), args.extra_args, overrides)
    return _report_start(project, args, started.run, joined=started.joined)


def run(project: Project, args: Args) -> int:
    """Handle `bgrun run`."""
    if not "".join(args.extra_args).strip():
        import shlex

        # A label with a space is the command, for which a label is missing.
        words = ("LABEL", shlex.quote(args.label)) if " " in args.label else (args.label, "make test")
        raise UsageError("missing command", f"put it after '--': bgrun run {words[0]} -- {words[1]}")
    # With --file alone a command runs where the jobs of that file do.
    directory = args.here if args.directory or not args.file else project.root
    command = api.start.parse_command(args.extra_args, directory)
    settings = api.start.RunSettings(
        directory,
        bool(args.directory),
        args.env,
        tuple(os.path.normpath(os.path.join(args.here, path)) for path in args.env_file),
        args.tag,
        args.job_timeout,
        args.retry,
        args.on or "",
    )
    _warn(project)
    started = api.start.run_command(project, args.label, command, settings)
    if command.is_text and not args.quiet:
        # After the start, which refuses a text with a secret in it.
        output.note(f"running shell text: {short(command.argv[0])}")
    return _report_start(project, args, started)


def group(project: Project, args: Args) -> int:
    """Handle `bgrun group`."""
    overrides = api.start.Overrides(args.max_parallel, args.fail_fast, args.on or "")
    only = (*args.only, *api.start.only_jobs(args.extra_args, "select jobs with --only JOB"))
    _warn(project)
    return _report_start(project, args, api.start.start_group(project, args.group, overrides, only, args.param))


def rerun(project: Project, args: Args) -> int:
    """Handle `bgrun rerun`."""
    from bgrun.cli import choice

    _warn(project)
    if args.same:
        if args.failed:
            raise UsageError("--same cannot be combined with --failed", "give one of them")
        return _report_start(project, args, api.rerun.submit_again(project, args.ref))
    # Of a label --failed takes the newest run, so that each rerun has what the one before left.
    run = (choice.one_run if args.failed else choice.one_whole)(project, args.ref)
    again = api.rerun.rerun(project, run.run_id, failed=args.failed)
    if again.only_failed_of:
        output.note(api.runs.facts_of(project, again.run_id).get("only_failed", ""))
    return _report_start(project, args, again)


def _warn(project: Project) -> None:
    """Print warnings before the start: after the fork of a supervisor they would take longer."""
    for warning in api.start.warnings(project):
        output.note(f"warning: {warning}")


def _report_start(project: Project, args: Args, started: Run, *, joined: bool | None = None) -> int:
    """Report a started run. On an output error name it on standard error, so that nobody starts it again."""
    try:
        code = _print_start(project, args, started, joined=joined)
        output.flush()
    except OutputError:
        output.give_up_output()
        output.note(f"{started.run_id} was started; only the output failed")
        raise
    return code


def _print_start(project: Project, args: Args, started: Run, *, joined: bool | None = None) -> int:
    wait = args.wait or args.timeout is not None or args.exit_code
    if args.quiet and not args.json:
        output.out(started.run_id)
    elif not args.json:
        # A run that was started alone has no others, and needs no import to find out.
        others = api.runs.beside(project, started) if started.members or started.group_run else []
        for line in format.started_lines(started, others, joined=bool(joined)):
            output.out(line)
    if wait:
        output.flush()  # the run ID is printed even if the wait is interrupted
        from bgrun.cli.commands.wait import wait_for_started

        return wait_for_started(project, args, started, joined)
    if args.json:
        output.document(api.documents.started(project, started, joined=joined))
    return EXIT_OK
