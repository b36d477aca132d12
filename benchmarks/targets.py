"""What issues 6 and 18 ask of bgrun, and whether the figures of this run meet it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import commands
import firstlook
import latency
import logsize
import memory
import peers
import size
import wakeups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench import Figure

    Figures = Mapping[str, Figure]

MANY = 10_000


class Target(NamedTuple):
    """At most so much of what `of` takes from the figures; it raises KeyError where that was not measured.

    most: infinity for what is reported only.
    """

    what: str
    most: float
    unit: str
    of: Callable[[Figures], float]


class Verdict(NamedTuple):
    """A target with what was measured: None where nothing was."""

    target: Target
    measured: float | None

    @property
    def word(self) -> str:
        """Return what is printed."""
        if self.measured is None:
            return "not measured"
        if self.target.most == math.inf:
            return "reported"
        return "met" if self.measured <= self.target.most else "NOT MET"


def _ratio(what: str) -> Callable[[Figures], float]:
    return lambda found: found[what].ratio or 0.0


def _value(what: str) -> Callable[[Figures], float]:
    return lambda found: found[what].value


def _per_second(what: str) -> Callable[[Figures], float]:
    return lambda found: found[what].value / 60


def _beside(what: str, other: str) -> Callable[[Figures], float]:
    return lambda found: found[what].value / found[other].value


def _growth(command: str) -> Callable[[Figures], float]:
    few, many = commands.named(command, 1), commands.named(command, MANY)
    return lambda found: found[many].value / found[few].value


_BATCH = "200 x true at 8: "
_START = commands.named("start", 1)
TARGETS = (
    Target("start: returned, job running", 1.9, "x python -c pass", _ratio(_START)),
    Target("start: faster than the 40 ms of a bash script", 40.0, "ms", _value(_START)),
    Target(
        "start until the verdict of `true` is known", 2.5, "x python -c pass", _ratio(commands.named("start --wait", 1))
    ),
    Target("status", 1.3, "x python -c pass", _ratio(commands.named("status", 1))),
    Target("status with 10,000 runs", 1.2, "x status with one", _growth("status")),
    Target("list with 10,000 runs", 1.45, "x python -c pass", _ratio(commands.named("list", MANY))),
    Target("supervisor of one job", 6.0, "MiB PSS", _value(memory.ONE)),
    Target("100 single starts, each supervisor", 3.5, "MiB PSS", _value(memory.SINGLE)),
    Target("a plan of 100, in all", 12.0, "MiB PSS", _value(memory.PLAN)),
    Target("supervisor asleep, default settings", 0.0, "wake-ups a minute", _value(wakeups.DEFAULT)),
    Target("supervisor asleep, with a deadline", 1.0, "wake-ups a second", _per_second(wakeups.DEADLINE)),
    Target("supervisor asleep, with a log bound", 1.0, "wake-ups a second", _per_second(wakeups.LOG_BOUND)),
    Target("supervisor asleep, with progress", 1.0, "wake-ups a second", _per_second(wakeups.PROGRESS)),
    Target("a long log", 1.05, "x the same with >", _ratio(logsize.OWN)),
    Target("first look at a log of 100 MB of plain lines", 4.0, "s of CPU", _value(firstlook.FIRST)),
    Target("first look at a log of 100 MB: its memory", 76.0, "MiB RSS", _value(firstlook.MEMORY)),
    Target("follow: a line is shown, median", 2.0, "ms", _value(latency.OWN)),
    Target("follow a line of 300 MB", 3.0, "s of CPU", _value(size.LINE)),
    Target("follow a line of 300 MB: its memory", 60.0, "MiB RSS", _value(size.LINE_MEMORY)),
    Target("follow 1,000 lines a second", 10.0, "% of a core", _value(size.STREAM)),
    Target(
        "200 x true at 8", 0.85, "x GNU parallel", _beside(f"{_BATCH}bgrun group --wait", f"{_BATCH}GNU parallel -j")
    ),
    Target("200 x true at 8", math.inf, "x tsp", _beside(f"{_BATCH}bgrun group --wait", f"{_BATCH}{peers.TSP}")),
    *(
        Target(size.look(words, cold=True), 3.0, "s of CPU", _value(size.look(words, cold=True)))
        for words in size.LOOKS
    ),
    *(Target(size.look(words), 0.5, "s of CPU", _value(size.look(words))) for words in size.LOOKS),
    Target(size.FIRST, 1.2, "s of CPU", _value(size.FIRST)),
    Target(size.AGAIN, 0.5, "s of CPU", _value(size.AGAIN)),
    Target(size.PLAN, 25.0, "MiB PSS", _value(size.PLAN)),
    Target(size.PLAN_ASLEEP, 0.0, "wake-ups a minute", _value(size.PLAN_ASLEEP)),
    *(
        Target(size.after(words), most, "x python -c pass", _ratio(size.after(words)))
        for words, most in zip(size.AFTER, (1.9, 1.3, 1.3, 1.45, 1.45), strict=True)
    ),
)


def judge(found: Figures) -> list[Verdict]:
    """Return each target with what was measured; pure."""
    return [Verdict(target, _measured(target, found)) for target in TARGETS]


def _measured(target: Target, found: Figures) -> float | None:
    try:
        return target.of(found)
    except KeyError:
        return None
