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


MOST_CHARACTERS = 10_000
MOST_REPEATED = 20_000
"""How long a regular expression may be, and how many parts it may have once each `{n}` of it is written out."""
MATCH_S = 0.5
"""How long one value may be matched."""
_PARTS = r"(?s)\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\??|\)|\{([0-9]+)[0-9,]*\}|."


def written_out(pattern: str) -> int:
    """Return how many parts a regular expression has once each count of it is written out, about; pure.

    That is how the regex package stores it: for `(a{1000}){1000}` it takes all memory there is.
    """
    import re

    totals, last = [0], 0
    for found in re.finditer(_PARTS, pattern):
        part = found[0]
        if part.startswith("("):
            totals.append(0)
            last = 0
        elif part == ")" and len(totals) > 1:
            last = totals.pop()
            totals[-1] += last
        elif found[1]:
            more = last * (min(int(found[1][:9]), 10**9) - 1)
            totals[-1] += more
            last += more
        else:
            last = 1
            totals[-1] += 1
    return sum(totals)


def fits(pattern: str, text: str) -> bool:
    """Return whether a regular expression matches a whole text.

    Raises:
        UsageError: it is no regular expression, or takes too long.
    """
    try:
        return compiled(pattern).fullmatch(text, timeout=MATCH_S) is not None
    except TimeoutError as error:
        told = f"{pattern!r} takes longer than {MATCH_S:g} s to match"
        raise UsageError(told, "avoid repetition within repetition, such as (a|aa)+") from error


def compiled(pattern: str, what: str = "regular expression") -> Pattern:
    """Return a pattern ready for use.

    Raises:
        UsageError: it is no regular expression; the message says where.
    """
    import regex

    if len(pattern) > MOST_CHARACTERS or written_out(pattern) > MOST_REPEATED:
        raise UsageError(f"the {what} {pattern[:60]!r} is too large", "repeat less")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError) as error:
        raise UsageError(f"{pattern!r} is no {what}: {error}") from error


class Clock:
    """Searches, and finds nothing more once `seconds` of searching are used up.

    They are seconds of this thread's processor time: on a busy machine as much is found as on an idle one.
    """

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
        begun = time.thread_time()
        try:
            return pattern.search(text[:LONGEST_LINE], timeout=self.left_s)
        except TimeoutError:
            self.left_s = 0.0
            return None
        finally:
            self.left_s -= time.thread_time() - begun
