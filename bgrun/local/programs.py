"""Finding programs on the PATH, once for as long as a supervisor lives."""

from __future__ import annotations

import os

_found: dict[str, str | None] = {}


def find(name: str) -> str | None:
    """Return the path of a program, or None where there is none."""
    if name not in _found:
        # As os.get_exec_path() has it, which imports `warnings`.
        paths = (f"{folder}/{name}" for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder)
        _found[name] = next((path for path in paths if os.access(path, os.X_OK) and os.path.isfile(path)), None)
    return _found[name]
