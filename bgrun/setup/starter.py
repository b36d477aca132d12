"""Write the first job file of a project from what is detected; never replace an existing one."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from bgrun.jobfile.loader import load
from bgrun.jobfile.project import JOB_FILE, Project, find_job_file, read_job_file
from bgrun.jobfile.schema import schema_text
from bgrun.setup import detection
from bgrun.setup.detection import choice, job_file, services, tree
from bgrun.setup.detection.node import MANAGERS
from bgrun.setup.edits import Edit, edited
from bgrun.system.reading import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.setup.detection.documents import Broken
    from bgrun.setup.detection.found import Found
    from bgrun.setup.detection.services import Service

SCHEMA = "bgjobs.schema.json"
_VENVS = (".venv", "venv")
_MOST_PACKAGE = 1 << 20


class Start(NamedTuple):
    """What a project can be set up with.

    path: the path of its job file.
    exists: whether that is there already.
    found: the jobs that were detected in it.
    venv: the path of a virtual environment in a directory above, or ''.
    services: the servers that were detected in it.
    broken: its files that cannot be read.
    """

    path: Path
    exists: bool
    found: tuple[Found, ...]
    venv: str = ""
    services: tuple[Service, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def root(self) -> Path:
        """The directory to set up."""
        return self.path.parent

    @property
    def group(self) -> str:
        """The name of the group that the first job file declares, or ''."""
        return job_file.GROUP if len(choice.checks(self.found)) > 1 else ""


def look(project: Project, here: str, *, is_given: bool = False) -> Start:
    """Return what a project can be set up with.

    Args:
        project: where, as every other command sees it.
        here: the current directory. If it is in a package or a repository below the project, that is set up.
        is_given: whether the job file was named on the command line.
    """
    root = Path(project.root) if is_given else _root(Path(here), Path(project.root))
    path = Path(project.job_file) if is_given and project.job_file else root / JOB_FILE
    seen = tree.read(root)
    found = tuple(detection.jobs(seen))
    venv = _venv_above(root) if found else ""
    return Start(path, path.is_file(), found, venv, tuple(services.find(seen)), tuple(seen.broken()))


def _root(here: Path, top: Path) -> Path:
    """Return the nearest directory, from here up to the top, that has a job file or is a package or a repository."""
    for directory in (here, *here.parents):
        own = any((directory / name).is_file() for name in (JOB_FILE, *tree.MANIFESTS))
        if directory == top or own or (directory / ".git").exists():
            return directory
    return top


def _venv_above(root: Path) -> str:
    """Return the path of a virtual environment in the nearest directory above, unless this one has its own."""
    for directory in tree.up_to_top(root):
        for name in _VENVS:
            if (directory / name / "bin" / "python").exists():
                return "" if directory == root else os.path.relpath(directory / name, root)
    return ""


def edits(start: Start, *, schema: bool) -> Iterator[Edit]:
    """Return the edits that create the job file and, if requested, the JSON Schema next to it.

    Raises:
        JobFileError: a job file exists and has errors.
        UsageError: a file cannot be read.
    """
    if schema:
        yield edited(start.root / SCHEMA, lambda _: schema_text("bgjobs"))
    if start.exists:
        load(start.path)
        text = read_job_file(str(start.path)).decode("utf-8")
        yield Edit(start.path, text, text)
    else:
        yield edited(start.path, lambda _: _text(start, SCHEMA if schema else ""))


def _text(start: Start, schema: str) -> str:
    text = job_file.text(start.found, schema=schema, venv=start.venv, services=start.services)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / JOB_FILE
        path.write_text(text, encoding="utf-8")
        load(path)
    return text


def job_names(start: Start) -> list[str]:
    """Return the names of the declared jobs, or of those that the first job file would declare."""
    return list(load(start.path).jobs) if start.exists else [one.name for one in start.found]


def undeclared(start: Start) -> list[Found]:
    """Return the detected jobs that the existing job file has not, by name or by what they run."""
    if not start.exists:
        return []
    declared = load(start.path)
    texts = [job.command if isinstance(job.command, str) else " ".join(job.command) for job in declared.jobs.values()]
    return [one for one in start.found if one.name not in declared.jobs and not choice.is_run_by(one, texts)]


def job_file_above(start: Start) -> str | None:
    """Return the path of the nearest job file above, of a project that can include this one; or None."""
    return find_job_file(str(start.root.parent))


def name_of(start: Start) -> str:
    """Return the name under which another job file can include this one."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", start.root.name).lstrip("_-") or "jobs"


def next_step(start: Start) -> Sequence[str]:
    """Return the words of a command that works here: the checks, or a job whose program is installed, or `jobs`."""
    missing, checks = missing_programs(start), choice.checks(start.found)
    if start.group and not any(one.name in checks for one in missing):
        return ("group", start.group)
    usable = sorted((one.name for one in start.found if one not in missing), key=lambda name: name not in checks)
    if usable or not start.found:
        return ("start", usable[0] if usable else job_file.EXAMPLE.name)
    return ("jobs",)


def missing_programs(start: Start) -> list[Found]:
    """Return the detected jobs whose program is not installed here."""
    above = start.root / start.venv if start.venv else None
    folders = [str(directory / "bin") for directory in (above, *(start.root / name for name in _VENVS)) if directory]
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    return [one for one in start.found if not _is_there(one.command.split()[0], start.root, path)]


def missing_packages(start: Start) -> str:
    """Return the command that installs the packages of package.json, if a detected job needs them and none is here.

    Without them the tools that its scripts call, such as `tsc`, are not found.
    """
    managers = [one.command.split()[0] for one in start.found if one.command.split()[0] in MANAGERS.values()]
    package = start.root / "package.json"
    if not managers or any((start.root / name).exists() for name in ("node_modules", ".pnp.cjs")):
        return ""
    try:
        declared = json.loads(read_bounded(str(package), _MOST_PACKAGE))
    except (OSError, ValueError, RecursionError):
        return ""
    kinds = ("dependencies", "devDependencies")
    return f"{managers[0]} install" if isinstance(declared, dict) and any(declared.get(kind) for kind in kinds) else ""


def _is_there(program: str, root: Path, path: str) -> bool:
    return (root / program).exists() if "/" in program else shutil.which(program, path=path) is not None
