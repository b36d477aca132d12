"""Set up coding agents and editors: their MCP servers, hooks, instructions and tasks, as changes of their files."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.errors import UnknownNameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Client(NamedTuple):
    """A coding agent or editor.

    title: its name for people.
    programs: the commands that start it, one of which is installed with it.
    """

    title: str
    programs: tuple[str, ...]


CLIENTS = {
    "claude": Client("Claude Code", ("claude",)),
    "cursor": Client("Cursor", ("cursor", "cursor-agent")),
    "vscode": Client("VS Code", ("code", "code-insiders", "codium")),
    "codex": Client("Codex", ("codex",)),
    "gemini": Client("Gemini CLI", ("gemini",)),
    "opencode": Client("opencode", ("opencode",)),
}


def check(names: Iterable[str], valid: Iterable[str]) -> None:
    """Check the names of clients.

    Raises:
        UnknownNameError: one is not valid.
    """
    for name in names:
        if name not in valid:
            raise UnknownNameError("client", name, valid)
