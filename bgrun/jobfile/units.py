"""Parse durations and sizes. Pure."""

from __future__ import annotations

import re

from bgrun.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:([kKMGT])(i?))?B?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")


def duration(value: str | float) -> float:
    """Return the seconds in `30m`, `1h30m`, `500ms`, `7d`, or of a bare number.

    Raises:
        UsageError: it is not a duration.
    """
    text = str(value).strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    if text and re.fullmatch(f"(?:{_PART.pattern})+", text):
        return sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))
    raise UsageError(f"invalid duration {text!r}", "use a form such as 90s, 30m, 1h30m or 7d")


def size(value: str | int) -> int:
    """Return the bytes in `200MB`, `64MiB`, or of a bare number.

    Raises:
        UsageError: it is not a size.
    """
    found = _SIZE.fullmatch(str(value).strip())
    if not found:
        raise UsageError(f"invalid size {value!r}", "use a form such as 500MB or 1GiB")
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** _BYTES[(found[2] or "").lower()])
