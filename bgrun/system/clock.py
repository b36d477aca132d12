"""Times as bgrun writes them: ISO 8601 with offset, to the millisecond."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


def steady_clock() -> float:
    """Return seconds that go on while the machine sleeps and that setting the clock does not move."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(kind)


_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def iso(epoch: float) -> str:
    """Return seconds since the epoch as local time with offset: `2026-11-23T23:31:16.042+01:00`."""
    millis = round(epoch * 1000)
    local = time.localtime(millis // 1000)
    offset = local.tm_gmtoff // 60
    sign, offset = ("-", -offset) if offset < 0 else ("+", offset)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", local)
    return f"{text}.{millis % 1000:03d}{sign}{offset // 60:02d}:{offset % 60:02d}"


def epoch(text: str) -> float | None:
    """Return the seconds since the epoch of a time in ISO 8601; None where it is not one."""
    if (own := _own_epoch(text)) is not None:
        return own
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _own_epoch(text: str) -> float | None:
    """Return the time in just the form that `iso` writes, or None: loading datetime takes a tenth of a look."""
    if len(text) != len("2026-11-23T23:31:16.042+01:00") or f"{text[4]}{text[7]}{text[10]}{text[19]}" != "--T.":
        return None
    try:
        year, month, day = map(int, text[:10].split("-"))
        hour, minute, second = map(int, text[11:19].split(":"))
        ahead_h, ahead_min = map(int, text[24:].split(":"))
        days = _DAYS_BEFORE[month - 1] + day - 1 + (1 if month > 2 and year % 4 == 0 else 0)
        millis = int(text[20:23])
    except (ValueError, IndexError):
        return None
    if not 1970 <= year < 2100:
        return None  # within these years each fourth has a leap day
    days += (year - 1970) * 365 + (year - 1969) // 4
    ahead = (ahead_h * 60 + ahead_min) * (-60 if text[23] == "-" else 60)
    return ((days * 24 + hour) * 60 + minute) * 60 + second - ahead + millis / 1000


def of_stamp(stamp: str) -> float:
    """Return the epoch seconds of the stamp in a run ID (`20261123_233116`), as local time; 0.0 where it is none."""
    date, _, of_day = stamp.partition("_")
    parts = (date[:4], date[4:6], date[6:], of_day[:2], of_day[2:4], of_day[4:])
    try:
        year, month, day, hour, minute, second = map(int, parts)
        return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def local(text: str) -> str:
    """Return a time in ISO 8601 as local time for a person: `2026-11-23 23:31:16`; what is none as it is."""
    at = epoch(text)
    return text if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
