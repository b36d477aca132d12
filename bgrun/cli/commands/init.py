"""The handlers of `init` and `completion`: set up a project, a shell."""

from __future__ import annotations

import os
import sys

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, UnknownNameError
from bgrun.wording import MOST_NAMES, count, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.api import Project
    from bgrun.cli.dispatch import Args
    from bgrun.setup.edits import Change, Edit
    from bgrun.setup.starter import Start


def init(project: Project, args: Args) -> int:
    """Handle `bgrun init`."""
    from bgrun.setup import edits, extras, starter

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
        for line in _advice(start, args):
            output.note(line)
        if (args.all or args.mcp) and not extras.is_installed("mcp"):
            output.note(f"warning: bgrun mcp cannot run without the mcp extra: {extras.install_command('mcp')}")
    return EXIT_OK


def _advice(start: Start, args: Args) -> Iterator[str]:
    """Yield what to do next: what is not declared yet, what is not installed, and a first command."""
    from bgrun.setup import starter

    for one in start.broken[:MOST_NAMES]:
        name = format.path(str(start.root / one.name))
        yield f"warning: {name}:{one.place + ':' if one.place else ''} {one.why}; jobs from this file may be missing"
    if (more := len(start.broken) - MOST_NAMES) > 0:
        yield f"warning: {count(more, 'more file')} cannot be read"
    for job in starter.undeclared(start):
        yield f"not declared: {job.name}: {job.command}"
    if start.exists and not args.file and args.here != str(start.root):
        yield f"for a job file of this directory alone: {_bgrun(args.directory)} init -f {start.path.name}"
    if start.exists or args.dry_run:
        return
    if above := starter.job_file_above(start):
        own = os.path.relpath(start.path, os.path.dirname(above))
        yield f"to reach these jobs from {os.path.relpath(above)}, add: include: {{{starter.name_of(start)}: {own}}}"
    missing: dict[str, list[str]] = {}
    for job in starter.missing_programs(start):
        missing.setdefault(job.command.split()[0], []).append(job.name)
    for program, jobs in missing.items():
        yield f"warning: {program} is not installed; needed by {names(jobs)}"
    if (install := starter.missing_packages(start)) and install.split()[0] not in missing:
        yield f"warning: the packages of package.json are not installed: {install}"
    words = starter.next_step(start)
    found = api.locate(args.here).job_file if not args.directory else None
    named = (args.directory, args.file) if args.directory or found != str(start.path) else (None, None)
    yield f"next: {_bgrun(*named)} {' '.join(words)}{'' if words == ('jobs',) else ' --wait -t 50s'}"


def _bgrun(directory: str | None = None, job_file: str | None = None) -> str:
    """Return how bgrun can be called here, for a directory and a job file other than the nearest."""
    import shlex
    import shutil

    from bgrun.setup import executable

    own = executable.own_path()
    program = ["bgrun"] if shutil.which("bgrun") else [own] if own else [sys.executable, "-m", "bgrun"]
    options = [*(["-C", directory] if directory else []), *(["-f", job_file] if job_file else [])]
    return shlex.join([*program, *options])


def _wanted(start: Start, args: Args) -> Iterator[Edit]:
    """Yield every requested edit. All of them are computed before any is made."""
    from bgrun.setup import edits, starter

    yield from starter.edits(start, schema=args.schema)
    yield from edits.combined(_changes(start, args))


def _changes(start: Start, args: Args) -> Iterator[Change]:
    """Yield the requested changes of the files of clients."""
    from bgrun.setup import starter
    from bgrun.setup.clients import hooks, instructions, mcp_servers, vscode_tasks

    served = mcp_servers.FILES if args.all else args.mcp
    hooked = hooks.FILES if args.all else args.hook
    if args.agents or args.all:
        yield instructions.agents_file(start.root)
        yield from instructions.references(start.root, {*served, *hooked})
    yield from mcp_servers.changes(start.root, served)
    if args.skill or args.all:
        yield from instructions.skills(start.root)
    if args.tasks:
        yield vscode_tasks.tasks(start.root, starter.job_names(start))
    yield from hooks.changes(start.root, hooked)
    if args.permissions:
        yield hooks.claude_permissions(start.root)


def completion(_: Project, args: Args) -> int:
    """Handle `bgrun completion`."""
    from bgrun.cli.completion import scripts

    if args.shell not in scripts.SHELLS:
        raise UnknownNameError("shell", args.shell, scripts.SHELLS)
    output.raw(scripts.text(args.shell))
    return EXIT_OK
