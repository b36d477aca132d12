"""Recognize the progress of a run in the lines that it printed."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.parsers import bounded_regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SEARCH_S = 0.2

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "pytest": (r"\[ *(?<percent>\d{1,3})%\]\s*$", r"\[ *(?<done>\d+)/(?<total>\d+)\]\s*$"),
    "ninja": (r"^\[(?<done>\d+)/(?<total>\d+)\]", r"^\[ *(?<percent>\d{1,3})%\]"),
    "cargo": (r"^\s*Building \[[=> ]*\] (?<done>\d+)/(?<total>\d+)", r"^\[(?<done>\d+)/(?<total>\d+)\]"),
    "tqdm": (r"\d{1,3}%\|[^|]*\| *(?<done>\d+)/(?<total>\d+) ", r"(?<percent>\d{1,3})%\|"),
}
"""The regular expressions for tools that report progress, by name."""


class Progress(NamedTuple):
    """A fraction between 0 and 1; `done` and `total` are None if only the fraction is known."""

    fraction: float
    done: int | None = None
    total: int | None = None


def known_in(cmd: str) -> list[str]:
    """Return the names of the built-in expressions for the tools in a command."""
    if not any(name in cmd for name in BUILT_IN):
        return []
    import re

    words = re.findall(r"[\w-]+", cmd)
    return [name for name in BUILT_IN if name in words]


def patterns(wanted: Iterable[str]) -> list[bounded_regex.Pattern]:
    """Return the patterns for names of built-in expressions, or for expressions.

    Raises:
        UsageError: a value is neither.
    """
    texts = [text for one in wanted for text in BUILT_IN.get(one, (one,))]
    return [bounded_regex.compiled(text, f"built-in ({', '.join(BUILT_IN)}) or regular expression") for text in texts]


def newest(lines: Iterable[str], wanted: Sequence[bounded_regex.Pattern]) -> Progress | None:
    """Return the progress in the first of these lines that shows any; the newest line comes first."""
    clock = bounded_regex.Clock(_SEARCH_S)
    for line in lines:
        for pattern in wanted:
            found = clock.search(pattern, line)
            if found and (known := _progress(found)):
                return known
    return None


def _progress(found: bounded_regex.Match) -> Progress | None:
    """Return the progress in a match: from named groups, else one group is a percentage, two are n of m."""
    named = found.groupdict()
    plain = [text for text in found.groups() if text is not None]
    if "percent" in named:
        return _percent(named["percent"])
    done, total = named.get("done"), named.get("total")
    if (done is None or total is None) and len(plain) >= 2:
        done, total = plain[:2]
    if done is not None and total is not None:
        return _of(done, total)
    return _percent(plain[0]) if plain else None


def _percent(text: str) -> Progress | None:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        return None
    return Progress(value / 100) if 0 <= value <= 100 else None


def _of(done: str, total: str) -> Progress | None:
    if not (done.isdecimal() and total.isdecimal() and len(total) < 19) or int(total) < max(int(done), 1):
        return None
    return Progress(int(done) / int(total), int(done), int(total))
