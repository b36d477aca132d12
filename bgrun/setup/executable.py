"""Find how a client or a shell runs this bgrun."""

from __future__ import annotations

import os
import sys

from bgrun.system import programs

_NAME = "bgrun"


def shown() -> str:
    """Return `bgrun` if the shell finds it, or else the path of this one."""
    return _NAME if programs.find(_NAME) else own_path() or _NAME


def command(root: str | os.PathLike[str], prefix: str = "") -> str:
    """Return how the files of a project name bgrun.

    A bgrun in a virtual environment of the project is named by its path in it, with a prefix: a client does not
    activate the environment. The path is the same for everybody who has the project.
    """
    own = own_path()
    inside = (
        os.path.relpath(f"{os.path.realpath(own.rpartition('/')[0])}/{_NAME}", os.path.realpath(root)) if own else ".."
    )
    return shown() if inside.startswith("..") else f"{prefix}{inside}"


def own_path() -> str:
    """Return the absolute path of the `bgrun` that belongs to this interpreter, or '' if there is none."""
    path = f"{sys.executable.rpartition('/')[0]}/{_NAME}"
    return path if os.access(path, os.X_OK) else ""
