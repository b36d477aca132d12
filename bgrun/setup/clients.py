"""Configure coding agents and editors: instructions, MCP servers, tasks, hooks."""

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
## Long commands: use bgrun

Run tests, builds and any command that may take over a minute as a bgrun job, never in the foreground.

- `bgrun jobs` lists jobs. `bgrun start JOB --wait -t 50s` runs one and reports what failed, with file and line.
- Exit code 124: still running. Run `bgrun wait JOB -t 50s`. `bgrun report JOB` shows the result at any time.
- Any other long command: `bgrun run LABEL --wait -t 50s -- COMMAND`.
- If you need more of the log: `bgrun logs JOB --grep REGEX -C 3`.
- Over MCP: `bgrun_start` with `wait_s`, then `bgrun_wait`.
"""
_WHEN = (
    "Run long commands (test suites, builds, scans, watches) in the background and find out how they ended and what "
    "failed. Use for any command that may outlast a tool call."
)
SKILL = f"""---
name: bgrun
description: {_WHEN}
---
{AGENTS}
`bgrun status JOB` shows progress, `bgrun stop JOB` stops a run and every process it started, `bgrun list` lists runs.
Exit codes: 0 success, 1 a run did not succeed, 2 usage error, 124 still running, 125 internal error.
`--json` prints one document.
"""
CLIENTS = {"claude": ".mcp.json", "cursor": ".cursor/mcp.json", "vscode": ".vscode/mcp.json"}
"""The MCP configuration of each client."""
HOOKS = {"claude": ".claude/settings.json", "cursor": ".cursor/hooks.json"}
"""The hook configuration of each client."""


def agents_file(root: Path) -> Edit:
    """Return the edit of AGENTS.md: a block between markers."""
    return edits.edited(root / "AGENTS.md", lambda text: edits.between_markers(text, AGENTS, _BEGIN, _END))


def skill(root: Path) -> Edit:
    """Return the edit that writes an Agent Skill."""
    return edits.edited(root / ".claude" / "skills" / "bgrun" / "SKILL.md", lambda _: SKILL)


def mcp_servers(root: Path, clients: Sequence[str]) -> Iterator[Edit]:
    """Return the edits that register the MCP server with these clients.

    Raises:
        UnknownNameError: a client is not in `CLIENTS`.
        UsageError: its file cannot be merged.
    """
    for client in clients:
        path = root / _known(client, CLIENTS)
        yield edits.edited(path, lambda text, client=client: edits.merged_json(text, lambda it: _serve(it, client)))  # type: ignore[misc]


def _known(client: str, paths: dict[str, str]) -> str:
    if client not in paths:
        raise UnknownNameError("client", client, paths)
    return paths[client]


def _serve(document: dict[str, Any], client: str) -> None:
    server = {"command": "bgrun", "args": ["mcp"]}
    if client == "vscode":
        document.setdefault("servers", {})["bgrun"] = {"type": "stdio", **server}
    else:
        document.setdefault("mcpServers", {})["bgrun"] = server


def tasks(root: Path, names: Sequence[str]) -> Edit:
    """Return the edit of VS Code's tasks: one for each job; other tasks stay."""

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
    """Return the edits that make these clients call `bgrun hook` before a shell command.

    Raises:
        UnknownNameError: a client is not in `HOOKS`.
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
