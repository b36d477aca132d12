"""What issue 6 asks of bgrun, and whether the figures of this run meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import commands
import firstlook
import latency
import logsize
import memory
import wakeups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench import Figure

    Figures = Mapping[str, Figure]

MANY = 10_000


class Target(NamedTuple):
    """At most so much of what `of` takes from the figures; it raises KeyError where that was not measured."""

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
        return "met" if self.measured <= self.target.most else "NOT MET"


def _ratio(what: str) -> Callable[[Figures], float]:
    return lambda found: found[what].ratio or 0.0


def _value(what: str) -> Callable[[Figures], float]:
    return lambda found: found[what].value


def _per_second(what: str) -> Callable[[Figures], float]:
    return lambda found: found[what].value / 60


def _growth(command: str) -> Callable[[Figures], float]:
    few, many = commands.named(command, 1), commands.named(command, MANY)
    return lambda found: found[many].value / found[few].value


_START = commands.named("start", 1)
TARGETS = (
    Target("start: returned, job running", 2.0, "x python -c pass", _ratio(_START)),
    Target("start: faster than the 40 ms of a bash script", 40.0, "ms", _value(_START)),
    Target(
        "start until the verdict of `true` is known", 2.5, "x python -c pass", _ratio(commands.named("start --wait", 1))
    ),
    Target("status", 1.7, "x python -c pass", _ratio(commands.named("status", 1))),
    Target("status with 10,000 runs", 1.3, "x status with one", _growth("status")),
    Target("list with 10,000 runs", 2.5, "x python -c pass", _ratio(commands.named("list", MANY))),
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
    Target("follow: a line is shown, median", 50.0, "ms", _value(latency.OWN)),
)


def judge(found: Figures) -> list[Verdict]:
    """Return each target with what was measured; pure."""
    return [Verdict(target, _measured(target, found)) for target in TARGETS]


def _measured(target: Target, found: Figures) -> float | None:
    try:
        return target.of(found)
    except KeyError:
        return None
