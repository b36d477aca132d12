"""The job file: text → checked document → frozen specs → rendered job. Nothing heavy is imported here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.jobfile.specs import JobFile


def load(path: Path) -> JobFile:
    """Return the specs of a job file.

    Raises:
        JobFileError: it cannot be read or has errors; all of them are in it.
    """
    from bgrun.errors import JobFileError
    from bgrun.jobfile import check, specs, text

    name = _name(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise JobFileError(name, [f"{name}: cannot be read: {error.strerror}"]) from error
    document = text.read(name, raw)
    if problems := check.problems(name, document):
        raise JobFileError(name, problems)
    return specs.of_document(path, document.data)


def _name(path: Path) -> str:
    """Return the path as it is shortest to open from here."""
    import os

    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
