"""What is declared: the job file, and its jobs rendered."""

from __future__ import annotations

import os

from bgrun.errors import NoJobFileError, StorageError
from bgrun.lean import suppress
from bgrun.runs import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.jobfile.find import Project
    from bgrun.jobfile.specs import JobFile
    from bgrun.model import RenderedJob


_CHECKED = "jobs/.checked"


def load(project: Project, *, anew: bool = False) -> JobFile:
    """Return the project's job file.

    That its very bytes were found to have no errors is kept beside the runs, since checking them takes
    longer than all else in a start; `anew` checks them whatever is kept there.

    Raises:
        NoJobFileError: there is none.
        JobFileError: it has errors.
    """
    from pathlib import Path

    from bgrun import jobfile

    if project.job_file is None:
        raise NoJobFileError(
            f"there is no bgjobs.yaml in {project.root} or a folder above it",
            "declare jobs there, or run a command without one: bgrun run LABEL -- COMMAND…",
        )
    path = Path(project.job_file)
    raw = jobfile.read(path)
    mark = jobfile.mark_of(raw)
    known = not anew and _kept(project) == mark
    found = jobfile.parse(path, raw, checked=known)
    if not known and not _looks_elsewhere(found):
        _keep(project, mark)
    return found


def _looks_elsewhere(found: JobFile) -> bool:
    """Whether the check read other files too, which may change while this one does not."""
    named = (one for job in found.jobs.values() for one in job.problems)
    return any(isinstance(one, str) and one.endswith(".json") for one in named)


def _kept(project: Project) -> str:
    try:
        return (files.read(f"{project.log_dir}/{_CHECKED}", 100) or b"").decode("ascii", "replace")
    except StorageError:
        return ""


def _keep(project: Project, mark: str) -> None:
    """Keep a mark where there are runs already; where it cannot be kept, the next start checks again."""
    path = f"{project.log_dir}/{_CHECKED}"
    with suppress(OSError, StorageError):
        if files.check_log_dir(project.log_dir):
            files.replace(path, files.unique(path), mark.encode())


def render(project: Project, name: str, given: Sequence[str] = (), extra: Sequence[str] = ()) -> RenderedJob:
    """Return a declared job with all its templates filled in; nothing is launched."""
    from bgrun.jobfile import expand

    return expand.render_one(load(project), expand.Request(name, tuple(given), tuple(extra)), os.environ)
