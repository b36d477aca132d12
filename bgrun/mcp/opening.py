"""Answer the requests that open a session before the SDK is imported: `initialize`, `ping` and `tools/list`. Pure.

Clients ask a model as soon as their servers have answered, or without them. The SDK takes half a second to import, so
the first requests are answered here, with what the SDK would answer: a test compares the two. Whatever is not plainly
one of these requests is left to the SDK.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The protocol versions with a handshake, as the SDK has them; the newest is offered for an unknown one."""
MOST_LINE = 64 << 10
"""How long a message that is answered here may be, in bytes."""
_ICON = {"src": str, "mimeType": str, "sizes": list, "theme": str}
_CLIENT = {"name": str, "version": str, "title": str, "description": str, "websiteUrl": str}
_CAPABILITIES = ("elicitation", "experimental", "extensions", "roots", "sampling")
_NOTIFICATION = re.compile("notifications/[a-z/_]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Opening:
    """The opening of a session: what was answered, and the messages that the SDK is to read for itself.

    kept: the messages for the SDK, in their order. It needs the handshake that was answered, too.
    open: whether the next message may be answered here.
    handshake: the ID of the answered `initialize`, which the SDK will answer again; None without one.
    """

    def __init__(self, name: str, version: str, instructions: str, tools: list[dict[str, Any]]) -> None:
        self.kept: list[bytes] = []
        self.open = True
        self.handshake: int | str | None = None
        self.listed = False
        self._about = {"instructions": instructions, "serverInfo": {"name": name, "version": version}}
        self._tools = tools

    def feed(self, line: bytes) -> bytes:
        """Take the next line of the input; return the line that answers it, or nothing."""
        message = _message(line) if self.open else None
        if message is None:
            return self._leave(line)
        if "id" not in message:
            self.kept.append(line)
            return b""
        return self._answer(message, line)

    def _leave(self, line: bytes) -> bytes:
        self.kept.append(line)
        self.open = False
        return b""

    def _answer(self, message: Mapping[str, Any], line: bytes) -> bytes:
        method, params = message["method"], message.get("params", {})
        if method == "initialize" and self.handshake is None and _is_plain_handshake(params):
            self.handshake = message["id"]
            self.kept.append(line)
            asked = params["protocolVersion"]
            version = asked if asked in VERSIONS else VERSIONS[-1]
            return _result(message, {"protocolVersion": version, "capabilities": _OURS, **self._about})
        if self.handshake is None or method not in ("ping", "tools/list") or not _is_plain(params):
            return self._leave(line)
        if method == "ping":
            return _result(message, {})
        self.listed = True
        return _result(message, {"tools": self._tools})


_OURS = {"tools": {"listChanged": False}}


def _result(message: Mapping[str, Any], result: Mapping[str, Any]) -> bytes:
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _message(line: bytes) -> dict[str, Any] | None:
    """Return a line as a request or a notification, or None if it is not plainly one."""
    if len(line) > MOST_LINE or b"\r" in line[:-2]:
        return None
    try:
        found = json.loads(line.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if _is_message(found) else None


def _is_message(found: object) -> bool:
    if not isinstance(found, dict) or not found.keys() <= {"jsonrpc", "id", "method", "params"}:
        return False
    method, params = found.get("method"), found.get("params", {})
    if found.get("jsonrpc") != "2.0" or not isinstance(method, str) or not isinstance(params, dict):
        return False
    if _SURROGATE.search(json.dumps(found, ensure_ascii=False)):
        return False
    return _is_id(found["id"]) if "id" in found else bool(_NOTIFICATION.fullmatch(method))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _is_id(value: object) -> bool:
    return isinstance(value, str) or (type(value) is int and abs(value) < 1 << 53)


def _is_plain(params: Mapping[str, Any]) -> bool:
    """Return whether parameters say nothing but a token for progress. Those of the era without a handshake say more."""
    meta = params.get("_meta", {})
    return (
        params.keys() <= {"_meta"}
        and isinstance(meta, dict)
        and meta.keys() <= {"progressToken"}
        and all(map(_is_id, meta.values()))
    )


def _is_plain_handshake(params: Mapping[str, Any]) -> bool:
    """Return whether these are the parameters of an `initialize` that no version of the protocol refuses."""
    client, able = params.get("clientInfo"), params.get("capabilities")
    rest = {key: value for key, value in params.items() if key not in ("protocolVersion", "clientInfo", "capabilities")}
    return (
        isinstance(params.get("protocolVersion"), str)
        and isinstance(client, dict)
        and isinstance(able, dict)
        and _is_plain(rest)
        and isinstance(client.get("name"), str)
        and isinstance(client.get("version"), str)
        and all(_is_plain_about(key, value) for key, value in client.items())
        and all(key in _CAPABILITIES and _is_plain_ability(value) for key, value in able.items())
    )


def _is_plain_about(key: str, value: object) -> bool:
    if key == "icons":
        return isinstance(value, list) and all(map(_is_plain_icon, value))
    return key in _CLIENT and isinstance(value, str)


def _is_plain_icon(icon: object) -> bool:
    if not isinstance(icon, dict) or "src" not in icon:
        return False
    sizes, theme = icon.get("sizes", []), icon.get("theme", "dark")
    known = all(isinstance(value, _ICON.get(key, ())) for key, value in icon.items())
    return known and theme in ("dark", "light") and all(isinstance(size, str) for size in sizes)


def _is_plain_ability(value: object) -> bool:
    """Return whether it is an object of objects and of truth values: nothing that a capability may not be."""
    return isinstance(value, dict) and all(
        inner is True or inner is False if key == "listChanged" else isinstance(inner, dict)
        for key, inner in value.items()
    )
