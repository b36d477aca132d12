"""Frozen values as bytes and back, for our own processes and files: marshal, which no import has to be paid for."""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def pack(value: Any) -> bytes:
    """Return a value of tuples, lists, mappings and scalars as bytes; named tuples come back as plain ones."""
    return marshal.dumps(_plain(value))


def unpack(data: bytes) -> Any:
    """Return what `pack` was given. Only for bytes of our own: from anybody else's it could do anything.

    Raises:
        ValueError: it is something else.
    """
    try:
        return marshal.loads(data)  # noqa: S302 - see above
    except (EOFError, TypeError) as error:
        raise ValueError(str(error)) from error


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return str(value) if isinstance(value, str) else value
