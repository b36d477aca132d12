"""The tools of the MCP server: their declarations, and what they do as plain functions.

Answers are short, since agents pay by the word: run IDs in place of paths, no absent values, limited lists.
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
"""Default limit of a call's wait: clients cut calls off after a minute."""
MOST_RUNS = 20
NAME = "bgrun"
INSTRUCTIONS = (
    "Run long commands as jobs that outlive a call: bgrun_start with wait_s, and while it is still running, "
    "bgrun_wait. The result has the failures; read the log only if you need more."
)
_PAUSES_S = (0.05, 0.1, 0.2, 0.25)
_LOG_LINES, _LOG_BYTES = 100, 8 << 10
_GROUP, _ADHOC = "group:", "run:"


class ServerOptions(NamedTuple):
    """The limits of a server: how long a call may wait, in seconds, and whether it runs any command."""

    max_wait_s: float = MAX_WAIT_S
    allow_run: bool = False


class Tool(NamedTuple):
    """A tool: its name and description, the JSON Schema of its arguments, and hints for clients."""

    name: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...] = ()
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        more = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": dict(self.properties), **more, "additionalProperties": False}

    @property
    def declaration(self) -> dict[str, Any]:
        """The tool as the protocol has it."""
        hints = {
            "readOnlyHint": self.read_only,
            "destructiveHint": self.destructive,
            "idempotentHint": self.idempotent,
        }
        about = {"name": self.name, "description": self.description}
        return {**about, "inputSchema": self.schema, "annotations": hints}


_TEXT = {"type": "string", "maxLength": 200}
_TEXTS = {"type": "array", "items": {"type": "string", "maxLength": 4096}, "maxItems": 100}
_SECONDS = {"type": "number", "minimum": 0}


def declared(settings: ServerOptions) -> list[Tool]:
    """Return the tools of a server with these settings."""
    adhoc = ", or run:LABEL with a command as args," if settings.allow_run else ""
    wait = f"at most {settings.max_wait_s:g}"
    return [
        Tool(
            "bgrun_start",
            f"Start a declared job or group:NAME{adhoc} in the background; it outlives this call. With wait_s "
            f"({wait}), returns the result and failures if the run finishes in time. args: KEY=VALUE, then -- and "
            "extra arguments. failed: rerun only what failed in the newest run of a job or group, or in a run.",
            {"job": _TEXT, "args": _TEXTS, "wait_s": _SECONDS, "failed": {"type": "boolean"}},
            ("job",),
        ),
        Tool(
            "bgrun_wait",
            f"Wait for runs ({wait} s); returns state, exit code and failures. A job name means its active runs, or "
            "else its newest.",
            {"runs": {**_TEXTS, "minItems": 1}, "timeout_s": _SECONDS, "mode": {"enum": ["all", "any"]}},
            ("runs",),
            read_only=True,
            idempotent=True,
        ),
        Tool(
            "bgrun_log",
            "Return lines of a run's log: the last ones, regex matches, or new lines since a cursor.",
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
            "List declared jobs with their parameters (jobs), recent runs, newest first (runs), or active runs (live).",
            {"what": {"enum": ["jobs", "runs", "live"]}},
            read_only=True,
            idempotent=True,
        ),
        Tool(
            "bgrun_stop",
            "Stop a run, or all active runs of a job, and every process they started.",
            {"run": _TEXT},
            ("run",),
            destructive=True,
            idempotent=True,
        ),
    ]


# --- what they do -----------------------------------------------------------------------------


def start(
    project: Project, settings: ServerOptions, job: str, args: Sequence[str], *, failed: bool = False
) -> tuple[Run, dict[str, Any]]:
    """Start a job, a group or, if allowed, any command; return the run and further fields of the answer.

    With `failed`, rerun only what failed in the newest run of a job or a group, or in the run that `job` names.
    """
    if failed:
        return _rerun_failed(project, job.removeprefix(_GROUP), args)
    cut = args.index("--") if "--" in args else len(args)
    words, extra_args = args[:cut], args[cut + 1 :]
    warned = {"warnings": warnings} if (warnings := api.start.warnings(project)) else {}
    if job.startswith(_GROUP):
        only = api.start.only_jobs(extra_args, "select jobs with: -- only JOB")
        return api.start.start_group(project, job.removeprefix(_GROUP), None, only, words), warned
    if job.startswith(_ADHOC):
        if not settings.allow_run:
            raise UsageError("this server runs declared jobs only", "list them with bgrun_list what=jobs")
        if not args:
            raise UsageError("missing command", 'args: ["make", "-j4"]')
        return _run(project, job.removeprefix(_ADHOC), args), warned
    started = api.start.start(project, [job, *words], extra_args)
    return started.run, {**warned, **({"joined": True} if started.joined else {})}


def _rerun_failed(project: Project, ref: str, args: Sequence[str]) -> tuple[Run, dict[str, Any]]:
    if args:
        raise UsageError("failed cannot be combined with args", "a rerun has the parameters of its run")
    warned = {"warnings": warnings} if (warnings := api.start.warnings(project)) else {}
    again = api.rerun.rerun(project, ref, failed=True)
    only = api.runs.facts_of(project, again.run_id).get("only_failed", "")
    return again, {**warned, **({"only": only} if only else {})}


def _run(project: Project, label: str, words: Sequence[str]) -> Run:
    command = api.start.parse_command(words, project.root)
    return api.start.run_command(project, label, command, api.start.RunSettings(project.root))


def pauses() -> Iterator[float]:
    """Return the seconds between two checks of runs that are waited for."""
    yield from _PAUSES_S
    while True:
        yield _PAUSES_S[-1]


def clamped(asked_s: float, settings: ServerOptions) -> float:
    """Return the seconds that a call waits, given the requested ones."""
    return min(asked_s, settings.max_wait_s)


def log(project: Project, run: str, since: str | None, match: str | None, max_lines: int | None) -> dict[str, Any]:
    """Return lines of a log and the cursor after them."""
    found = api.references.newest(project, run)
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
    """Stop the runs that `run` means and return their results."""
    ended = [api.documents.brief_end(one) for one in api.stop.stop_runs(project, [run])]
    return ended[0] if len(ended) == 1 else {"runs": ended}


def until(seconds: float) -> Callable[[], float]:
    """Return a function that returns how many of these seconds are left."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
