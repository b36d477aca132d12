"""Times as bgrun writes them: ISO 8601 with offset, to the millisecond."""

from __future__ import annotations

import time


def steady_clock() -> float:
    """Return seconds of the clock that runs through suspend and that nobody can set."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(kind)


def iso(epoch: float) -> str:
    """Return seconds since the epoch as local time with offset: `2026-11-23T23:31:16.042+01:00`."""
    millis = round(epoch * 1000)
    local = time.localtime(millis // 1000)
    offset = local.tm_gmtoff // 60
    sign, offset = ("-", -offset) if offset < 0 else ("+", offset)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", local)
    return f"{text}.{millis % 1000:03d}{sign}{offset // 60:02d}:{offset % 60:02d}"


def epoch(text: str) -> float | None:
    """Return the seconds since the epoch of an ISO 8601 time, or None if `text` is not one."""
    try:
        from _datetime import datetime  # type: ignore[import-not-found]  # loads in a fifth of the time of `datetime`
    except ImportError:
        from datetime import datetime
    try:
        return float(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        return None


def of_stamp(stamp: str) -> float | None:
    """Return the seconds since the epoch of a run ID's stamp (`20261123_233116`, local time), or None if invalid."""
    date, _, of_day = stamp.partition("_")
    parts = (date[:4], date[4:6], date[6:], of_day[:2], of_day[2:4], of_day[4:])
    try:
        year, month, day, hour, minute, second = map(int, parts)
        return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
    except (ValueError, OverflowError):
        return None


def local(text: str) -> str:
    """Return an ISO 8601 time as local time: `2026-11-23 23:31:16`; any other text unchanged."""
    at = epoch(text)
    return text if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
