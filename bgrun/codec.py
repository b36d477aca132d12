"""Values to bytes and back, for bgrun's own processes and files, and the one hash; imports nothing heavy."""

from __future__ import annotations

import _imp
import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Kind = TypeVar("Kind", bound=tuple[Any, ...])


def pack(value: Any) -> bytes:
    """Return a value of tuples, lists, mappings and scalars as bytes; named tuples come back as plain ones."""
    return pack_plain(_plain(value))


def pack_plain(value: Any) -> bytes:
    """Return the same of a value that has nothing but plain tuples, lists, mappings and scalars; it may be large."""
    return marshal.dumps(value)


def unpack(data: bytes) -> Any:
    """Return the value that `pack` was given.

    Only for bytes that bgrun wrote itself: `marshal` is not safe for anything else.

    Raises:
        ValueError: the bytes hold no such value.
    """
    try:
        return marshal.loads(data)  # noqa: S302 - see above
    except (EOFError, TypeError) as error:
        raise ValueError(str(error)) from error


_NESTED: dict[Any, dict[int, Any]] = {}
"""For each class of named tuples that hold others: the place of each such field, and its class."""


def nest(kind: Any, **fields: Any) -> None:
    """Declare the fields of a class of named tuples that hold others, for `restore`.

    Each field is given its class, or a list of it if it holds a tuple of them. It may also hold None.
    """
    _NESTED[kind] = {kind._fields.index(name): inner for name, inner in fields.items()}


def restore(kind: type[Kind], raw: Any) -> Kind:
    """Return the named tuple that was packed, with those in it, from the plain tuples that `unpack` returned.

    Raises:
        TypeError: these are not the fields of the class.
    """
    made = kind(*raw)
    if not (nested := _NESTED.get(kind)):
        return made
    parts = list(made)
    for place, inner in nested.items():
        if found := parts[place]:
            many = isinstance(inner, list)
            parts[place] = tuple(restore(inner[0], one) for one in found) if many else restore(inner, found)
    return kind(*parts)


def digest(data: bytes, salt: bytes = b"") -> bytes:
    """Return the BLAKE2b hash (RFC 7693) of some bytes; it is 16 bytes long.

    Args:
        data: the bytes.
        salt: at most 16 bytes, against digests that were computed in advance.
    """
    try:
        from _blake2 import blake2b  # what hashlib offers, without OpenSSL, which takes 3 ms to load
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=16, salt=salt).digest()


def mark(data: bytes | memoryview) -> str:
    """Return what tells these bytes from others that were not made to resemble them: 64 bits of SipHash, twice.

    Python marks its own bytecode so (PEP 552). Unlike `digest` this loads no library, which takes a third of a
    millisecond.
    """
    return "".join(_imp.source_hash(key, data).hex() for key in (1, 2))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return str(value) if isinstance(value, str) else value
