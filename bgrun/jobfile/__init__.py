"""The job file: text → checked document → frozen specs → rendered job. Nothing heavy is imported here."""

from __future__ import annotations

import errno
import os
import stat
import sys

from bgrun.errors import BgrunError, JobFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.jobfile.specs import JobFile
    from bgrun.jobfile.yaml_source import Document

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
MOST_BYTES = 1 << 20
"""How large a job file may be: it is written by hand."""
_SCHEMA = "bgjobs.schema.json"


def load(path: str | os.PathLike[str]) -> JobFile:
    """Return the specs of a job file.

    Raises:
        JobFileError: it cannot be read or has errors; all of them are in it.
    """
    return parse(os.fspath(path), read(os.fspath(path)))


def read(path: str) -> bytes:
    """Return the bytes of a job file; of one that is too large, more than one may have.

    Raises:
        JobFileError: it cannot be read.
    """
    try:
        return read_bounded(path, MOST_BYTES)
    except OSError as error:
        name = _name(path)
        raise JobFileError(name, [f"{name}: cannot be read: {error.strerror}"]) from error


def read_bounded(path: str, most: int) -> bytes:
    """Return what a regular file holds, or one byte more than `most` of it. Links are followed.

    Neither a pipe, which nobody may ever write to, nor a device is opened.

    Raises:
        OSError: it is no regular file, or cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        parts, left = [], most + 1
        while left > 0 and (part := os.read(fd, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
    finally:
        os.close(fd)
    return b"".join(parts)


def parse(path: str, raw: bytes, *, checked: bool = False) -> JobFile:
    """Return the specs in the bytes of a job file; `checked` ones are known to have no errors.

    Raises:
        JobFileError: it has errors; all of them are in it.
    """
    from pathlib import Path

    from bgrun.jobfile import specs, yaml_source

    name = _name(path)
    document = yaml_source.read(name, raw)
    if not checked:
        _check(name, document)
    return specs.of_document(Path(path), document.data)


def _check(name: str, document: Document) -> None:
    from bgrun.jobfile import check

    if problems := check.problems(name, document):
        raise JobFileError(name, problems)


def code_mark() -> str:
    """Return what changes with the code that reads and renders job files: what it made before is worth nothing then.

    Code that was installed changes only as a whole; in a checkout each file is looked at.
    """
    from bgrun import __version__
    from bgrun.templating import inputs

    stamps = (f"{path} {inputs.stamp(path)}" for path in _code())
    return "\n".join([__version__, sys.version, *stamps])


def schema_folder() -> str:
    """Return the folder of the schemas: in a wheel within the package, in a checkout beside it.

    Raises:
        BgrunError: the installation is broken.
    """
    for candidate in (f"{_PACKAGE}/schemas", f"{os.path.dirname(_PACKAGE)}/schemas"):
        if os.path.isfile(f"{candidate}/{_SCHEMA}"):
            return candidate
    raise BgrunError("the schemas of bgrun are missing from its installation", "install bgrun anew")


def _code() -> Iterator[str]:
    folder = schema_folder()
    yield from (f"{folder}/{_SCHEMA}", f"{_PACKAGE}/model.py")
    if folder.startswith(f"{_PACKAGE}/"):
        yield from (f"{_PACKAGE}/{part}" for part in ("jobfile", "templating", "render", "parsers"))
        return
    for part in ("jobfile", "templating", "render", "render/templates", "parsers"):
        names = sorted(os.listdir(f"{_PACKAGE}/{part}"))
        yield from (f"{_PACKAGE}/{part}/{name}" for name in names if name.endswith((".py", ".j2", ".json")))


def _name(path: str) -> str:
    """Return the path as it is shortest to open from here."""
    near = os.path.relpath(path)
    return path if near.startswith("..") else near
