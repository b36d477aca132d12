"""Match regular expressions from users within a time limit.

The `regex` package can limit the time of a match; with `re` a pattern that backtracks exponentially would hang.
It takes named groups as JavaScript writes them, `(?<name>…)`, and as Python does, `(?P<name>…)`.
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
"""How many characters of a line are searched."""
MOST_CHARACTERS = 10_000
MOST_REPEATED = 20_000
"""The limits on the length of a regular expression, and on its parts once each `{n}` is expanded."""
MATCH_S = 0.5
"""How many seconds the match of one value may take."""
_PARTS = r"(?s)\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\??|\)|\{([0-9]+)[0-9,]*\}|."


def expanded_size(pattern: str) -> int:
    """Return about how many parts a regular expression has once each `{n}` is expanded.

    The `regex` package stores it like that: `(a{1000}){1000}` would take all memory.
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
    """Return whether a regular expression matches the whole text.

    Raises:
        UsageError: it is invalid, or takes too long.
    """
    try:
        return compiled(pattern).fullmatch(text, timeout=MATCH_S) is not None
    except TimeoutError as error:
        message = f"{pattern!r} takes longer than {MATCH_S:g}s to match"
        raise UsageError(message, "avoid nested repetition, such as (a|aa)+") from error


def compiled(pattern: str, what: str = "regular expression") -> Pattern:
    """Compile a regular expression; `what` names it in an error.

    Raises:
        UsageError: it is invalid or too large; the message has the position.
    """
    import regex

    if len(pattern) > MOST_CHARACTERS or expanded_size(pattern) > MOST_REPEATED:
        raise UsageError(f"{what} {pattern[:60]!r} is too large", "use fewer repetitions")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError) as error:
        raise UsageError(f"invalid {what} {pattern!r}: {error}") from error


class Clock:
    """Limits the total time of many searches: after `seconds` nothing is found any more.

    It counts this thread's processor time: a busy machine finds as much as an idle one.
    """

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    @property
    def is_up(self) -> bool:
        """Whether the time is used up, so that text was not searched."""
        return self.left_s <= 0

    def search(self, pattern: Pattern, text: str) -> Match | None:
        """Return the first match of a pattern in a line, or None."""
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
