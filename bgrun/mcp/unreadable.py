"""Answer lines of the input that are no messages, which the SDK hands on as exceptions and leaves unanswered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from anyio.abc import ObjectSendStream


async def pass_on(
    reading: AsyncIterable[SessionMessage | Exception],
    writing: ObjectSendStream[SessionMessage],
    to: ObjectSendStream[SessionMessage | Exception],
) -> None:
    """Pass the messages on until the input ends, and answer every line that is none."""
    async with to:
        async for one in reading:
            if not isinstance(one, Exception):
                await to.send(one)
            elif answer := refusal(one):
                await writing.send(SessionMessage(answer))


def refusal(error: Exception) -> types.JSONRPCError | None:
    """Return the answer to a line that was refused with this error.

    None for an empty line, and for one that has no end: the client left in the middle of it.
    """
    found: list[Any] = error.errors() if isinstance(error, ValidationError) else []
    if found and found[0]["type"] == "json_invalid":
        line = found[0]["input"]
        if not line.strip() or not line.endswith("\n"):
            return None
        return _answer(None, types.PARSE_ERROR, f"Parse error: {found[0]['ctx']['error']}")
    return _answer(_id_of(found), types.INVALID_REQUEST, "Invalid Request: not a JSON-RPC 2.0 message")


def _answer(request_id: types.RequestId | None, code: int, message: str) -> types.JSONRPCError:
    return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=types.ErrorData(code=code, message=message))


def _id_of(found: list[Any]) -> types.RequestId | None:
    """Return the ID of a request that is not valid, or None if it has none.

    It lacks what a response has, and pydantic reports the whole message with that. The ID of anything but a request is
    one of ours, and may be that of a request of the client as well.
    """
    wholes = (one["input"] for one in found if one["type"] == "missing" and len(one["loc"]) == 2)
    request_id = next((whole.get("id") for whole in wholes if "method" in whole), None)
    return request_id if isinstance(request_id, str) or type(request_id) is int else None
