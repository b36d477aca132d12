"""Load a job file: bytes to a checked document to frozen specs."""

from __future__ import annotations

from pathlib import Path

from bgrun.errors import JobFileError
from bgrun.jobfile import specs, yaml_source
from bgrun.jobfile.project import display_path, read_job_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from bgrun.jobfile.specs import JobFile
    from bgrun.jobfile.yaml_source import Document


def load(path: str | os.PathLike[str]) -> JobFile:
    """Return the specs of a job file.

    Raises:
        JobFileError: it cannot be read or has errors; the exception lists all of them.
    """
    return parse(str(path), read_job_file(str(path)))


def parse(path: str, raw: bytes, *, checked: bool = False) -> JobFile:
    """Return the specs in the bytes of a job file; `checked` bytes have no errors.

    Raises:
        JobFileError: it has errors; the exception lists all of them.
    """
    name = display_path(path)
    document = yaml_source.read(name, raw)
    if not checked:
        _check(name, document)
    return specs.of_document(Path(path), document.data)


def _check(name: str, document: Document) -> None:
    from bgrun.jobfile import check  # imports jsonschema, which takes longer than the rest of a start

    if faults := check.faults(name, document):
        raise JobFileError(name, faults)
