"""The job file: text → checked document → frozen specs → rendered job. Nothing heavy is imported here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.jobfile.specs import JobFile
    from bgrun.jobfile.text import Document


def load(path: Path) -> JobFile:
    """Return the specs of a job file.

    Raises:
        JobFileError: it cannot be read or has errors; all of them are in it.
    """
    return parse(path, read(path))


def read(path: Path) -> bytes:
    """Return the bytes of a job file.

    Raises:
        JobFileError: it cannot be read.
    """
    from bgrun.errors import JobFileError

    try:
        return path.read_bytes()
    except OSError as error:
        name = _name(path)
        raise JobFileError(name, [f"{name}: cannot be read: {error.strerror}"]) from error


def parse(path: Path, raw: bytes, *, checked: bool = False) -> JobFile:
    """Return the specs in the bytes of a job file; `checked` ones are known to have no errors.

    Raises:
        JobFileError: it has errors; all of them are in it.
    """
    from bgrun.jobfile import specs, text

    name = _name(path)
    document = text.read(name, raw)
    if not checked:
        _check(name, document)
    return specs.of_document(path, document.data)


def _check(name: str, document: Document) -> None:
    from bgrun.errors import JobFileError
    from bgrun.jobfile import check

    if problems := check.problems(name, document):
        raise JobFileError(name, problems)


def mark_of(raw: bytes) -> str:
    """Return what tells that just these bytes were checked, by just this schema and this code."""
    import hashlib
    from pathlib import Path

    from bgrun import __version__
    from bgrun.jobfile import schema

    code = ",".join(str(module.stat().st_mtime_ns) for module in sorted(Path(__file__).parent.glob("*.py")))
    known = "\n".join([__version__, code, schema.schema_text("bgjobs")]).encode()
    return hashlib.sha256(known + b"\0" + raw).hexdigest()


def _name(path: Path) -> str:
    """Return the path as it is shortest to open from here."""
    import os

    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
