"""Read the hook events of coding agents, and write the answers that each of them understands. Pure."""

from __future__ import annotations

import json
import posixpath

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLIENTS = ("claude", "codex", "cursor", "gemini", "opencode")


class Event(NamedTuple):
    """A shell command that a client is about to run, and the directory that it runs in, or ''."""

    command: str
    directory: str


def event_of(document: Any) -> Event:
    """Return the command of a hook event; an empty one if there is none.

    Cursor has it at the top level, the others under `tool_input`, some as a list of words.
    """
    if not isinstance(document, dict):
        return Event("", "")
    inner = document.get("tool_input")
    places = [document, inner if isinstance(inner, dict) else {}]
    command = next((found for one in places if (found := one.get("command"))), "")
    if isinstance(command, list) and all(isinstance(one, str) for one in command):
        command = _joined(command)
    # The directory of the call itself (Gemini: dir_path, Codex: workdir) comes before that of the session.
    named = [places[1].get(key) for key in ("workdir", "dir_path", "directory", "cwd")]
    session = document.get("cwd")
    session = session if isinstance(session, str) else ""
    own = next((one for one in named if isinstance(one, str) and one), "")
    return Event(command if isinstance(command, str) else "", posixpath.join(session, own))


def _joined(words: list[str]) -> str:
    import shlex

    return shlex.join(words)


def answer(client: str, why: str) -> str:
    """Return the answer for a client: a denial with a reason, or permission if the reason is ''."""
    if not why:
        return json.dumps({"permission": "allow"}) if client == "cursor" else ""
    if client == "cursor":
        # The names of the messages changed between versions of Cursor; each version reads its own.
        messages = dict.fromkeys(("user_message", "agent_message", "userMessage", "agentMessage"), why)
        return json.dumps({"permission": "deny", **messages})
    if client in ("gemini", "opencode"):
        return json.dumps({"decision": "deny", "reason": why})
    if client not in CLIENTS:
        return ""
    decision = {"permissionDecision": "deny", "permissionDecisionReason": why}
    return json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", **decision}})
