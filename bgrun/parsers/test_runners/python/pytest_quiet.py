"""Tell the totals of `pytest -q` from those that a test printed while `-s` showed all output. Pure.

A session without a heading shows a line of results before its report: with `[100%]` at the end, or, with `-s`, the
result of the last test as the very last character. A total that nothing of the kind precedes is a test's own if such a
session ends later in the same log: the last total is pytest's.
"""

from __future__ import annotations

import re

_RESULTS = re.compile(r"[.FEsxXR]+$")
_CAPTURED = "%]"
"""The end of a line with results of a session that shows no output."""
_MOST = 1000
"""How many totals may turn out to be a test's."""


class QuietSessions:
    """The sessions of a log that have no heading.

    before: the line before the current one.
    """

    def __init__(self) -> None:
        self.before = _CAPTURED  # no line at all: a total alone, as of `pytest -q | tail -1`
        self._ahead: str | None = None
        self._doubtful: list[int] = []

    def enter(self) -> None:
        """Note that the report of a session begins at the current line, unless it has begun."""
        if self._ahead is None:
            self._ahead = self.before

    def end(self, place: int, *, has_sections: bool) -> list[int]:
        """End a session, whose findings are the one at a place; return the places of those that a test printed.

        Args:
            place: how many findings there are before.
            has_sections: whether it shows the failed tests in full.
        """
        ahead, self._ahead = self._ahead or "", None
        results = _RESULTS.search(ahead)
        if results and (has_sections or results[0] == ahead):
            printed, self._doubtful = self._doubtful, []
            return printed
        if results or has_sections or ahead.endswith(_CAPTURED) or len(self._doubtful) == _MOST:
            self._doubtful.clear()
        else:
            self._doubtful.append(place)
        return []

    def forget(self) -> None:
        """Note a session with a heading, which needs none of this."""
        self._ahead = None
        self._doubtful.clear()
