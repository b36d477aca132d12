"""The log folder as a supervisor holds it: its working directory, so that a rename of the project changes nothing.

A working directory is the folder itself and not its name (chdir(2)), on every system, and stays so in another
program (execve(2)). What is written down there is named from HERE; what goes to somebody else is told by `now`.
"""

from __future__ import annotations

import os
import sys

HERE = "."


def enter(log_dir: str) -> None:
    """Go into the log folder, for good; nothing is ever imported from there.

    Raises:
        OSError: it is not there.
    """
    os.chdir(log_dir)
    sys.path[:] = [path for path in sys.path if path not in ("", HERE)]


def stay(recorded: str) -> None:
    """Where the folder was removed and one of this name made anew, go on in that."""
    try:
        if os.stat(HERE).st_nlink == 0:
            os.chdir(recorded)
    except OSError:
        return


def now(recorded: str) -> str:
    """Return the path of the log folder: the recorded one as long as that leads there."""
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
    """Return words about files of the log folder as they are told to others; pure."""
    return f" {text}".replace(f" {HERE}/", f" {recorded}/")[1:]


def moved(path: str, root: str, before: str, after: str) -> str:
    """Return where a path leads after the project was renamed; pure.

    Args:
        path: what was recorded; outside of the project it stays what it is.
        root: the folder of the project as it was recorded.
        before: the log folder as it was recorded.
        after: the log folder as it is named now.
    """
    inside = before.removeprefix(f"{root}/")
    if before in (after, inside) or not after.endswith(f"/{inside}"):
        return path
    if path == root or path.startswith(f"{root}/"):
        return after.removesuffix(f"/{inside}") + path[len(root) :]
    return path
