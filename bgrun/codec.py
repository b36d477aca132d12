"""Frozen values as bytes and back, for our own processes and files, and what tells bytes apart; nothing heavy."""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_KEY = 0x6267_7275_6E


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


def fingerprint(data: bytes) -> bytes:
    """Return what changes when the bytes do: the hash by which Python knows its sources (PEP 552), and their number.

    It guards against change, not against malice.
    """
    try:
        from _imp import source_hash  # that of importlib.util, which takes 2 ms to load
    except ImportError:
        from importlib.util import source_hash as public

        return public(data) + len(data).to_bytes(8, "big")
    return bytes(source_hash(_KEY, data)) + len(data).to_bytes(8, "big")


def digest(data: bytes, salt: bytes = b"") -> bytes:
    """Return what no other bytes are likely to have: BLAKE2b (RFC 7693), 16 bytes of it.

    Args:
        data: the bytes.
        salt: at most 16 bytes that make the digest one that nobody has worked out before.
    """
    try:
        from _blake2 import blake2b  # what hashlib gives, without OpenSSL, which takes 3 ms to load
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=16, salt=salt).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return str(value) if isinstance(value, str) else value
