"""Load a job file: bytes to checked documents to frozen specs."""

from __future__ import annotations

from pathlib import Path

from bgrun import codec
from bgrun.errors import JobFileError
from bgrun.jobfile import include, specs
from bgrun.jobfile.project import read_job_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable

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
    source = read(path, raw)
    check(source)
    return specs_of(source)


def read(path: str, raw: bytes, reads: Callable[[str], object] = lambda _: None) -> Source:
    """Return a job file with all that it includes; `reads` is called with each of these before it is read."""
    return include.read(path, raw, reads)


def check(source: Source) -> list[Fault]:
    """Return the warnings about a job file.

    Raises:
        JobFileError: it has errors; the exception lists all of them.
    """
    from bgrun.jobfile import check as checks  # imports jsonschema, which takes longer than the rest of a start

    faults = checks.all_faults(source)
    if faults:
        raise JobFileError(source.file, faults)
    return checks.warnings(source)


def specs_of(source: Source) -> JobFile:
    """Return the specs of a job file without errors."""
    found = specs.of_document(Path(source.path), source.document.data)
    for one in source.included:
        found = specs.with_included(found, one.name, specs_of(one.source))
    return found._replace(digest=digest_of(source))


def digest_of(source: Source) -> bytes:
    """Return a hash of the bytes of a job file and of all that it includes."""
    parts = [codec.digest(one.raw) for one in source.every()]
    return parts[0] if len(parts) == 1 else codec.digest(b"".join(parts))
