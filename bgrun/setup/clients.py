"""What tells coding agents and editors of bgrun: instructions, MCP servers, tasks, hooks."""

from __future__ import annotations

from typing import Any

from bgrun.errors import UnknownNameError
from bgrun.setup import edits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bgrun.setup.edits import Edit

_BEGIN, _END = "<!-- bgrun:begin -->", "<!-- bgrun:end -->"
AGENTS = """
## Long commands run in bgrun

Tests, builds and whatever may take over a minute: never in the foreground, always as a job of bgrun.

- `bgrun jobs` lists them. `bgrun start JOB --wait -t 50s` runs one and tells what failed, with file and line.
- Exit code 124: it goes on. `bgrun wait JOB -t 50s` again; `bgrun report JOB` tells what failed at any later time.
- Any other long command: `bgrun run LABEL --wait -t 50s -- COMMAND`.
- Only if that is not enough: `bgrun logs JOB --grep REGEX -C 3`.
- The same over MCP: `bgrun_start` with `wait_s`, then `bgrun_wait`.
"""
_WHEN = (
    "Run long commands (test suites, builds, scans, watches) in the background and learn how they ended and what "
    "failed. Use whenever a command may take longer than a tool call may last."
)
SKILL = f"""---
name: bgrun
description: {_WHEN}
---
{AGENTS}
`bgrun status JOB` tells how far a run is, `bgrun stop JOB` ends it with all its processes, `bgrun list` what ran here.
Exit codes: 0 succeeded, 1 did not, 2 wrong usage, 124 goes on, 125 bgrun itself failed. `--json` gives one document.
"""
CLIENTS = {"claude": ".mcp.json", "cursor": ".cursor/mcp.json", "vscode": ".vscode/mcp.json"}
"""Where each client looks for MCP servers."""
HOOKS = {"claude": ".claude/settings.json", "cursor": ".cursor/hooks.json"}
"""Where each client looks for hooks."""


def agents_file(root: Path) -> Edit:
    """Return the edit of AGENTS.md: a block between markers."""
    return edits.edited(root / "AGENTS.md", lambda text: edits.between_markers(text, AGENTS, _BEGIN, _END))


def skill(root: Path) -> Edit:
    """Return the edit that writes an Agent Skill."""
    return edits.edited(root / ".claude" / "skills" / "bgrun" / "SKILL.md", lambda _: SKILL)


def mcp_servers(root: Path, clients: Sequence[str]) -> Iterator[Edit]:
    """Give the edits that name the server to these clients.

    Raises:
        UnknownNameError: a client is none of `CLIENTS`.
        UsageError: its file cannot be merged.
    """
    for client in clients:
        path = root / _known(client, CLIENTS)
        yield edits.edited(path, lambda text, client=client: edits.merged_json(text, lambda it: _serve(it, client)))  # type: ignore[misc]


def _known(client: str, paths: dict[str, str]) -> str:
    if client not in paths:
        raise UnknownNameError("client", client, paths, f"there are {', '.join(paths)}")
    return paths[client]


def _serve(document: dict[str, Any], client: str) -> None:
    server = {"command": "bgrun", "args": ["mcp"]}
    if client == "vscode":
        document.setdefault("servers", {})["bgrun"] = {"type": "stdio", **server}
    else:
        document.setdefault("mcpServers", {})["bgrun"] = server


def tasks(root: Path, names: Sequence[str]) -> Edit:
    """Return the edit of VS Code's tasks: one for each job, those of others as they are."""

    def change(document: dict[str, Any]) -> None:
        document.setdefault("version", "2.0.0")
        others = [one for one in document.get("tasks", []) if not str(one.get("label", "")).startswith("bgrun: ")]
        ours = [_task(name) for name in names]
        document["tasks"] = [*others, *ours]

    return edits.edited(root / ".vscode" / "tasks.json", lambda text: edits.merged_json(text, change))


def _task(name: str) -> dict[str, Any]:
    words = ["start", name, "--wait"]
    return {"label": f"bgrun: {name}", "type": "process", "command": "bgrun", "args": words, "problemMatcher": []}


def hooks(root: Path, clients: Sequence[str]) -> Iterator[Edit]:
    """Give the edits that have these clients ask `bgrun hook` before they run a shell command.

    Raises:
        UnknownNameError: a client is none of `HOOKS`.
        UsageError: its file cannot be merged.
    """
    for client in clients:
        path = root / _known(client, HOOKS)
        change = _hook_claude if client == "claude" else _hook_cursor
        yield edits.edited(path, lambda text, change=change: edits.merged_json(text, change))  # type: ignore[misc]


def _hook_claude(document: dict[str, Any]) -> None:
    before = document.setdefault("hooks", {}).setdefault("PreToolUse", [])
    ours = {"matcher": "Bash", "hooks": [{"type": "command", "command": "bgrun hook claude", "timeout": 10}]}
    if ours not in before:
        before.append(ours)


def _hook_cursor(document: dict[str, Any]) -> None:
    document.setdefault("version", 1)
    before = document.setdefault("hooks", {}).setdefault("beforeShellExecution", [])
    ours = {"command": "bgrun hook cursor"}
    if ours not in before:
        before.append(ours)
