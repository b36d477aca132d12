"""The handlers of `init` and `completion`: set up a project, a shell."""

from __future__ import annotations

import os
import sys

from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, UnknownNameError
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.setup.edits import Edit
    from bgrun.setup.starter import Start


def init(project: Project, args: Args) -> int:
    """Handle `bgrun init`."""
    from bgrun.setup import edits, starter

    start = starter.look(project, args.here, is_given=args.file is not None)
    wanted = list(_wanted(start, args))
    if not args.dry_run:
        edits.apply(wanted)
    for edit in wanted:
        name = format.path(str(edit.path))
        if args.dry_run and edit.changes:
            output.out(edits.diff(edit, name).rstrip("\n"))
        elif not args.quiet:
            done = "wrote" if edit.before is None else "changed"
            output.note(f"{done} {name}" if edit.changes else f"{name} unchanged")
    if not args.quiet:
        for line in _advice(project, start, is_written=not args.dry_run):
            output.note(line)
    return EXIT_OK


def _advice(project: Project, start: Start, *, is_written: bool) -> Iterator[str]:
    """Yield what to do next: what is not declared yet, what is not installed, and a first command."""
    from bgrun.setup import starter

    for job in starter.undeclared(start):
        yield f"not declared: {job.name}: {job.command}"
    if start.job_file or not is_written:
        return
    above = project.job_file
    if above and os.path.dirname(above) != str(start.root):
        own = os.path.relpath(start.root / os.path.basename(above), os.path.dirname(above))
        yield f"to reach these jobs from {os.path.relpath(above)}, add: include: {{{starter.name_of(start)}: {own}}}"
    missing: dict[str, list[str]] = {}
    for job in starter.missing_programs(start):
        missing.setdefault(job.command.split()[0], []).append(job.name)
    for program, jobs in missing.items():
        yield f"warning: {program} is not installed; needed by {names(jobs)}"
    words = starter.next_step(start)
    yield f"next: {_program()} {' '.join(words)}{'' if words == ('jobs',) else ' --wait -t 50s'}"


def _program() -> str:
    """Return how bgrun can be called here."""
    import shlex
    import shutil

    return "bgrun" if shutil.which("bgrun") else f"{shlex.quote(sys.executable)} -m bgrun"


def _wanted(start: Start, args: Args) -> Iterator[Edit]:
    """Return every requested edit. All of them are computed before any is made."""
    from bgrun.setup import clients, starter

    root = start.root
    yield from starter.edits(start, schema=args.schema)
    if args.agents:
        yield clients.agents_file(root)
    yield from clients.mcp_servers(root, args.mcp)
    if args.skill:
        yield clients.skill(root)
    if args.tasks:
        yield clients.tasks(root, starter.job_names(start))
    yield from clients.hooks(root, args.hook)


def completion(_: Project, args: Args) -> int:
    """Handle `bgrun completion`."""
    from bgrun.cli.completion import scripts

    if args.shell not in scripts.SHELLS:
        raise UnknownNameError("shell", args.shell, scripts.SHELLS)
    output.raw(scripts.text(args.shell))
    return EXIT_OK
