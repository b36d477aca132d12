"""What a completion consists of: single values, and paths that the shell or `paths` lists."""

from __future__ import annotations

from bgrun.light import NamedTuple


class Offer(NamedTuple):
    """A value that completes the whole word at the cursor. open: more of the word follows, so no space does."""

    value: str
    description: str = ""
    open: bool = False


class Paths(NamedTuple):
    """Paths complete the word. kind: `any`, `directory` or `yaml`. prefix: the part of the word before the path."""

    kind: str = "any"
    prefix: str = ""
