"""Mask secrets in the output of a run without storing them.

For each line of each secret the meta of a run has its length and a salted hash: enough to recognize it in text, and
useless otherwise unless the secret can be guessed. Two salted bits of each of four of its bytes show where in a text it
cannot begin; without them every byte of a log would have to be hashed.

Masking works on clean text. Escape sequences and control characters are removed first, since they would hide a secret
from the search but not from a reader.
"""

from __future__ import annotations

import os

from bgrun import codec
from bgrun.light import NamedTuple, suppress
from bgrun.parsers import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Sequence

MASK = "***"
SHORTEST = 4
"""The fewest characters of a line that is masked: shorter ones occur everywhere in any text."""
LONGEST_LINE = 64 << 10
"""A longer line is masked in parts: at most this many bytes of it are held until it is complete."""
_SALT_BYTES = 8
_BITS = 2


class Mark(NamedTuple):
    """The mark of one line of a secret: its variable, its length in bytes, salt and hash.

    traits: the salted bits of four of its bytes; None in metas of older versions.
    """

    name: str
    length: int
    salt: bytes
    digest: bytes
    traits: int | None = None


def lines_of(value: str) -> list[str]:
    """Return the lines of a secret that can be masked, as clean text."""
    text = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\r", "\n")
    lines = (terminal.clean(line).strip() for line in text.split("\n"))
    return [line for line in lines if len(line) >= SHORTEST]


def marks(secrets: Iterable[tuple[str, str]]) -> str:
    """Return the marks of these variables as in a meta: `NAME:LENGTH:SALT:HASH:TRAITS`, separated by spaces."""
    salt = os.urandom(_SALT_BYTES)
    found = ((name, line.encode()) for name, value in secrets for line in lines_of(value))
    return " ".join(dict.fromkeys(_mark(name, line, salt) for name, line in found))


def _mark(name: str, line: bytes, salt: bytes) -> str:
    traits = 0
    for place in _places(len(line)):
        traits = traits << _BITS | _trait(salt, line[place])
    return f"{name}:{len(line)}:{salt.hex()}:{_digest(salt, line).hex()}:{traits:02x}"


def _places(length: int) -> tuple[int, int, int, int]:
    """Return the positions of the four bytes whose traits a mark has."""
    return 0, length // 3, 2 * length // 3, length - 1


def _digest(salt: bytes, data: bytes) -> bytes:
    return codec.digest(data, salt)


def _trait(salt: bytes, byte: int) -> int:
    return _digest(salt, bytes([byte]))[0] & ((1 << _BITS) - 1)


def parse(text: str) -> tuple[Mark, ...]:
    """Return the marks in a meta, the longest first; invalid ones are ignored."""
    found = []
    for word in text.split():
        with suppress(ValueError):
            name, length, salt, digest, *rest = word.split(":")
            size = max(1, int(length))
            traits = int(rest[0], 16) if rest and size >= SHORTEST else None
            found.append(Mark(name, size, bytes.fromhex(salt)[:_SALT_BYTES], bytes.fromhex(digest), traits))
    return tuple(sorted(found, key=lambda mark: -mark.length))


def names(text: str) -> tuple[str, ...]:
    """Return the names of the variables that have marks in a meta."""
    return tuple(dict.fromkeys(mark.name for mark in parse(text)))


# --- where secrets are ------------------------------------------------------------------------


class Span(NamedTuple):
    """A range of bytes to mask; ranges do not overlap."""

    start: int
    end: int


def spans(data: bytes, known: Sequence[Mark]) -> list[Span]:
    """Return the ranges of secrets in clean text, in order; overlapping ones are merged."""
    found = sorted(Span(at, at + mark.length) for mark in known for at in _found(data, mark))
    merged: list[Span] = []
    for one in found:
        if merged and one.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, one.end))
        else:
            merged.append(one)
    return merged


