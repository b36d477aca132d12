"""Find how a client or a shell runs this bgrun."""

from __future__ import annotations

import os
import sys

from bgrun.system import programs

_NAME = "bgrun"


def shown() -> str:
    """Return `bgrun` if the shell finds it, or else the path of this one."""
    return _NAME if programs.find(_NAME) else own_path() or _NAME


def own_path() -> str:
    """Return the absolute path of the `bgrun` that belongs to this interpreter, or '' if there is none."""
    path = f"{sys.executable.rpartition('/')[0]}/{_NAME}"
    return path if os.access(path, os.X_OK) else ""
