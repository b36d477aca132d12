"""Distinguish ruff from flake8, which both print `file:1:2: CODE message`.

Only ruff ends such lines with a total. Without one, its wording decides: it begins a message with a capital letter.
"""

from __future__ import annotations

from typing import NamedTuple

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import MOST_FOUND, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.parsers.shape import Problem

_RULE = r"([A-Z]{1,4}\d{2,5}|[a-z][a-z0-9]*(?:-[a-z0-9]+)*:|SyntaxError:)"
_FILE = r"^(\S[^:]*\.(?:pyi?|ipynb))"
_FORMS = (
    expression(rf"{_FILE}(?::cell \d+)?:(\d+):(\d+): {_RULE} (.*)$"),
    expression(rf"{_FILE}:(\d+):() (\[[A-Z]{{1,4}}\d{{2,5}}\]) (.*)$"),
)
_LEVELS = ("error:", "warning:", "note:", "help:", "info:")
_FIXABLE = expression(r"^\[[*-]\] ")
_SOURCE = expression(r"^(?:\s|\d+ +\||$)")
TOTAL_OF_RUFF = expression(r"^Found (\d+) errors?(?:\.| \(\d+ fixed, (\d+) remaining\)\.)$")


class Line(NamedTuple):
    """A finding that ruff or flake8 printed, and its position in the log."""

    file: str
    line: str
    column: str
    rule: str
    message: str
    by_ruff: bool
    at: int

    @property
    def problem(self) -> Problem:
        """What it is."""
        return finding(self.file, self.line, self.rule, self.message, column=self.column)


class Alike:
    """Collects such lines. ruff, flake8: those that are settled."""

    def __init__(self) -> None:
        self.ruff: list[Line] = []
        self.flake8: list[Line] = []
        self._open: list[Line] = []
        self._many: dict[bool, Line] = {}

    def feed(self, line: str, at: int) -> bool:
        """Read a line; return whether the next one decides, too."""
        if one := _read(line, at):
            # Of very many lines only their number matters: one stands for the others.
            self._open.append(self._many.setdefault(one.by_ruff, one) if len(self._open) >= MOST_FOUND else one)
        elif self._open and (match := TOTAL_OF_RUFF.match(line)):
            self._settle(int(match[2] or match[1]))
        elif self._open and not _SOURCE.match(line):
            self.end()
        return bool(self._open)

    def end(self) -> None:
        """Settle the lines that no total followed, by their wording."""
        for one in self._open:
            (self.ruff if one.by_ruff else self.flake8).append(one)
        self._open.clear()

    def _settle(self, total: int) -> None:
        first = max(0, len(self._open) - total)
        self.flake8 += self._open[:first]
        self.ruff += self._open[first:]
        self._open.clear()


def _read(line: str, at: int) -> Line | None:
    match = next(filter(None, (form.match(line) for form in _FORMS)), None)
    if not match or match[4] in _LEVELS:
        return None
    file, number, column, rule, text = match.groups()
    message = _FIXABLE.sub("", text)
    by_ruff = message != text or rule.endswith(":") or message[:1] == "`" or message[:1].isupper()
    return Line(
        file, number, column, rule.strip("[]:"), message, by_ruff and not message.startswith("SyntaxError:"), at
    )