def _found(data: bytes, mark: Mark) -> Iterator[int]:
    last = len(data) - mark.length
    if last < 0:
        return
    before: bytes | None = None
    is_it = False
    for at in range(last + 1) if mark.traits is None else _candidates(data, mark):
        part = data[at : at + mark.length]
        if part != before:  # the same byte over and over is hashed once
            before, is_it = part, _digest(mark.salt, part) == mark.digest
        if is_it:
            yield at


def _candidates(data: bytes, mark: Mark) -> Iterator[int]:
    return (match.start() for match in _pattern(mark).finditer(data))


_PATTERNS: dict[Mark, re.Pattern[bytes]] = {}
_TRAITS: dict[bytes, list[int]] = {}


def _pattern(mark: Mark) -> re.Pattern[bytes]:
    """Return an expression that matches wherever the secret may begin."""
    if mark not in _PATTERNS:
        import re  # seldom needed, and slow to import

        traits = _TRAITS.setdefault(mark.salt, [_trait(mark.salt, byte) for byte in range(256)])
        places = _places(mark.length)
        parts = []
        for number, place in enumerate(places):
            wanted = (mark.traits or 0) >> _BITS * (len(places) - 1 - number) & ((1 << _BITS) - 1)
            members = b"".join(re.escape(bytes([byte])) for byte in range(256) if traits[byte] == wanted)
            gap = place - places[number - 1] - 1 if number else 0
            parts.append((b".{%d}" % gap if gap > 0 else b"") + (b"[%b]" % members if members else b"(?!)"))
        _PATTERNS[mark] = re.compile(parts[0] + b"(?=" + b"".join(parts[1:]) + b")", re.DOTALL)
    return _PATTERNS[mark]


# --- hiding them ------------------------------------------------------------------------------


def hide(text: str, known: Sequence[Mark], skip: int = 0, keep: int | None = None) -> str:
    """Return clean text with each secret in it replaced by `***`.

    Args:
        text: the text.
        known: the marks of the secrets.
        skip: how many bytes at its beginning are context that is not returned: a secret may begin in them.
        keep: the offset at which context after the text begins; None if there is none.
    """
    if not known:
        return text
    data = text.encode("utf-8", "surrogatepass")
    found = spans(data, known)
    if not found and not skip and keep is None:
        return text
    return _hidden(data, found, skip, keep).decode("utf-8", "replace")


def shown(line: str, known: Sequence[Mark]) -> str:
    """Return a line of a run's output as clean text with its secrets masked.

    Everything that is shown of a run goes through this function.
    """
    return hide(terminal.clean(line), known)


def mask(data: bytes, known: Sequence[Mark]) -> bytes:
    """Return lines of a log for those who want their bytes as they are.

    One that shows a secret once a terminal has dropped escape sequences, as any kind of terminal may do, is
    returned without these.
    """
    if not known:
        return data
    text = terminal.decode(data)
    if text.encode() == data and text.translate(_BLANKS).isprintable():
        return _hidden(data, spans(data, known))
    return b"\n".join(_masked(line, known) for line in data.split(b"\n"))


_BLANKS = {ord("\n"): None, ord("\t"): None}


def _masked(line: bytes, known: Sequence[Mark]) -> bytes:
    line = _hidden(line, spans(line, known))
    for reading in terminal.readings(terminal.decode(line)):
        data = reading.encode("utf-8", "surrogatepass")
        if found := spans(data, known):
            # There are no controls left in it: every terminal shows it alike.
            return _hidden(data, found)
    return line


def _hidden(data: bytes, found: Sequence[Span], skip: int = 0, keep: int | None = None) -> bytes:
    end = len(data) if keep is None else keep
    parts = []
    at = skip
    for span in found:
        if at < span.end and span.start < end:
            parts += [data[at : span.start], MASK.encode()]
            at = span.end
    return b"".join([*parts, data[at:end]])


# --- where a log was cut ----------------------------------------------------------------------
