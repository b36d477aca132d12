"""The tools of the MCP server: how they are declared, and what they do, as plain functions.

Handles only go out and come in (run ids), absent values are left out, and everything is bounded:
whoever reads this pays for each word.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from bgrun import api
from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bgrun.api import Project
    from bgrun.model import Run

MAX_WAIT_S = 50.0
"""How long a call waits at most, unless the server is told otherwise: clients cut calls off after a minute."""
MOST_RUNS = 20
_LOOKS_S = (0.05, 0.1, 0.2, 0.25)
_LOG_LINES, _LOG_BYTES = 100, 8 << 10
_GROUP, _ADHOC = "group:", "run:"


class ServerOptions(NamedTuple):
    """What this server allows: how long a call may wait, in seconds, and whether any command may be run."""

    max_wait_s: float = MAX_WAIT_S
    allow_run: bool = False


class Tool(NamedTuple):
    """A tool: what it is told by, the JSON schema of its arguments, and its hints for clients."""

    name: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...] = ()
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        more = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": dict(self.properties), **more, "additionalProperties": False}


_TEXT = {"type": "string", "maxLength": 200}
_TEXTS = {"type": "array", "items": {"type": "string", "maxLength": 4096}, "maxItems": 100}
_SECONDS = {"type": "number", "minimum": 0}


def declared(settings: ServerOptions) -> list[Tool]:
    """Return the tools that a server with these settings has."""
    adhoc = ", or run:LABEL with a command as args" if settings.allow_run else ""
    wait = f"at most {settings.max_wait_s:g}"
    return [
        Tool(
            "bgrun_start",
            f"Start a declared job, or group:NAME{adhoc}, in the background; it outlives this call. With wait_s "
            f"({wait}) the result has the verdict and what failed, if it ended by then. args: KEY=VALUE, then -- and "
            "extra words.",
            {"job": _TEXT, "args": _TEXTS, "wait_s": _SECONDS},
            ("job",),
        ),
        Tool(
            "bgrun_wait",
            f"Wait for runs ({wait} s), then tell state, exit code and what failed. A job's name is its live runs, "
            "or its newest.",
            {"runs": {**_TEXTS, "minItems": 1}, "timeout_s": _SECONDS, "mode": {"enum": ["all", "any"]}},
            ("runs",),
            read_only=True,
            idempotent=True,
        ),
        Tool(
            "bgrun_log",
            "Lines of a run's log: the last ones, those matching a regex, or what is new since a cursor.",
            {
                "run": _TEXT,
                "since": {**_TEXT, "description": "cursor, or start"},
                "match": {"type": "string", "maxLength": 1000},
                "max_lines": {"type": "integer", "minimum": 1, "maximum": 1000},
            },
            ("run",),
            read_only=True,
            idempotent=True,
        ),
        Tool(
            "bgrun_list",
            "jobs: what can be started, with parameters. runs: what ran, newest first. live: what runs now.",
            {"what": {"enum": ["jobs", "runs", "live"]}},
            read_only=True,
            idempotent=True,
        ),
        Tool(
            "bgrun_stop",
            "End a run, or all live runs of a job, with all processes.",
            {"run": _TEXT},
            ("run",),
            destructive=True,
            idempotent=True,
        ),
    ]


# --- what they do -----------------------------------------------------------------------------


def start(project: Project, settings: ServerOptions, job: str, args: Sequence[str]) -> tuple[Run, dict[str, Any]]:
    """Start a job, a group or, where that is allowed, any command; return the run and what to say beside it."""
    cut = args.index("--") if "--" in args else len(args)
    words, tail = args[:cut], args[cut + 1 :]
    warned = {"warnings": told} if (told := api.start.warnings(project)) else {}
    if job.startswith(_GROUP):
        return api.start.start_group(project, job.removeprefix(_GROUP), None, _only(tail), words), warned
    if job.startswith(_ADHOC):
        if not settings.allow_run:
            raise UsageError("this server runs declared jobs only", "bgrun_list what=jobs names them")
        if not args:
            raise UsageError("no command is given", 'args: ["make", "-j4"]')
        return api.start.run_command(project, job.removeprefix(_ADHOC), args, project.root), warned
    started = api.start.start(project, [job, *words], tail)
    return started.run, {**warned, **({"joined": True} if started.joined else {})}


def _only(tail: Sequence[str]) -> Sequence[str]:
    if tail and tail[0] != "only":
        raise UsageError("behind -- a group takes: only JOB…")
    return tail[1:]


def pauses() -> Iterator[float]:
    """Give the seconds between two looks at runs that are waited for."""
    yield from _LOOKS_S
    while True:
        yield _LOOKS_S[-1]


def clamped(asked_s: float, settings: ServerOptions) -> float:
    """Return how long a call waits that asked for so many seconds."""
    return min(asked_s, settings.max_wait_s)


def log(project: Project, run: str, since: str | None, match: str | None, max_lines: int | None) -> dict[str, Any]:
    """Return lines of a log and the cursor after them."""
    found = api.runs.newest(project, run)
    api.logs.require_log(found.run)
    first = bool(since or match)  # else the last ones
    most = max_lines or _LOG_LINES
    head, tail = (most, None) if first else (None, most)
    wanted = api.logs.LogRequest(match, head=head, tail=tail, most_bytes=_LOG_BYTES)
    page = api.logs.read_page(project, found.run, since, wanted)
    return api.documents.brief_log(found, page, more=page.truncated and first)


def listed(project: Project, what: str) -> dict[str, Any]:
    """Return the declared jobs, the newest runs, or the active ones."""
    if what == "jobs":
        return api.documents.brief_jobs(api.jobs.load(project))
    if what == "live":
        return api.documents.brief_list(run for run in api.runs.status(project) if run.live)
    return api.documents.brief_list(api.runs.list_runs(project, None, MOST_RUNS))


def stopped(project: Project, run: str) -> dict[str, Any]:
    """Stop the runs that are meant and return what became of them."""
    ended = [api.documents.brief_end(one) for one in api.stop.stop_runs(project, [run])]
    return ended[0] if len(ended) == 1 else {"runs": ended}


def until(seconds: float) -> Callable[[], float]:
    """Return a function that tells how many of these seconds are left."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
