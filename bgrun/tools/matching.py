"""Regular expressions from users over text from anywhere: bounded in time, in either dialect of named groups.

The `regex` package is asked because it has a clock inside; the standard library would hang where a
pattern backtracks without end. It takes `(?<name>…)` as JavaScript writes it, and `(?P<name>…)`.
"""

from __future__ import annotations

import time

from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import regex

    Pattern = regex.Pattern[str]
    Match = regex.Match[str]

LONGEST_LINE = 4096
"""How many characters of a line are looked at."""


def compiled(pattern: str, what: str = "regular expression") -> Pattern:
    """Return a pattern ready for use.

    Raises:
        UsageError: it is no regular expression; the message says where.
    """
    import regex

    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise UsageError(f"{pattern!r} is no {what}: {error}") from error


class Clock:
    """Searches, and finds nothing more once `seconds` of searching are used up."""

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    @property
    def is_up(self) -> bool:
        """Whether the time is used up: then text was left unread."""
        return self.left_s <= 0

    def search(self, pattern: Pattern, text: str) -> Match | None:
        """Return where a pattern is found in a line, or None."""
        if self.is_up:
            return None
        begun = time.monotonic()
        try:
            return pattern.search(text[:LONGEST_LINE], timeout=self.left_s)
        except TimeoutError:
            self.left_s = 0.0
            return None
        finally:
            self.left_s -= time.monotonic() - begun
