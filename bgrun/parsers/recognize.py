"""Recognize which tools printed a log, and what they found.

Every parser reads the log once; then their claims are settled.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from time import thread_time
from typing import NamedTuple

from bgrun.parsers import closing, registry
from bgrun.parsers.expression import expression
from bgrun.parsers.notes.commands import Commands
from bgrun.parsers.shape import LIKELY, SURE, WRAPPER, Found, Parser, counted
from bgrun.parsers.sifting.sieve import MOST_BYTES
from bgrun.parsers.streams import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from bgrun.parsers.shape import Findings, Problem

ANNOTATIONS = "annotations"
"""The tool whose problems others may have printed, too."""
_FIRST = ("failed", "errors", "passed")
ATTEMPT = expression(r"^--- bgrun: (attempt \d+ of \d+) in [\d.]+ s; the one before ended with exit code \d+ ---$")
"""The line that the job script prints between two attempts; its group is the number of the next one."""


class Recognized(NamedTuple):
    """What was recognized in a log: the findings that count, in its order.

    unclaimed: how many lines at the end of the log follow the output of all tools that were recognized.
    attempt: which attempt of a retried command it is of, as the log says, or ''.
    commands: the commands that npm or tox named, all of them or none.
    """

    calls: tuple[Findings, ...] = ()
    unclaimed: int = 0
    attempt: str = ""
    commands: tuple[str, ...] = ()

    @property
    def found(self) -> list[Found]:
        """Each problem once, in the order of the log."""
        every = ((one, number) for number, call in enumerate(self.calls) for one in call.found)
        return list(_once(sorted(every, key=lambda pair: pair[0].at)))

    @property
    def counts(self) -> Mapping[str, int]:
        """The totals of all calls of all tools, by outcome."""
        return merged(call.counts for call in self.calls)

    @property
    def tests(self) -> Mapping[str, int]:
        """The totals of test runners alone."""
        return merged(call.counts for call in self.calls if call.is_of_tests)

    @property
    def missing(self) -> int:
        """How many more problems the tools counted."""
        return sum(call.missing for call in self.calls)

    @property
    def dropped(self) -> int:
        """How many errors were recognized and not kept."""
        return sum(number for call in self.calls for what, number in call.dropped.items() if what != "warnings")

    @property
    def wrapped(self) -> bool:
        """Whether no error was found but that a wrapper's command failed."""
        serious = [call for call in self.calls if any(not one.problem.mild for one in call.found)]
        found = {call.certainty for call in serious or self.calls if call.found}
        return found == {WRAPPER}


class Recognizer:
    """Reads a log that comes in blocks; `used_s` is how many seconds of this thread's time that took.

    Args:
        show: turns the bytes of a line into clean text with secrets masked.
        names: the tools to look for; empty means all.
        retried: whether the log has several attempts, of which the last one counts.
        held: how many bytes of a line are held at most.
    """

    def __init__(
        self,
        show: Callable[[bytes], str],
        names: Collection[str] = (),
        *,
        retried: bool = False,
        held: int = MOST_BYTES,
    ) -> None:
        marks: list[Callable[[], Parser]] = [Commands, *([lambda: _Attempts(self._forget)] if retried else [])]
        self._stream = Stream(registry.makers(names), show, held, marks)
        self.used_s = 0.0
        self._attempt = ""

    def _forget(self, at: int, attempt: str) -> None:
        self._stream.restart(at)
        self._attempt = attempt

    def feed(self, block: bytes) -> None:
        """Read the next bytes of the log."""
        begun = thread_time()
        self._stream.sieve.feed(block)
        self.used_s += thread_time() - begun

    def jump(self) -> None:
        """Leave a part of the log out; the next bytes begin a line."""
        self._stream.jump()

    def claims(self) -> list[Findings]:
        """Return what each parser found, before it is settled, at the end of the log."""
        self._stream.sieve.end()
        return self._stream.claims()

    def result(self) -> Recognized:
        """Return what was recognized, at the end of the log."""
        claims = self.claims()
        calls = tuple(_decided(self._stream.settled(_outside)))
        end = max((call.end for call in _not_printed(claims, calls) if call.certainty > WRAPPER), default=None)
        rest = [] if end is None else self._stream.sieve.lines_after(end)
        return Recognized(
            calls, closing.unclaimed([self._stream.stripped(line) for line in rest]), self._attempt, self._commands
        )

    @property
    def _commands(self) -> tuple[str, ...]:
        noted = (one for one in self._stream.sieve.parsers if isinstance(one, Commands))
        return tuple(command for one in noted if one.is_whole for command in one.found)


class _Attempts(Parser):
    """The line that the job script prints between attempts."""

    stems = ("--- bgrun: attempt ",)

    def __init__(self, again: Callable[[int, str], None]) -> None:
        super().__init__()
        self._again = again

    def feed(self, line: str) -> bool:
        """Forget what came before such a line."""
        if match := ATTEMPT.match(line):
            self._again(self.at, match[1])
        return False


