"""Find programs on PATH, and make the environment of jobs. A path is cached while the program exists."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_PREFIX = "bgrun_"
_SHELL_SETTINGS = ("SHELLOPTS", "BASHOPTS", "BASH_XTRACEFD", "EXECIGNORE", "TMOUT")
"""Settings of the caller's own shell (bash(1), Shell Variables). dash passes them on unchanged; bash -p replaces some
and obeys others, so the result of a command would depend on which of the two runs its script.
With `SHELLOPTS=noexec` the command's bash would run nothing, and succeed."""

_found: dict[str, str | None] = {}


def job_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a job or hook: without shell settings and names of the job script."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _SHELL_SETTINGS and not name.startswith(OWN_PREFIX)
    }


def find(name: str) -> str | None:
    """Return the path of a program on PATH, or None; a name with a slash is returned unchanged."""
    if "/" in name:
        return name
    known = _found.get(name, "")
    if known == "" or (known and not os.access(known, os.X_OK)):
        # Like os.get_exec_path(), which imports `warnings`.
        paths = (
            f"{directory}/{name}" for directory in os.environ.get("PATH", os.defpath).split(os.pathsep) if directory
        )
        _found[name] = next((path for path in paths if os.access(path, os.X_OK) and os.path.isfile(path)), None)
    return _found[name]
