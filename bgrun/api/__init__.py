"""Offer what bgrun can do as functions that neither print nor exit; errors are raised.

Each function takes the `Project` it works in, which `api.locate(directory)` finds. A module is imported when it is
first used (PEP 562), as in `api.runs.status(project)`: the status of a run does not pay for the imports of a start,
which take three times as long.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import (
        declared_commands,
        documents,
        insight,
        jobs,
        joining,
        logs,
        outline,
        references,
        rerun,
        runs,
        services,
        start,
        stop,
    )
    from bgrun.jobfile.project import Project, locate
    from bgrun.jobfile.units import duration

__all__ = [
    "Project",
    "declared_commands",
    "documents",
    "duration",
    "expect_no_start",
    "expect_start",
    "insight",
    "jobs",
    "joining",
    "locate",
    "logs",
    "outline",
    "references",
    "rerun",
    "runs",
    "services",
    "start",
    "stop",
    "unreadable_runs",
]
_ELSEWHERE = {
    "Project": "bgrun.jobfile.project",
    "locate": "bgrun.jobfile.project",
    "duration": "bgrun.jobfile.units",
}


def expect_start() -> None:
    """Prepare for a start that most likely follows, beside what this process has to do before it."""
    from bgrun import engine

    engine.default().expect_submission()


def expect_no_start() -> None:
    """Drop what was prepared for a start and not used: it joined a run, or another engine has it."""
    from bgrun import engine

    engine.default().expect_nothing()


def unreadable_runs() -> list[str]:
    """Return why runs that this process left out of a list could not be read; empty if none was left out."""
    record = sys.modules.get("bgrun.store.record")  # not loaded: no run was read
    return list(record.skipped.values()) if record else []


def __getattr__(name: str) -> object:
    """Return a module of this room, or what it gives out of a lower one, importing it."""
    if name in _ELSEWHERE:
        return getattr(__import__(_ELSEWHERE[name], fromlist=[name]), name)
    if name in __all__:
        return __import__(f"{__name__}.{name}", fromlist=[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
