"""The handler of `hook`: answer a coding agent that is about to run a shell command."""

from __future__ import annotations

import os
import sys

from bgrun import api
from bgrun.cli import output
from bgrun.errors import EXIT_OK, OutputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.cli.dispatch import Args
    from bgrun.setup.hook_event import Event

_MOST_EVENT = 4 << 20


def hook(_: None, args: Args) -> int:
    """Handle `bgrun hook`. Whatever goes wrong, the client may run its command: 2 would refuse it."""
    from bgrun.setup import hook_event

    try:
        why = _why_denied(_event(), args.file)
    except OutputError:
        raise
    except Exception:  # noqa: BLE001 - an error here must never stop the work of an agent
        why = ""
    if answer := hook_event.answer(args.client, why):
        output.out(answer)
    return EXIT_OK


def _event() -> Event:
    import json

    from bgrun.setup import hook_event

    return hook_event.event_of(json.loads(sys.stdin.buffer.read(_MOST_EVENT)))


def _why_denied(event: Event, job_file: str | None) -> str:
    """Return why a command is denied, or '' if it may run."""
    from bgrun.setup import shell_line

    line = shell_line.parse(event.command)
    if line is None or not line.commands:
        return ""
    session = os.path.join(os.getcwd(), event.directory) if event.directory else os.getcwd()
    directory = os.path.realpath(os.path.join(session, os.path.expanduser(line.directory)))
    project = api.locate(directory, job_file)
    jobs = api.declared_commands.declared_commands(project, shell_line.programs_of(line))
    if not jobs:
        return ""
    from bgrun.setup import command_hook, executable

    found = command_hook.matches(line, directory, jobs, os.path.realpath)
    if not found:
        return ""
    here = os.path.realpath(session)
    near = job_file or api.locate(here).job_file == project.job_file
    program = executable.command(project.root) if here == project.root else executable.shown()
    return command_hook.reason(found, line.operators, program, "" if near else project.root)
