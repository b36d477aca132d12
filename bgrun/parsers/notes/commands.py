"""Note the commands that npm and tox print before they run them."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import Parser

_SCRIPT = expression(r"^> \S+@\S* \S+(?: \S+)?$")
_NPM = expression(r"^> (\S.*)$")
_TOX = expression(r"^(?:\S+(?: \S+)?: )?commands\[\d+\][>|] (\S.*)$")
_MOST = 50


class Commands(Parser):
    """The commands of a log that their runners named; `is_whole` is whether these are all that were named."""

    stems = ("commands[",)
    starts = ("> ",)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.is_whole = True
        self._is_script = False

    def feed(self, line: str) -> bool:
        """Read the line of a command, or of a script, which its command follows."""
        is_script, self._is_script = self._is_script, _SCRIPT.match(line) is not None
        if match := _TOX.match(line) or (is_script and _NPM.match(line)) or None:
            self.is_whole = len(self.found) < _MOST
            self.found += [match[1]] if self.is_whole else []
        return self._is_script
