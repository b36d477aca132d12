"""The tools of the MCP server: their names, descriptions and arguments. Pure, and light: the first answer has them.

A model pays for each word here in every session, so the descriptions say only what a name does not.
"""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NAME = "bgrun"
INSTRUCTIONS = (
    "Run long commands as jobs that outlive a call. bgrun_start waits and tells what failed; if it is still running, "
    "bgrun_wait. Read the log only if you need more."
)
WAIT_S = 50.0
"""How long a call of an unknown client waits: most cut calls off after a minute."""
LONG_WAIT_S = 280.0
"""How long a call waits for clients that allow five minutes or more, or as long as they see progress."""
PATIENT = ("claude-code", "codex", "gemini-cli")
"""How the names of clients begin that allow a call at least five minutes."""
WATCHING = ("opencode",)
"""How the names of clients begin that allow that, if they are sent progress."""


class ServerOptions(NamedTuple):
    """The limits of a server.

    max_wait_s: how long a call may wait, in seconds; None is as long as its client allows.
    allow_run: whether it runs any command.
    """

    max_wait_s: float | None = None
    allow_run: bool = False


class Tool(NamedTuple):
    """A tool: its name and description, the JSON Schema of its arguments, and hints for clients."""

    name: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...] = ()
    read_only: bool = False
    destructive: bool = False

    @property
    def declaration(self) -> dict[str, Any]:
        """The tool as the protocol has it."""
        more = {"required": list(self.required)} if self.required else {}
        schema = {"type": "object", "properties": dict(self.properties), **more}
        hints = {
            **({"readOnlyHint": True} if self.read_only else {}),
            **({"destructiveHint": True} if self.destructive else {}),
        }
        found = {"name": self.name, "description": self.description, "inputSchema": schema}
        return {**found, "annotations": hints} if hints else found


_TEXT = {"type": "string"}
_TEXTS = {"type": ["array", "string"], "items": {"type": "string"}}
_SECONDS = {"type": "number"}


def longest_wait_s(client: str, settings: ServerOptions, *, progress: bool) -> float:
    """Return how long a call may wait.

    Args:
        client: the name of the client in its handshake; the tool timeouts of those that are known were measured.
        settings: a limit there precedes.
        progress: whether the call asks for notifications of progress.
    """
    if settings.max_wait_s is not None:
        return settings.max_wait_s
    name = client.lower()
    if name.startswith(PATIENT) or (progress and name.startswith(WATCHING)):
        return LONG_WAIT_S
    return WAIT_S


def declared(settings: ServerOptions) -> list[Tool]:
    """Return the tools of a server with these settings."""
    adhoc = ", or run:LABEL with a command as args," if settings.allow_run else ""
    return [
        Tool(
            "bgrun_start",
            f"Start a declared job or group:NAME{adhoc} and wait for it, as long as this client lets a call last; if "
            "it outlasts that, bgrun_wait. It outlives the call. Tells the result, what failed (NEW since the last "
            "run first), outputs. One that already runs with the same args on the same files is joined.",
            {
                "job": _TEXT,
                "args": {**_TEXTS, "description": "KEY=VALUE …, then -- and extra words"},
                "wait_s": {**_SECONDS, "description": "0: do not wait"},
                "only": {**_TEXT, "enum": ["failed"], "description": "what failed last time"},
                "again": {"type": "boolean", "description": "start beside one that runs"},
                "on": {**_TEXT, "enum": ["local", "slurm"]},
            },
            ("job",),
        ),
        Tool(
            "bgrun_wait",
            "Wait for runs to end, or one look with wait_s 0: the same answer. any: until one has ended; ready: until "
            "services are ready.",
            {"runs": _TEXTS, "wait_s": _SECONDS, "mode": {**_TEXT, "enum": ["all", "any", "ready"]}},
            ("runs",),
            read_only=True,
        ),
        Tool(
            "bgrun_log",
            "Lines of a run's log: the last, those that match a regex, what is new since a cursor, or all about one "
            "failure.",
            {
                "run": _TEXT,
                "match": _TEXT,
                "problem": {**_TEXT, "description": "a test id or FILE:LINE from the result"},
                "since": {**_TEXT, "description": "cursor or start"},
                "max_lines": {"type": "integer"},
            },
            ("run",),
            read_only=True,
        ),
        Tool(
            "bgrun_list",
            "jobs: what can be started, with parameters and usual duration. runs: newest first. live.",
            {"what": {**_TEXT, "enum": ["jobs", "runs", "live"]}, "job": _TEXT},
            read_only=True,
        ),
        Tool(
            "bgrun_stop",
            "End a run with all its processes.",
            {"run": _TEXT},
            ("run",),
            destructive=True,
        ),
    ]
