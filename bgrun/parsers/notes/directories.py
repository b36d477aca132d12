"""Follow the directory that tools run in, as make, npm and pnpm announce it."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import Parser

_MOVE = expression(r"^g?make(?:\[\d+\])?: (Entering|Leaving) directory [`'\"](.+?)['\"]$")
_SCRIPT = expression(r"^> \S+@\S+ \S+(?: (/.*))?$")
_LOCATION = expression(r"^npm (?:error|ERR!) +(?:at )?location:? (/.*)$")


class Directories(Parser):
    """The directories that make entered: `base_at` returns the one at a position in the log, or ''.

    npm names the directory of a workspace only after its script failed, pnpm that of a package before.
    """

    starts = ("make", "gmake", "> ", "npm ")

    def __init__(self) -> None:
        super().__init__()
        self._moves: list[tuple[int, str]] = []
        self._stack: list[str] = []
        self._script_at = -1

    def feed(self, line: str) -> bool:
        """Read a line in which make enters or leaves a directory, or where a script begins or failed."""
        if move := _MOVE.match(line):
            if move[1] == "Entering":
                self._stack.append(move[2])
            elif move[2] in self._stack:
                # With -j others may have entered theirs since.
                self._stack.reverse()
                self._stack.remove(move[2])
                self._stack.reverse()
            self._moves.append((self.at, self._stack[-1] if self._stack else ""))
        elif script := _SCRIPT.match(line):
            self._script_at = self.at
            if script[1]:
                self._moves.append((self.at, script[1]))
        elif (location := _LOCATION.match(line)) and self._script_at >= 0:
            before = self.base_at(self._script_at)
            self._moves += [(self._script_at, location[1]), (self.at, before)]
            self._moves.sort(key=lambda move: move[0])
            self._script_at = -1
        return False

    def base_at(self, at: int) -> str:
        """Return the directory at a position in the log, or ''."""
        return next((directory for moved, directory in reversed(self._moves) if moved <= at), "")
