"""What is declared: the job file, and its jobs rendered."""

from __future__ import annotations

import os

from bgrun.errors import NoJobFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.jobfile.find import Project
    from bgrun.jobfile.specs import JobFile
    from bgrun.model import RenderedJob


def load(project: Project) -> JobFile:
    """Return the project's job file.

    Raises:
        NoJobFileError: there is none.
        JobFileError: it has errors.
    """
    from bgrun import jobfile

    if project.job_file is None:
        raise NoJobFileError(
            f"there is no bgjobs.yaml in {project.root} or a folder above it",
            "declare jobs there, or run a command without one: bgrun run LABEL -- COMMAND…",
        )
    return jobfile.load(project.job_file)


def render(project: Project, name: str, given: Sequence[str] = (), extra: Sequence[str] = ()) -> RenderedJob:
    """Return a declared job with all its templates filled in; nothing is launched."""
    from bgrun.jobfile import expand

    return expand.render_one(load(project), expand.Request(name, tuple(given), tuple(extra)), os.environ)
