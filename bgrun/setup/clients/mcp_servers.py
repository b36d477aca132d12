"""Register bgrun's MCP server with coding agents, each in its own file and form."""

from __future__ import annotations

from typing import Any

from bgrun.jobfile.project import JOB_FILE
from bgrun.setup import clients as all_clients
from bgrun.setup import edits, executable
from bgrun.setup.clients import toml_text
from bgrun.setup.edits import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILES = {
    "claude": ".mcp.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".vscode/mcp.json",
    "codex": ".codex/config.toml",
    "gemini": ".gemini/settings.json",
    "opencode": "opencode.json",
}
"""The MCP configuration of each client."""
_KEYS = {"vscode": "servers", "opencode": "mcp"}
_WORKSPACE = "${workspaceFolder}/"
_PREFIXES = {"cursor": _WORKSPACE, "vscode": _WORKSPACE}
"""Before the paths of bgrun and the job file; the others start a server in the directory of the project."""
_SCHEMA = "https://opencode.ai/config.json"


def changes(root: Path, clients: Iterable[str]) -> Iterator[Change]:
    """Yield the changes that register the MCP server with these clients.

    Raises:
        UnknownNameError: a client is not in `FILES`.
    """
    clients = list(clients)
    all_clients.check(clients, FILES)
    for client in clients:
        yield Change(_path(root, client), _change(root, client))


def _path(root: Path, client: str) -> Path:
    path = root / FILES[client]
    with_comments = path.with_suffix(".jsonc")
    return with_comments if client == "opencode" and with_comments.exists() else path


def _change(root: Path, client: str) -> edits.TextChange:
    prefix = _PREFIXES.get(client, "")
    program = executable.command(root, prefix)
    arguments = ["--file", f"{prefix}{JOB_FILE}", "mcp"] if prefix else ["mcp"]
    if client == "codex":
        # Without `required`, Codex may ask its model before it has asked the server for its tools.
        values = {"command": program, "args": arguments, "required": True}
        return lambda text: toml_text.with_table(text, ("mcp_servers", "bgrun"), values)
    return lambda text: edits.merged_json(text, lambda document: _serve(document, client, program, arguments))


def _serve(document: dict[str, Any], client: str, program: str, arguments: list[str]) -> None:
    if client == "opencode":
        document.setdefault("$schema", _SCHEMA)
        server: dict[str, Any] = {"type": "local", "command": [program, *arguments], "enabled": True}
    else:
        server = {"command": program, "args": arguments}
    if client == "vscode":
        server = {"type": "stdio", **server}
    document.setdefault(_KEYS.get(client, "mcpServers"), {}).setdefault("bgrun", {}).update(server)
