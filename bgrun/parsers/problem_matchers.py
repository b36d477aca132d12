"""Find problems in the output of tools, with problem matchers as GitHub Actions defines them.

The format: https://github.com/actions/toolkit/blob/main/docs/problem-matchers.md. A matcher is a list of
patterns for successive lines; the last one may loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bgrun.errors import UsageError
from bgrun.parsers import bounded_regex
from bgrun.parsers.shape import MILD, Problem
from bgrun.wording import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_GROUPS = ("file", "line", "column", "severity", "code", "message")
_WHOLE_LINE = {"message": 0}


class Step(NamedTuple):
    """A pattern for one line, with the meaning of its groups."""

    pattern: bounded_regex.Pattern
    groups: Mapping[str, int]
    loop: bool


class Matcher(NamedTuple):
    """Patterns for successive lines; `severity` is the default for problems whose line has none."""

    owner: str
    steps: tuple[Step, ...]
    severity: str = "error"


def parse(documents: Iterable[Mapping[str, Any]]) -> list[Matcher]:
    """Parse the documents of matchers.

    Raises:
        UsageError: a document is malformed, or a regular expression is invalid.
    """
    return [_matcher(document) for document in documents]


def _matcher(document: Any) -> Matcher:
    try:
        owner, steps = str(document["owner"]), document["pattern"]
        steps = steps if isinstance(steps, list) else [steps]
        if not steps:
            raise ValueError("it has no pattern")
        parsed = tuple(_step(step) for step in steps)
        return Matcher(owner, parsed, str(document.get("severity", "error")))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"a problem matcher needs an `owner` and `pattern` with a `regexp` in each: {error}"
        raise UsageError(message, "see the problem matchers of GitHub Actions") from error


def _step(step: Mapping[str, Any]) -> Step:
    """Return a pattern; a group that its regular expression lacks counts as not named, as for GitHub's own matchers."""
    pattern = bounded_regex.compiled(step["regexp"])
    groups = _groups(step)
    known = {name: number for name, number in groups.items() if number <= pattern.groups}
    return Step(pattern, {**_WHOLE_LINE, **known} if "message" in groups else known, bool(step.get("loop")))


def _groups(step: Mapping[str, Any]) -> dict[str, int]:
    groups = {name: int(step[name]) for name in _GROUPS if step.get(name) is not None}
    if negative := next((name for name, number in groups.items() if number < 0), ""):
        raise ValueError(f"{negative} is group {groups[negative]}")
    return groups


def stray_groups(document: Mapping[str, Any]) -> list[str]:
    """Return the groups that a valid matcher names and its regular expressions do not have."""
    steps = document["pattern"]
    return [
        f"{name} is group {number}, and the regexp has {count}"
        for step in (steps if isinstance(steps, list) else [steps])
        for count in [bounded_regex.compiled(step["regexp"]).groups]
        for name, number in _groups(step).items()
        if number > count
    ]


def find(lines: Iterable[str], matchers: Sequence[Matcher], clock: bounded_regex.Clock) -> Iterator[Problem]:
    """Yield the problems in some lines, in order, until the time of the clock is used up."""
    states = [State(matcher) for matcher in matchers]
    for line in lines:
        if clock.is_up:
            return
        for state in states:
            if problem := state.feed(line, clock):
                yield problem


class State:
    """The progress of a matcher: the next pattern, and the values that earlier ones captured."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.at = 0
        self.caught: dict[str, str] = {}

    @property
    def is_inside(self) -> bool:
        """Whether the next line may continue what was matched."""
        return self.at > 0

    def feed(self, line: str, clock: bounded_regex.Clock) -> Problem | None:
        """Return the problem that a line completes, or None."""
        steps = self.matcher.steps
        found = clock.search(steps[self.at].pattern, line)
        if not found and self.at:
            self.at, self.caught = 0, {}
            found = clock.search(steps[0].pattern, line)
        if not found:
            return None
        step = steps[self.at]
        caught = {name: text for name, group in step.groups.items() if (text := found.group(group)) is not None}
        return self._advance(step, caught)

    def _advance(self, step: Step, caught: Mapping[str, str]) -> Problem | None:
        every = {**self.caught, **caught}
        if self.at + 1 < len(self.matcher.steps):
            self.at, self.caught = self.at + 1, every
            return None
        if not step.loop:
            self.at, self.caught = 0, {}
        return _problem(every, self.matcher.severity)


def _problem(caught: Mapping[str, str], severity: str) -> Problem:
    line = caught.get("line", "")
    number = int(line) if line.isdecimal() and len(line) < 10 else None
    level = caught.get("severity", severity).lower()
    message = short(caught.get("message", ""))
    known = level if level in MILD else "error"
    column = caught.get("column", "")
    at = (int(column) or None) if column.isdecimal() and len(column) < 10 else None
    return Problem(caught.get("file") or None, number, caught.get("code") or None, message, known, column=at)
