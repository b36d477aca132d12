"""Load a job file: bytes to checked documents to frozen specs."""

from __future__ import annotations

from bgrun.errors import JobFileError
from bgrun.jobfile import include
from bgrun.jobfile.project import read_job_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from bgrun.jobfile.include import Source
    from bgrun.jobfile.specs import JobFile
    from bgrun.jobfile.yaml_source import Fault


def load(path: str | os.PathLike[str]) -> JobFile:
    """Return the specs of a job file.

    Raises:
        JobFileError: it cannot be read or has errors; the exception lists all of them.
    """
    return parse(str(path), read_job_file(str(path)))


def parse(path: str, raw: bytes) -> JobFile:
    """Return the specs in the bytes of a job file.

    Raises:
        JobFileError: it has errors; the exception lists all of them.
    """
    source = include.read(path, raw)
    check(source)
    return include.specs_of(source)


def check(source: Source) -> list[Fault]:
    """Return the warnings about a job file.

    Raises:
        JobFileError: it has errors; the exception lists all of them.
    """
    from bgrun.jobfile.checks import check as checks  # imports jsonschema, which takes longer than the rest of a start

    faults = checks.all_faults(source)
    if faults:
        raise JobFileError(source.file, faults)
    return checks.warnings(source)
