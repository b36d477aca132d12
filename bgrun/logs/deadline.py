"""The time by which a caller needs a summary."""

from __future__ import annotations

import time


class Deadline:
    """Limits how long a summary takes, for a caller with a timeout; it remembers whether something was left out.

    Args:
        until: the time of `time.monotonic`, or None without a limit.
    """

    def __init__(self, until: float | None = None) -> None:
        self._until = until
        self.was_missed = False

    @property
    def is_over(self) -> bool:
        """Whether no time is left. Nobody asks who does not leave something out then."""
        if self._until is None or time.monotonic() < self._until:
            return False
        self.was_missed = True
        return True

    def left_s(self, most: float, least: float) -> float:
        """Return how many seconds are left, within limits."""
        return most if self._until is None else max(least, min(most, self._until - time.monotonic()))


NEVER = Deadline()
"""No limit."""
