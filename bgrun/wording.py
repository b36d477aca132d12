"""Word numbers, durations and lists of names for messages. Pure, and light: every command may import it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_NAMES = 5
"""How many names a message lists."""
LONGEST = 160
"""How many characters of another tool's message are shown."""
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun in the right form: `1 group`, `2 groups`, `3 processes`.

    `plural` is given only where it is irregular: neither `s` nor, after a hissing sound, `es` makes it.
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number} {plural or noun + ('es' if noun.endswith(('s', 'x', 'z', 'ch', 'sh')) else 's')}"


def span(seconds: float | None) -> str:
    """Return a measured duration, rounded: `0.4s`, `12s`, `3m07s`, `2h05m`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def limit(seconds: float) -> str:
    """Return a configured duration, exact, as a job file takes it: `0.5s`, `90s` as `1m30s`, `7d`."""
    parts = []
    left = seconds
    for unit, size in _UNITS:
        whole, left = divmod(left, size)
        parts += [f"{whole:.0f}{unit}"] if whole else []
    return "".join([*parts, f"{left:g}s"] if left or not parts else parts)


def names(every: Iterable[object], most: int = MOST_NAMES) -> str:
    """Return names as a list that stays short: all of them, or the first and how many more: `a, b, … (3 more)`."""
    known = [str(name) for name in every]
    if len(known) <= most:
        return ", ".join(known)
    return f"{', '.join(known[:most])}, … ({len(known) - most} more)"


def either(every: Sequence[str]) -> str:
    """Return names as alternatives: `'a', 'b' or 'c'`."""
    quoted = [repr(name) for name in every]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def short(text: str, most: int = LONGEST) -> str:
    """Return text as one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def clipped(text: str, most: int = LONGEST) -> str:
    """Return a line of at most so many characters, with its indentation and the spaces in it."""
    line = text.rstrip().expandtabs(8)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def tally(counts: Mapping[str, int]) -> str:
    """Return counts by outcome: `1 failed, 2 errors, 1 warning`."""
    return ", ".join(f"{number} {_singular(what) if number == 1 else what}" for what, number in counts.items())


def _singular(what: str) -> str:
    return what.removesuffix("s").replace("subtests ", "subtest ")
