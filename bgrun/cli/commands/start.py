"""The handlers of `start`, `run`, `group` and `rerun`: launch, report and, if requested, wait."""

from __future__ import annotations

import os

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, OutputError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked
    from bgrun.model import Run


def start(project: Project, asked: Asked) -> int:
    """Handle `bgrun start`."""
    _warn(project)
    bounds = api.start.Bounds(asked.max_parallel, asked.fail_fast)
    started = api.start.start(project, (asked.job, *asked.words), asked.tail, bounds)
    return _report_start(project, asked, started.run, joined=started.joined)


def run(project: Project, asked: Asked) -> int:
    """Handle `bgrun run`."""
    if not asked.tail:
        raise UsageError("missing command", f"put it after '--': bgrun run {asked.label} -- make test")
    _warn(project)
    return _report_start(project, asked, api.start.run_command(project, asked.label, asked.tail, os.getcwd()))


def group(project: Project, asked: Asked) -> int:
    """Handle `bgrun group`."""
    bounds = api.start.Bounds(asked.max_parallel, asked.fail_fast)
    only = (*asked.only, *_only(asked.tail))
    _warn(project)
    return _report_start(project, asked, api.start.start_group(project, asked.group, bounds, only, asked.param))


def _only(extra_args: Sequence[str]) -> Sequence[str]:
    """Return the jobs of `-- only JOB...`."""
    if extra_args and (extra_args[0] != "only" or len(extra_args) == 1):
        raise UsageError(f"unexpected argument after '--': {extra_args[0]!r}", "select jobs with --only JOB")
    return extra_args[1:]


def rerun(project: Project, asked: Asked) -> int:
    """Handle `bgrun rerun`."""
    from bgrun.cli import choice

    _warn(project)
    run = choice.one_run(project, asked.ref)
    return _report_start(project, asked, api.rerun.rerun(project, run.run_id, failed=asked.failed))


def _warn(project: Project) -> None:
    """Print warnings before the start: after the fork of a supervisor they would take longer."""
    for warning in api.start.warnings(project):
        output.note(f"warning: {warning}")


def _report_start(project: Project, asked: Asked, started: Run, *, joined: bool | None = None) -> int:
    """Report a started run. On an output error name it on standard error, so that nobody starts it again."""
    try:
        code = _print_start(project, asked, started, joined=joined)
        output.flush()
    except OutputError:
        output.give_up_output()
        output.note(f"{started.run_id} was started; only the output failed")
        raise
    return code


def _print_start(project: Project, asked: Asked, started: Run, *, joined: bool | None = None) -> int:
    wait = asked.wait or asked.timeout is not None or asked.exit_code
    if asked.quiet and not asked.json:
        output.out(started.run_id)
    elif not asked.json:
        for line in format.started_lines(started, _members(project, started), joined=bool(joined)):
            output.out(line)
    if wait:
        output.flush()  # the run ID is printed even if the wait is interrupted
        return _wait(project, asked, started, joined)
    if asked.json:
        output.document(api.documents.started(project, started, joined=joined))
    return EXIT_OK


def _members(project: Project, run: Run) -> list[Run]:
    """Return the runs of a group run. Any other run has none, and needs no import to find out."""
    return api.runs.members(project, run) if run.members else []


def _wait(project: Project, asked: Asked, started: Run, joined: bool | None) -> int:
    from bgrun.cli import digest_text
    from bgrun.cli.exit_codes import exit_code

    finished = _finished(project, asked, started)
    if asked.json:
        output.document(api.documents.started(project, finished, joined=joined, ended=True))
    if not asked.json and not asked.quiet:
        for one in (*_members(project, finished), finished):
            output.out(format.verdict_line(one))
        for line in digest_text.lines_of_failure(project, finished):
            output.out(line)
    return exit_code(finished, own=asked.exit_code)


def _finished(project: Project, asked: Asked, started: Run) -> Run:
    if not output.wants_live(quiet=asked.quiet, json=asked.json):
        return api.stop.wait_for(project, [started.run_id], asked.timeout)[0]
    from bgrun.cli import live

    with live.view(project, [started.run_id]):
        return api.stop.wait_for(project, [started.run_id], asked.timeout)[0]
