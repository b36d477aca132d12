"""Times as bgrun writes them: ISO 8601 with offset, to the millisecond."""

from __future__ import annotations

import time


def iso(epoch: float) -> str:
    """Return seconds since the epoch as local time with offset: `2026-11-23T23:31:16.042+01:00`."""
    millis = round(epoch * 1000)
    local = time.localtime(millis // 1000)
    offset = local.tm_gmtoff // 60
    sign, offset = ("-", -offset) if offset < 0 else ("+", offset)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", local)
    return f"{text}.{millis % 1000:03d}{sign}{offset // 60:02d}:{offset % 60:02d}"


def epoch(text: str) -> float | None:
    """Return the seconds since the epoch of a time that `iso` wrote; None where it is not one."""
    try:
        from _datetime import datetime  # the compiled half of datetime, which does without the other: 0.2 ms, not 1.5
    except ImportError:
        from datetime import datetime
    try:
        return float(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        return None