def merged(every: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of counts by outcome, failures first, without zeros."""
    sums: dict[str, int] = {}
    for counts in every:
        for what, number in counts.items():
            sums[what] = sums.get(what, 0) + number
    order = [*_FIRST, *(what for what in sums if what not in (*_FIRST, "warnings")), "warnings"]
    return {what: sums[what] for what in order if sums.get(what)}


def settle(calls: Sequence[Findings]) -> list[Findings]:
    """Return the findings that count, in the order of the log. Pure.

    A line within the output of a tool that is known from its heading to its total is that tool's. Another line that
    several tools claim belongs to the most certain one, else to the first. Uncertain findings, such as a traceback that
    was perhaps only logged, count if no surer ones follow; a wrapper's only if there are no others, or if it says where
    the output of its command begins and no other tool is known in it.
    """
    return _decided(list(_outside(calls)))


def _decided(calls: Sequence[Findings]) -> list[Findings]:
    """Settle what lies in no other tool's output."""
    kept = _claimed(calls)
    failed = [call for call in kept if call.certainty > WRAPPER and any(not one.problem.mild for one in call.found)]
    if failed:
        kept = [call for call in kept if call.certainty > WRAPPER or _is_apart(call, failed)]
    last = max((call.end for call in failed if call.certainty >= LIKELY), default=-1)
    kept = [call for call in kept if call.certainty >= LIKELY or call.certainty == WRAPPER or call.end > last]
    return sorted(_without_repeats(kept), key=lambda call: call.start)


def _without_repeats(calls: Sequence[Findings]) -> Iterator[Findings]:
    """Yield findings without annotations for a place that another tool reports: a plugin of it printed them."""
    places = {_place(one.problem) for call in calls if call.tool != ANNOTATIONS for one in call.found} - {None}
    for call in calls:
        left = [one for one in call.found if call.tool != ANNOTATIONS or _place(one.problem) not in places]
        if len(left) == len(call.found):
            yield call
        elif left:
            yield _without(call, left)


def _place(problem: Problem) -> tuple[str, int] | None:
    """Return the name of a problem's file and its line; tools name the directory in several ways."""
    return (problem.file.rpartition("/")[2], problem.line) if problem.file and problem.line else None


def _is_apart(call: Findings, failed: Iterable[Findings]) -> bool:
    """Return whether a wrapper says which lines are its command's, and no tool is known in them."""
    known = (one.at for other in failed if other.certainty >= LIKELY for one in other.found)
    return call.end > call.start and not any(call.start <= at <= call.end for at in known)


def _outside(calls: Sequence[Findings]) -> Iterator[Findings]:
    """Yield findings without what lies in the output of another tool."""
    owners = [call for call in calls if call.owns and call.certainty == SURE]
    for call in calls:
        around = [one for one in owners if one.tool != call.tool and one.start <= call.end and call.start <= one.end]
        # Of two that overlap the one that began first is the outer one.
        around = [one for one in around if not (call.owns and call.certainty == SURE) or one.start < call.start]
        left = [one for one in call.found if not any(owner.start <= one.at <= owner.end for owner in around)]
        if len(left) == len(call.found) and (left or not _is_within(call, around)):
            yield call
        elif left:
            yield _without(call, left)


def _not_printed(claims: Iterable[Findings], calls: Iterable[Findings]) -> Iterator[Findings]:
    """Yield claims, but for those that begin in the output of another tool, which may seem to go beyond it."""
    owners = sorted((call for call in calls if call.owns and call.certainty == SURE), key=lambda call: call.start)
    starts = [owner.start for owner in owners]
    for call in claims:
        place = bisect_right(starts, call.start) - 1
        if place < 0 or call.start > owners[place].end or owners[place].tool == call.tool:
            yield call


def _is_within(call: Findings, owners: Iterable[Findings]) -> bool:
    return any(owner.start <= call.start and call.end <= owner.end for owner in owners)


def _claimed(calls: Iterable[Findings]) -> list[Findings]:
    """Return findings of which no two claim the same line."""
    every = list(calls)
    best: dict[int, int] = {}
    for number in sorted(range(len(every)), key=lambda number: -every[number].certainty):
        for one in every[number].found:
            best.setdefault(one.at, number)
    kept = []
    for number, call in enumerate(every):
        left = [one for one in call.found if best[one.at] == number]
        if left or not call.found:
            kept.append(call if len(left) == len(call.found) else _without(call, left))
    return kept


def _without(call: Findings, left: Sequence[Found]) -> Findings:
    """Return findings with only some of the problems: the tool's own total no longer applies."""
    return call._replace(found=tuple(left), counts=counted(left, call.dropped), total=None)


def _once(every: Iterable[tuple[Found, int]]) -> Iterator[Found]:
    """Yield each test once, and each other finding of a line as often as the same call of a tool has it.

    Args:
        every: what was found, each with the number of its call.
    """
    seen = set()
    times: Counter[tuple[object, ...]] = Counter()
    for one, call in every:
        key: tuple[object, ...] = (one.base, one.problem.key)
        if not one.problem.test:
            key = (*key, one.problem.line)
            times[(call, *key)] += 1
            key = (*key, times[(call, *key)])
        if key not in seen:
            seen.add(key)
            yield one
