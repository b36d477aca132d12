"""Where the project is: its job file and its log folder. Imports nothing heavy: every command comes by."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from bgrun.errors import NoJobFileError, UsageError

JOB_FILE = "bgjobs.yaml"
LOG_DIR = ".logs"
_LOG_DIR_LINE = re.compile(r"^log_dir[ \t]*:.*$", re.MULTILINE)


class Project(NamedTuple):
    """The folder that paths are relative to, the job file in it if there is one, and the log folder."""

    root: Path
    job_file: Path | None
    log_dir: Path


def locate(start: Path, job_file: Path | None = None) -> Project:
    """Return the project that `start` is in.

    That is the folder of the job file; without one the top of the git working tree; else `start`.

    Raises:
        NoJobFileError: a job file was named and is not there.
        UsageError: its log folder would be the project itself.
    """
    if job_file is not None and not job_file.is_file():
        raise NoJobFileError(f"there is no job file {job_file}", "give the path of one behind --file")
    found = job_file.resolve() if job_file else find_job_file(start)
    if found is None:
        root = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)
        return Project(root, None, root / LOG_DIR)
    return Project(found.parent, found, _log_dir(found))


def _log_dir(job_file: Path) -> Path:
    named = peek_log_dir(_text(job_file))
    log_dir = Path(os.path.normpath(job_file.parent / named))
    if job_file.parent.is_relative_to(log_dir):
        hint = f"give runs a folder of their own, for example {LOG_DIR}"
        raise UsageError(f"{job_file.name}: log_dir {named!r} is the folder of the job file, or one above it", hint)
    return log_dir


def find_job_file(start: Path) -> Path | None:
    """Return the bgjobs.yaml of `start` or of the nearest folder above it."""
    candidates = (folder / JOB_FILE for folder in (start, *start.parents))
    return next((path for path in candidates if path.is_file()), None)


def _text(path: Path) -> str:
    """Return what can be read; what is wrong with the file is told by whoever loads it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def peek_log_dir(text: str) -> str:
    """Return the log folder that a job file names; pure.

    Only its own line is read, so that runs can be looked at while the rest of the file is broken,
    and without YAML where it does not name one at all.
    """
    line = _LOG_DIR_LINE.search(text)
    if line:
        return _log_dir_in(line.group())
    return _log_dir_in(text) if text.lstrip().startswith("{") and "log_dir" in text else LOG_DIR


def _log_dir_in(text: str) -> str:
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return LOG_DIR
    named = content.get("log_dir") if isinstance(content, dict) else None
    return named if isinstance(named, str) and named and "\0" not in named else LOG_DIR
