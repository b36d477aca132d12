"""Define the marks that stand for values in a text, and what the lexer finds out about each."""

from __future__ import annotations

import re
from typing import NamedTuple

# Private-use characters, which are refused in templates.
OPEN, CLOSE = "\ue0f0", "\ue0f1"
PATTERN = re.compile(f"{OPEN}([0-9]+){CLOSE}")


class Placeholder(NamedTuple):
    """A place for a value.

    value: the number of the value.
    quote: `bare`, `'` or `"`.
    refusal: why no value is safe here, or ''.
    """

    start: int
    end: int
    value: int
    quote: str
    refusal: str


class Placeholders(NamedTuple):
    """All placeholders of a text in order, and whether its quotes and brackets are closed."""

    found: tuple[Placeholder, ...]
    closed: bool


def placeholder(value: int) -> str:
    """Return the placeholder of the value with this number."""
    return f"{OPEN}{value}{CLOSE}"
