"""What bgrun can do, as functions: no printing, no exits; whatever goes wrong is raised.

Each function takes the `Project` it works in. A module is imported when it is first used (PEP 562), as in
`api.runs.status(project)`: a look at a run does not pay for the imports of a start, which take three times as long.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import insight, jobs, logs, rerun, runs, start, stop

__all__ = ["insight", "jobs", "logs", "rerun", "runs", "start", "stop"]


def __getattr__(name: str) -> object:
    """Return a module of this room, importing it."""
    if name in __all__:
        return __import__(f"{__name__}.{name}", fromlist=[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
