"""`start`, `run`, `group`, `rerun`: launch, tell, and wait where that is asked for."""

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
    return _told(project, asked, started.run, joined=started.joined)


def run(project: Project, asked: Asked) -> int:
    """Handle `bgrun run`."""
    if not asked.tail:
        raise UsageError("missing command", f"put it after '--': bgrun run {asked.label} -- make test")
    _warn(project)
    return _told(project, asked, api.start.run_command(project, asked.label, asked.tail, os.getcwd()))


def group(project: Project, asked: Asked) -> int:
    """Handle `bgrun group`."""
    bounds = api.start.Bounds(asked.max_parallel, asked.fail_fast)
    only = (*asked.only, *_only(asked.tail))
    _warn(project)
    return _told(project, asked, api.start.start_group(project, asked.group, bounds, only, asked.param))


def _only(tail: Sequence[str]) -> Sequence[str]:
    """Return the jobs that `-- only JOB…` names."""
    if tail and (tail[0] != "only" or len(tail) == 1):
        raise UsageError(f"unexpected argument after '--': {tail[0]!r}", "select jobs with --only JOB")
    return tail[1:]


def rerun(project: Project, asked: Asked) -> int:
    """Handle `bgrun rerun`."""
    from bgrun.cli import choice

    _warn(project)
    run = choice.one_run(project, asked.ref)
    return _told(project, asked, api.rerun.rerun(project, run.run_id, failed=asked.failed))


def _warn(project: Project) -> None:
    """Tell what may be in the way of a run before it is started: behind the fork of a supervisor it takes longer."""
    for warning in api.start.warnings(project):
        output.note(f"warning: {warning}")


def _told(project: Project, asked: Asked, begun: Run, *, joined: bool | None = None) -> int:
    """Report a run that was started, wherever that can be written: whoever is not told would start it again."""
    try:
        code = _reported(project, asked, begun, joined=joined)
        output.flush()
    except OutputError:
        output.give_up_output()
        output.note(f"{begun.run_id} was started; only the output failed")
        raise
    return code


def _reported(project: Project, asked: Asked, begun: Run, *, joined: bool | None = None) -> int:
    wait = asked.wait or asked.timeout is not None or asked.exit_code
    if asked.quiet and not asked.json:
        output.out(begun.run_id)
    elif not asked.json:
        for line in format.started_lines(begun, _members(project, begun), joined=bool(joined)):
            output.out(line)
    if wait:
        output.flush()  # the run has its name even if this waiting is cut short
        return _waited(project, asked, begun, joined)
    if asked.json:
        output.document(api.documents.started(project, begun, joined=joined))
    return EXIT_OK


def _members(project: Project, run: Run) -> list[Run]:
    """Return the runs of a group's run; of any other there are none, and nothing is imported to say so."""
    return api.runs.members(project, run) if run.members else []


def _waited(project: Project, asked: Asked, begun: Run, joined: bool | None) -> int:
    from bgrun.cli import digest_text
    from bgrun.cli.exit_codes import exit_code

    ended = _ended(project, asked, begun)
    if asked.json:
        output.document(api.documents.started(project, ended, joined=joined, ended=True))
    if not asked.json and not asked.quiet:
        for one in (*_members(project, ended), ended):
            output.out(format.verdict_line(one))
        for line in digest_text.lines_of_failure(project, ended):
            output.out(line)
    return exit_code(ended, own=asked.exit_code)


def _ended(project: Project, asked: Asked, begun: Run) -> Run:
    if not output.wants_live(quiet=asked.quiet, json=asked.json):
        return api.stop.wait_for(project, [begun.run_id], asked.timeout)[0]
    from bgrun.cli import live

    with live.view(project, [begun.run_id]):
        return api.stop.wait_for(project, [begun.run_id], asked.timeout)[0]
