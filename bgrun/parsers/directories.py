"""Follow the directory that tools run in, as make announces it."""

from __future__ import annotations

import re

from bgrun.parsers.shape import Parser

_MOVE = re.compile(r"^g?make(?:\[\d+\])?: (Entering|Leaving) directory [`'\"](.+?)['\"]$")


class Directories(Parser):
    """The directories that make entered: `base_at` returns the one at a position in the log, or ''."""

    starts = ("make", "gmake")

    def __init__(self) -> None:
        super().__init__()
        self._moves: list[tuple[int, str]] = []
        self._stack: list[str] = []

    def feed(self, line: str) -> bool:
        """Read a line in which make enters or leaves a directory."""
        if move := _MOVE.match(line):
            if move[1] == "Entering":
                self._stack.append(move[2])
            elif move[2] in self._stack:
                # With -j others may have entered theirs since.
                self._stack.reverse()
                self._stack.remove(move[2])
                self._stack.reverse()
            self._moves.append((self.at, self._stack[-1] if self._stack else ""))
        return False

    def base_at(self, at: int) -> str:
        """Return the directory at a position in the log, or ''."""
        return next((directory for moved, directory in reversed(self._moves) if moved <= at), "")
