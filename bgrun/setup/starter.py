"""Write the first job file of a project from what is detected; never replace an existing one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bgrun.jobfile.loader import load
from bgrun.jobfile.project import JOB_FILE, Project, read_job_file
from bgrun.jobfile.schema import schema_text
from bgrun.setup import detect
from bgrun.setup.edits import Edit, edited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = "bgjobs.schema.json"


def job_file(project: Project, *, schema: bool) -> Iterator[Edit]:
    """Return the edits that create the job file and, if requested, the JSON Schema next to it.

    Raises:
        JobFileError: a job file exists and has errors.
        UsageError: a file cannot be read.
    """
    if schema:
        yield edited(Path(project.root) / SCHEMA, lambda _: schema_text("bgjobs"))
    if project.job_file:
        path = Path(project.job_file)
        load(path)
        text = read_job_file(str(path)).decode("utf-8")
        yield Edit(path, text, text)
        return
    root = Path(project.root)
    yield Edit(root / JOB_FILE, None, _text(root, SCHEMA if schema else ""))


def _text(root: Path, schema: str) -> str:
    found = detect.jobs(detect.texts(root), tests=detect.has_tests(root))
    text = detect.job_file(found, schema=schema)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / JOB_FILE
        path.write_text(text, encoding="utf-8")
        load(path)
    return text


def job_names(project: Project) -> list[str]:
    """Return the names of the declared jobs, or of those that the first job file would declare."""
    if project.job_file:
        return list(load(Path(project.job_file)).jobs)
    root = Path(project.root)
    found = detect.jobs(detect.texts(root), tests=detect.has_tests(root))
    return [one.name for one in found]
