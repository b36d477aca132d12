"""Masking secrets in what is shown of a log, without keeping the secrets.

The meta of a run has, for each line of each secret, its length and a salted hash: enough to find it
again in text that holds it, and of no use otherwise, so long as the secret cannot be guessed.
"""

from __future__ import annotations

import os

from bgrun import packing
from bgrun.lean import NamedTuple, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MASK = "***"
_SALT_BYTES = 8


class Mark(NamedTuple):
    """How to recognise one line of a secret: its variable, its length in bytes, salt and hash."""

    name: str
    length: int
    salt: bytes
    digest: bytes


def marks(secrets: Iterable[tuple[str, str]]) -> str:
    """Return the marks of these variables as one word of a meta each: `NAME:LENGTH:SALT:HASH`."""
    lines = ((name, line.encode("utf-8", "surrogateescape")) for name, value in secrets for line in value.splitlines())
    return " ".join(_mark(name, line) for name, line in lines if line.strip())


def _mark(name: str, line: bytes) -> str:
    salt = os.urandom(_SALT_BYTES)
    return f"{name}:{len(line)}:{salt.hex()}:{_digest(salt, line).hex()}"


def _digest(salt: bytes, data: bytes) -> bytes:
    return packing.digest(data, salt)


def parse(text: str) -> tuple[Mark, ...]:
    """Return the marks in a meta, the longest first; what is no mark is passed over."""
    found = []
    for word in text.split():
        with suppress(ValueError):
            name, length, salt, digest = word.split(":")
            found.append(Mark(name, max(1, int(length)), bytes.fromhex(salt)[:_SALT_BYTES], bytes.fromhex(digest)))
    return tuple(sorted(found, key=lambda mark: -mark.length))


def names(text: str) -> tuple[str, ...]:
    """Return the names of the variables that have marks in a meta."""
    return tuple(dict.fromkeys(mark.name for mark in parse(text)))


def mask(line: bytes, known: Sequence[Mark]) -> bytes:
    """Return a line of a log with each secret in it replaced by `***`."""
    for mark in known:
        line = _mask_one(line, mark)
    return line


def _mask_one(line: bytes, mark: Mark) -> bytes:
    at = 0
    while at + mark.length <= len(line):
        if _digest(mark.salt, line[at : at + mark.length]) == mark.digest:
            line = line[:at] + MASK.encode() + line[at + mark.length :]
            at += len(MASK)
        else:
            at += 1
    return line


class Stream:
    """Masks text that comes in pieces: a secret cut in two by the pieces is found all the same."""

    def __init__(self, known: Sequence[Mark]) -> None:
        self._known = known
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be shown by now: whole lines where there are secrets, else all of it."""
        if not self._known:
            return data
        whole, feed, self._rest = (self._rest + data).rpartition(b"\n")
        return b"\n".join(mask(line, self._known) for line in whole.split(b"\n")) + feed if feed else b""

    def end(self) -> bytes:
        """Return the last line, which no line feed closed."""
        return mask(self._rest, self._known)
