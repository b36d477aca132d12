"""Parsers made from problem matchers: the built-in ones of `matchers.json`."""

from __future__ import annotations

from bgrun.parsers import bounded_regex, problem_matchers
from bgrun.parsers.shape import LIKELY, WRAPPER, Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LIMIT_S = 3.0


class Matched(Parser):
    """A parser of one matcher; a line that it needs has one of the matcher's `stems`."""

    def __init__(self, tool: str, document: dict[str, Any]) -> None:
        super().__init__()
        (matcher,) = problem_matchers.parse([document])
        self._state = problem_matchers.State(matcher)
        self._clock = bounded_regex.Clock(_LIMIT_S)
        self._certainty = WRAPPER if document["owner"] == "make" else LIKELY
        self.name = tool
        self.stems = tuple(document["stems"])
        self.context = len(matcher.steps) - 1

    def feed(self, line: str) -> bool:
        """Read a line; return whether the next one may continue a match."""
        if problem := self._state.feed(line, self._clock):
            self.report(problem, self._certainty)
        return self._state.is_inside
