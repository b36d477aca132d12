"""Make coding agents call `bgrun hook` before a shell command, each in its own file and form."""

from __future__ import annotations

import json
from typing import Any

from bgrun.setup import clients as all_clients
from bgrun.setup import edits, executable
from bgrun.setup.edits import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILES = {
    "claude": ".claude/settings.json",
    "codex": ".codex/hooks.json",
    "cursor": ".cursor/hooks.json",
    "gemini": ".gemini/settings.json",
    "opencode": ".opencode/plugin/bgrun.js",
}
"""The hook configuration of each client."""
_EVENTS = {
    "claude": ("PreToolUse", "Bash"),
    "codex": ("PreToolUse", "Bash"),
    "gemini": ("BeforeTool", "run_shell_command"),
}
"""The event before a tool call, and the name of the shell tool."""
_PREFIXES = {"claude": '"$CLAUDE_PROJECT_DIR"/', "gemini": '"$GEMINI_PROJECT_DIR"/'}
"""Before the path of a bgrun in the project; the others call a hook in the directory of the project."""
_TIMEOUT_S = 10
_TIMEOUTS = {"gemini": _TIMEOUT_S * 1000}
_PERMISSIONS = ("Bash(bgrun:*)", "mcp__bgrun", "Skill(bgrun)")
_PLUGIN = """\
// Written by `bgrun init --hook opencode`: refuses shell commands that are declared jobs, and suggests bgrun.
import {{ spawnSync }} from "node:child_process"
import path from "node:path"

const root = path.resolve(import.meta.dirname, "../..")
const bgrun = {program}

export const Bgrun = async ({{ directory }}) => ({{
  "tool.execute.before": async (input, output) => {{
    if (input.tool !== "bash") return
    const cwd = path.resolve(directory ?? root, output.args?.workdir ?? "")
    const event = JSON.stringify({{ command: output.args?.command, cwd }})
    const options = {{ input: event, cwd: root, encoding: "utf8", timeout: {timeout} }}
    const done = spawnSync(bgrun, ["hook", "opencode"], options)
    let answer
    try {{
      answer = JSON.parse(done.stdout)
    }} catch {{
      return // no answer: the command may run
    }}
    if (answer.decision === "deny") throw new Error(answer.reason)
  }},
}})
"""


def changes(root: Path, clients: Iterable[str]) -> Iterator[Change]:
    """Yield the changes that make these clients call `bgrun hook`.

    Raises:
        UnknownNameError: a client is not in `FILES`.
    """
    clients = list(clients)
    all_clients.check(clients, FILES)
    for client in clients:
        yield Change(root / FILES[client], _change(root, client))


def _change(root: Path, client: str) -> edits.TextChange:
    program = executable.command(root, _PREFIXES.get(client, ""))
    if client == "opencode":
        return lambda _: _plugin(program)
    return lambda text: edits.merged_json(text, lambda document: _hook(document, client, program))


def _plugin(program: str) -> str:
    is_path = "/" in program
    shown = f"path.resolve(root, {json.dumps(program)})" if is_path else json.dumps(program)
    return _PLUGIN.format(program=shown, timeout=_TIMEOUT_S * 1000)


def _hook(document: dict[str, Any], client: str, program: str) -> None:
    command = f"{program} hook {client}"
    hooks = document.setdefault("hooks", {})
    if client == "cursor":
        document.setdefault("version", 1)
        _put(hooks.setdefault("beforeShellExecution", []), {"command": command}, client)
        return
    event, tool = _EVENTS[client]
    entries = hooks.setdefault(event, [])
    ours = {"type": "command", "command": command, "timeout": _TIMEOUTS.get(client, _TIMEOUT_S)}
    for entry in entries:
        if any(_is_ours(one, client) for one in entry.get("hooks", [])):
            _put(entry["hooks"], ours, client)
            return
    entries.append({"matcher": tool, "hooks": [ours]})


def _put(hooks: list[Any], ours: dict[str, Any], client: str) -> None:
    """Put a hook in place of an older one of bgrun, or at the end; what was added to the older one stays."""
    for one in hooks:
        if _is_ours(one, client):
            one["command"] = ours["command"]
            return
    hooks.append(ours)


def _is_ours(hook: Any, client: str) -> bool:
    command = hook.get("command", "") if isinstance(hook, dict) else ""
    return isinstance(command, str) and command.endswith(f"bgrun hook {client}")


def claude_permissions(root: Path) -> Change:
    """Return the change by which Claude Code runs bgrun, its MCP server and its skill without asking."""
    program = executable.command(root)
    allowed = [f"Bash({program}:*)", *_PERMISSIONS[1:]]

    def allow(document: dict[str, Any]) -> None:
        rules = document.setdefault("permissions", {}).setdefault("allow", [])
        rules += [one for one in allowed if one not in rules]
        servers = document.setdefault("enabledMcpjsonServers", [])
        servers += [one for one in ("bgrun",) if one not in servers]

    return Change(root / FILES["claude"], lambda text: edits.merged_json(text, allow))
