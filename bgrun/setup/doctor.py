"""Check that bgrun works here, and what each installed coding agent finds in the project. Nothing is changed.

What a client should find is what `bgrun init` writes for it: a change that would still be made is what is missing.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from bgrun.errors import BgrunError, JobFileError, StorageError, UsageError
from bgrun.jobfile.loader import load
from bgrun.jobfile.project import JOB_FILE
from bgrun.setup import edits, executable, extras
from bgrun.setup.clients import CLIENTS, hooks, instructions, mcp_servers
from bgrun.system import directories, programs
from bgrun.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.setup.edits import Change

Status = Literal["ok", "missing", "optional"]
_INHIBITORS = {"darwin": "caffeinate", "linux": "systemd-inhibit"}
_SYSTEMD = "/run/systemd/system"


class Check(NamedTuple):
    """A check.

    subject: the client that it is about, or `bgrun`.
    status: `missing` for what bgrun or the client needs, `optional` for what is absent and may be.
    detail: what was found.
    fix: the command that adds it, or ''.
    """

    subject: str
    name: str
    status: Status
    detail: str
    fix: str = ""


def checks(project: Project, root: Path) -> list[Check]:
    """Return all checks of a project.

    root: the directory that `bgrun init` would set up.
    """
    bgrun = shlex.quote(executable.command(root))
    clients = list(_clients(root, bgrun))
    return [*_basics(project, bgrun), _mcp_extra(is_needed=bool(clients)), *clients]


def absent_clients() -> list[str]:
    """Return the titles of the clients that are not installed."""
    return [client.title for client in CLIENTS.values() if not any(map(programs.find, client.programs))]


# --- bgrun itself ---------------------------------------------------------------------------------


def _basics(project: Project, bgrun: str) -> Iterator[Check]:
    yield Check("bgrun", "python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield _command(project)
    yield _job_file(project, bgrun)
    yield _log_dir(project)
    yield _program("bash", "the shell of jobs, unless they name another", is_needed=True)
    yield _program("git", "records the commit of each run")
    yield _inhibitor()


def _command(project: Project) -> Check:
    found = programs.find("bgrun")
    if found:
        return Check("bgrun", "command", "ok", found)
    if own := executable.own_path():
        detail = f"{own}, not on PATH"
        inside = executable.command(project.root) != own
        fix = f"export PATH={shlex.quote(str(Path(own).parent))}:$PATH"
        return Check("bgrun", "command", "optional" if inside else "missing", detail, fix)
    return Check("bgrun", "command", "missing", "not installed as a command", "")


def _job_file(project: Project, bgrun: str) -> Check:
    if not project.job_file:
        return Check("bgrun", "job file", "missing", f"no {JOB_FILE} in {project.root}", f"{bgrun} init")
    try:
        found = load(project.job_file)
    except JobFileError as error:
        detail = f"{project.job_file} has {count(len(error.problems), 'error')}"
        return Check("bgrun", "job file", "missing", detail, f"{bgrun} validate")
    except BgrunError as error:
        return Check("bgrun", "job file", "missing", error.message)
    return Check("bgrun", "job file", "ok", f"{project.job_file}, {found.tally}")


def _log_dir(project: Project) -> Check:
    path = project.store.log_dir
    existing = path if os.path.lexists(path) else project.root
    try:
        directories.check_log_dir(path)
    except StorageError as error:
        return Check("bgrun", "log directory", "missing", f"{error.message}: {error.hint}")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check("bgrun", "log directory", "missing", f"{existing} is not writable", f"chmod u+rwx {existing}")
    return Check("bgrun", "log directory", "ok", f"{path}, {'writable' if existing == path else 'not made yet'}")


def _program(name: str, what_for: str, *, is_needed: bool = False) -> Check:
    found = programs.find(name)
    status: Status = "ok" if found else "missing" if is_needed else "optional"
    return Check("bgrun", name, status, found or f"not installed: {what_for}")


def _inhibitor() -> Check:
    name = _INHIBITORS.get(sys.platform, "")
    found = programs.find(name) if name else None
    if found and name == "systemd-inhibit" and not Path(_SYSTEMD).is_dir():
        return Check(
            "bgrun", "sleep", "optional", f"{name} needs systemd, which does not run: jobs do not keep it awake"
        )
    if found:
        return Check("bgrun", "sleep", "ok", f"{found} keeps the machine awake while jobs run")
    return Check("bgrun", "sleep", "optional", f"no {name or 'program'} to keep the machine awake while jobs run")


def _mcp_extra(*, is_needed: bool) -> Check:
    if extras.is_installed("mcp"):
        return Check("bgrun", "mcp extra", "ok", "bgrun mcp can serve coding agents")
    status: Status = "missing" if is_needed else "optional"
    return Check("bgrun", "mcp extra", status, "bgrun mcp cannot run without it", extras.install_command("mcp"))


# --- clients --------------------------------------------------------------------------------------


def _clients(root: Path, bgrun: str) -> Iterator[Check]:
    for name, client in CLIENTS.items():
        if any(map(programs.find, client.programs)):
            yield from _client(root, name, bgrun)


def _client(root: Path, client: str, bgrun: str) -> Iterator[Check]:
    """Yield the checks of one client: its server and instructions it needs, a skill and a hook are optional."""
    named = f"--mcp {client}"
    server = list(mcp_servers.changes(root, [client]))
    yield _found(root, client, "MCP server", server, f"{bgrun} init {named}", "missing")
    edits = [instructions.agents_file(root), *instructions.references(root, [client])]
    wanted = [one for one in edits if one.path.name == "AGENTS.md" or _leads(client, one.path)]
    yield _found(root, client, "instructions", wanted, f"{bgrun} init --agents {named}", "missing")
    if client not in ("cursor", "vscode"):
        folder = instructions.SKILLS[0 if client in ("claude", "opencode") else 1]
        skill = [one for one in instructions.skills(root) if one.path.is_relative_to(root / folder)]
        yield _found(root, client, "skill", skill, f"{bgrun} init --skill", "optional")
    if client in hooks.FILES:
        yield _found(root, client, "hook", hooks.changes(root, [client]), f"{bgrun} init --hook {client}", "optional")


def _leads(client: str, path: Path) -> bool:
    """Return whether a file leads this client to AGENTS.md."""
    return {"claude": "CLAUDE.md", "gemini": "settings.json"}.get(client) == path.name


def _found(root: Path, client: str, name: str, changes: Iterable[Change], fix: str, otherwise: Status) -> Check:
    try:
        made = edits.combined(changes)
    except UsageError as error:
        return Check(client, name, otherwise, error.message, "")
    shown = _names(root, [one.path for one in made])
    if absent := [one.path for one in made if one.changes]:
        return Check(client, name, otherwise, f"not in {_names(root, absent)}", fix)
    return Check(client, name, "ok", shown)


def _names(root: Path, paths: Sequence[Path]) -> str:
    return ", ".join(str(path.relative_to(root)) for path in paths)
