"""The handlers of `init`, `completion` and `hook`: set up a project, a shell, a client."""

from __future__ import annotations

import json
import sys

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, BgrunError, UnknownNameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.setup.edits import Edit

_MOST_EVENT = 4 << 20


def init(project: Project, args: Args) -> int:
    """Handle `bgrun init`."""
    from bgrun.setup import edits

    wanted = list(_wanted(project, args))
    if not args.dry_run:
        edits.apply(wanted)
    for edit in wanted:
        name = format.path(str(edit.path))
        if args.dry_run and edit.changes:
            output.out(edits.diff(edit, name).rstrip("\n"))
        elif not args.quiet:
            done = "wrote" if edit.before is None else "changed"
            output.note(f"{done} {name}" if edit.changes else f"{name} unchanged")
    return EXIT_OK


def _wanted(project: Project, args: Args) -> Iterator[Edit]:
    """Return every requested edit. All of them are computed before any is made."""
    from pathlib import Path

    from bgrun.setup import clients, starter

    root = Path(project.root)
    yield from starter.job_file(project, schema=args.schema)
    if args.agents:
        yield clients.agents_file(root)
    yield from clients.mcp_servers(root, args.mcp)
    if args.skill:
        yield clients.skill(root)
    if args.tasks:
        yield clients.tasks(root, starter.job_names(project))
    yield from clients.hooks(root, args.hook)


def completion(_: Project, args: Args) -> int:
    """Handle `bgrun completion`."""
    from bgrun.cli.completion import scripts

    if args.shell not in scripts.SHELLS:
        raise UnknownNameError("shell", args.shell, scripts.SHELLS)
    output.raw(scripts.text(args.shell))
    return EXIT_OK


def hook(project: Project, args: Args) -> int:
    """Handle `bgrun hook`. On any error the client may run its command."""
    from bgrun.setup import command_hook as hooks

    try:
        event = json.loads(sys.stdin.buffer.read(_MOST_EVENT))
        job = hooks.job_for(hooks.command_of(event), api.jobs.load(project).jobs)
    except (BgrunError, ValueError, RecursionError):
        job = ""
    if answer := hooks.answer(args.client, job):
        output.out(answer)
    return EXIT_OK
