"""What bgrun can do, as functions: no printing, no exits; whatever goes wrong is raised.

Each takes the `Project` it works in. A use case is imported from its room when it is first used (PEP 562):
a look at a run does not pay for the imports of a start, which take three times as long as the look.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.runner.again import rerun
    from bgrun.runner.declared import load, render
    from bgrun.runner.ending import prune, stop_all, stop_runs, wait_for
    from bgrun.runner.looking import (
        Newest,
        Outlook,
        all_succeeded,
        digest,
        latest,
        list_runs,
        meant,
        members,
        moment,
        newest,
        outlook_on,
        outlook_with,
        stalled,
        stats,
        status,
        usual_s,
        with_log,
    )
    from bgrun.runner.reading import Chunk, follow, has_log, read_log, read_page, require_log
    from bgrun.runner.starting import Bounds, Started, run_command, start, start_group, warnings

_ROOMS = {
    "declared": ("load", "render"),
    "ending": ("prune", "stop_all", "stop_runs", "wait_for"),
    "looking": (
        *("Newest", "Outlook", "all_succeeded", "digest", "latest", "list_runs", "meant", "members", "moment"),
        *("newest", "outlook_on", "outlook_with", "stalled", "stats", "status", "usual_s", "with_log"),
    ),
    "reading": ("Chunk", "follow", "has_log", "read_log", "read_page", "require_log"),
    "again": ("rerun",),
    "starting": ("Bounds", "Started", "run_command", "start", "start_group", "warnings"),
}
__all__ = [
    "Bounds",
    "Chunk",
    "Newest",
    "Outlook",
    "Started",
    "all_succeeded",
    "digest",
    "follow",
    "has_log",
    "latest",
    "list_runs",
    "load",
    "meant",
    "members",
    "moment",
    "newest",
    "outlook_on",
    "outlook_with",
    "prune",
    "read_log",
    "read_page",
    "render",
    "require_log",
    "rerun",
    "run_command",
    "stalled",
    "start",
    "start_group",
    "stats",
    "status",
    "stop_all",
    "stop_runs",
    "usual_s",
    "wait_for",
    "warnings",
    "with_log",
]


def __getattr__(name: str) -> object:
    """Return a use case, importing the room that it is in."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(__import__(f"{__name__}.{room}", fromlist=[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
