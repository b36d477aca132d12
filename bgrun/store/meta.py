r"""Pack and unpack the `.meta` file: one `key=value` line per fact, in a fixed order. Pure.

A line break in a value is written as `\n` (a backslash as `\\`), so that `grep` and `cut` see a value as one line.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\0": "\\0"}
_UNESCAPES = {"\\": "\\", "n": "\n", "r": "\r", "0": "\0"}

MOST = 16 << 20
"""The largest meta in bytes; `facts.check_size` refuses a run whose meta would be larger."""


def pack(facts: Mapping[str, str]) -> bytes:
    """Return the bytes of a `.meta` file; bytes of a value that are not UTF-8 are preserved."""
    if not is_plain("".join(facts.values())):
        facts = {key: escape(value) for key, value in facts.items()}
    return "".join([f"{key}={value}\n" for key, value in facts.items()]).encode("utf-8", "surrogateescape")


def unpack(data: bytes) -> dict[str, str]:
    """Return the facts of a `.meta` file; lines that are not `key=value` are ignored."""
    facts = unpack_raw(data)
    return {key: unescape(value) for key, value in facts.items()} if b"\\" in data else facts


def pick(data: bytes, keys: Iterable[str]) -> dict[str, str]:
    """Return some of the facts of a `.meta` file, as `unpack` does; a few take a third of the time of all."""
    if b"\\" in data:
        facts = unpack(data)
        return {key: facts[key] for key in keys if key in facts}
    text = "\n" + data.decode("utf-8", "surrogateescape")
    found = {}
    for key in keys:
        _, line, rest = text.rpartition(f"\n{key}=")  # the last one, should there be several
        if line:
            found[key] = rest.partition("\n")[0]
    return found


def unpack_raw(data: bytes) -> dict[str, str]:
    """Return the facts of a `.meta` file with escapes kept, for writers that do not escape values."""
    facts = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        key, equals, value = line.partition("=")
        if key and equals:
            facts[key] = value
    return facts


def is_plain(value: str) -> bool:
    """Return whether a value needs no escapes in a `.meta` file."""
    return value.isprintable() and "\\" not in value


def escape(value: str) -> str:
    """Return `value` as one line."""
    if is_plain(value):
        return value
    return "".join(_ESCAPES.get(character, character) for character in value)


def unescape(value: str) -> str:
    """Return the value that `escape` was given."""
    if "\\" not in value:
        return value
    characters = iter(value)
    return "".join(_unescape_one(next(characters, "")) if it == "\\" else it for it in characters)


def _unescape_one(letter: str) -> str:
    return _UNESCAPES.get(letter, "\\" + letter)
