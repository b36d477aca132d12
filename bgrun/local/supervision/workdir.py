"""The supervisor's working directory is the log directory, so that renaming the project does not affect its records.

A working directory is the directory itself, not its name (chdir(2)), and is kept by execve(2). The supervisor's own
paths begin with HERE; paths for other processes come from `now`.
"""

from __future__ import annotations

import os
import sys

HERE = "."


def enter(log_dir: str) -> None:
    """Change to the log directory, and never import from it.

    Raises:
        OSError: it does not exist.
    """
    os.chdir(log_dir)
    sys.path[:] = [path for path in sys.path if path not in ("", HERE)]


def stay(recorded: str) -> None:
    """Change to the directory at the recorded path if the current one was removed."""
    try:
        if os.stat(HERE).st_nlink == 0:
            os.chdir(recorded)
    except OSError:
        return


def now(recorded: str) -> str:
    """Return the path of the log directory: the recorded one while that leads to it."""
    try:
        here, there = os.stat(HERE), _stat(recorded)
        return recorded if there and os.path.samestat(here, there) else os.getcwd()
    except OSError:
        return recorded


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def spelled(text: str, recorded: str) -> str:
    """Return a message with the paths of the log directory as other processes name them. Pure."""
    return f" {text}".replace(f" {HERE}/", f" {recorded}/")[1:]


def moved(path: str, root: str, before: str, after: str) -> str:
    """Return a recorded path as it is after the project was renamed. Pure.

    Args:
        path: the recorded path; it does not change if it is outside the project.
        root: the recorded directory of the project.
        before: the recorded log directory.
        after: the log directory as it is named now.
    """
    inside = before.removeprefix(f"{root}/")
    if before in (after, inside) or not after.endswith(f"/{inside}"):
        return path
    if path == root or path.startswith(f"{root}/"):
        return after.removesuffix(f"/{inside}") + path[len(root) :]
    return path
