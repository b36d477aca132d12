"""Find the job file and the log directory of a project. Light: every command uses it."""

from __future__ import annotations

import os
from os.path import dirname, isdir, isfile, join, lexists, normpath

from bgrun.errors import JobFileError, NoJobFileError, UsageError
from bgrun.light import NamedTuple
from bgrun.store.store import Store
from bgrun.system.reading import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

JOB_FILE = "bgjobs.yaml"
LOG_DIR = ".logs"
MOST_BYTES = 1 << 20
"""The maximum size of a job file: people write it by hand."""
_KEY = "log_dir"
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-")


class Project(NamedTuple):
    """A project; paths are absolute.

    root: the directory that paths are relative to.
    job_file: the job file in it, or None.
    store: the runs in its log directory.
    here: the directory that it was located from, or ''.
    """

    root: str
    job_file: str | None
    store: Store
    here: str = ""


def locate(start: str, job_file: str | None = None, *, is_new: bool = False) -> Project:
    """Return the project that the directory `start` belongs to.

    Its root is the directory of the job file; without one the top of the git work tree, or else `start`.

    Args:
        start: the directory.
        job_file: the path of the job file, or None for the nearest one.
        is_new: whether the given job file need not exist yet; the directory for it has to.

    Raises:
        NoJobFileError: the given job file does not exist.
        UsageError: the log directory would be the project itself.
    """
    if job_file is not None and is_new and not lexists(job_file):
        root = os.path.realpath(dirname(job_file) or os.curdir)
        if not isdir(root):
            raise UsageError(f"directory {dirname(job_file)} does not exist", "check the path given to --file")
        return Project(root, join(root, os.path.basename(job_file)), Store(join(root, LOG_DIR)), start)
    if job_file is not None and not isfile(job_file):
        reason = "is not a regular file" if lexists(job_file) else "does not exist"
        raise NoJobFileError(f"job file {job_file} {reason}", "check the path given to --file")
    found = os.path.realpath(job_file) if job_file else find_job_file(start)
    if found is None:
        root = next((directory for directory in _upwards(start) if lexists(join(directory, ".git"))), start)
        return Project(root, None, Store(join(root, LOG_DIR)), start)
    return Project(dirname(found), found, Store(_log_dir(found)), start)


def declared_in(project: Project) -> str:
    """Return the path of the project's job file.

    Raises:
        NoJobFileError: it has none.
    """
    if project.job_file is None:
        _refuse_other_kinds(project.root)
        if other := _misnamed(project.here):
            from shlex import join as command

            where = display_path(other)
            rename = command(["mv", where, join(dirname(where), JOB_FILE)])
            raise NoJobFileError(f"no {JOB_FILE}, but {where}", f"rename it: {rename}")
        raise NoJobFileError(
            f"no {JOB_FILE} in {project.root} or any parent directory",
            "create one with 'bgrun init', or use 'bgrun run LABEL -- COMMAND'",
        )
    return project.job_file


def read_job_file(path: str) -> bytes:
    """Return the bytes of a job file; of one that is too large, one byte more than MOST_BYTES.

    Raises:
        JobFileError: it cannot be read.
    """
    try:
        return read_bounded(path, MOST_BYTES)
    except OSError as error:
        name = display_path(path)
        raise JobFileError(name, [f"{name}: cannot be read: {error.strerror}"]) from error


def display_path(path: str) -> str:
    """Return a path relative to the current directory, or as it is if that is no parent of it."""
    near = os.path.relpath(path)
    return path if near.startswith("..") else near


def _refuse_other_kinds(root: str) -> None:
    path = join(root, JOB_FILE)
    if lexists(path):
        raise NoJobFileError(f"{path} is not a regular file", "replace it with a job file")


def _misnamed(directory: str) -> str:
    """Return the nearest file with nearly the name of a job file, or ''."""
    names = ("bgjobs.yml", "bgjob.yaml", "bgjob.yml", ".bgjobs.yaml", ".bgjobs.yml")
    paths = (join(parent, name) for parent in _upwards(directory) for name in names)
    return next((path for path in paths if isfile(path)), "")


def _upwards(directory: str) -> Iterator[str]:
    """Yield a directory and each of its parents."""
    while True:
        yield directory
        parent = dirname(directory)
        if parent == directory:
            return
        directory = parent


def _log_dir(job_file: str) -> str:
    named, root = peek_log_dir(_text(job_file)), dirname(job_file)
    log_dir = normpath(join(root, named))
    if f"{root}/".startswith(f"{log_dir.rstrip('/')}/"):
        hint = f"use a directory for runs alone, such as {LOG_DIR}"
        name = os.path.basename(job_file)
        raise UsageError(f"{name}: log_dir {named!r} is the directory of the job file or a parent of it", hint)
    return log_dir


def find_job_file(start: str) -> str | None:
    """Return the bgjobs.yaml in `start` or in the nearest parent directory, or None."""
    return next((path for directory in _upwards(start) if isfile(path := join(directory, JOB_FILE))), None)


def _text(path: str) -> str:
    """Return the text of a file if it can be read. Errors are reported when it is loaded."""
    try:
        return read_bounded(path, MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def peek_log_dir(text: str) -> str:
    """Return the log directory that a job file names. Pure.

    Only its own line is parsed, so that runs can be shown while the rest of the file is broken. Without the key,
    or with a value that needs no parser, yaml is not imported.
    """
    if _KEY not in text:
        return LOG_DIR
    line = next((line for line in text.splitlines() if _is_key(line)), None)
    if line is None:
        return _by_yaml(text) if text.lstrip().startswith("{") else LOG_DIR
    value = line.partition(":")[2].strip()
    return value if _is_plain(value) else _by_yaml(line)


def _is_key(line: str) -> bool:
    return line.startswith(_KEY) and line[len(_KEY) :].lstrip(" \t").startswith(":")


def _is_plain(value: str) -> bool:
    """Return whether YAML reads a value as exactly this text.

    No number, date or boolean has a slash or begins so.
    """
    return _PLAIN.issuperset(value) and ("/" in value.strip("/") or (value[:1] == "." and value[1:2].isalpha()))


def _by_yaml(text: str) -> str:
    import yaml

    try:
        content, texts = yaml.safe_load(text), yaml.load(text, yaml.BaseLoader)  # noqa: S506 - it makes text only
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError):
        return LOG_DIR  # among others text that does not fit its tag: `!!bool maybe`, `!!timestamp x`
    if not isinstance(content, dict) or content.get(_KEY) is None:
        return LOG_DIR
    named = texts.get(_KEY)  # as written: `2024-10` is a name, not a date
    return named if isinstance(named, str) and named and "\0" not in named else LOG_DIR
