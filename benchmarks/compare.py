"""bgrun beside its peers, on this machine, in one run: what it costs, how that grows, which targets are met.

What is compared is measured in turns; tables give medians, and their ratio to `python -c pass` of the same
interpreter. Everything happens in a temporary folder. What is not installed is named with its Debian package.

Usage: python benchmarks/compare.py [--rounds N] [--only PART]… [--histories 1,1000,10000] [--times N] [--check]

What was measured before is removed only at the very end. A file system may take longer to make new files for
minutes after many were removed (ext4 without a journal: six), so let that time pass before the next measurement.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
import time
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import batches
import commands
import firstlook
import latency
import logsize
import memory
import peers
import size
import targets
import wakeups
from workbench import MeasuringError, Options, Workbench, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from targets import Verdict
    from workbench import Figure

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Part(NamedTuple):
    """A table: what it tells, what its ratios are to, and who measures it."""

    title: str
    ratio_to: str
    measure: Callable[[Workbench, Options], list[Figure]]


PARTS = {
    "commands": Part("Starts and looks", "x python -c pass", commands.measure),
    "batches": Part("Batches with slots", "x python -c pass", batches.measure),
    "plans": Part("Many jobs in one start", "x python -c pass", batches.measure_plans),
    "memory": Part("Memory beside the jobs (PSS)", "", memory.measure),
    "wakeups": Part("Wake-ups while a job sleeps", "", wakeups.measure),
    "log": Part("A long log", "x the same with >", logsize.measure),
    "look": Part("The first look at a long log", "", firstlook.measure),
    "size": Part("What grows with size", "x python -c pass", size.measure),
    "follow": Part("From a line's writing to its showing", "", latency.measure),
}


def machine() -> str:
    """Return the facts that figures are worth nothing without."""
    system = f"{platform.system()} {platform.release()} ({platform.machine()}), {os.cpu_count()} cores"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = f"load average {os.getloadavg()[0]:.2f}"
    return f"{system}, {python}, {datetime.now().astimezone():%Y-%m-%d %H:%M %z}, {load}"


def table(part: Part, found: Sequence[Figure]) -> list[str]:
    """Return the lines of a part's table."""
    lines = [f"{part.title:58}{'median' if part.ratio_to else '':>13}  {part.ratio_to}".rstrip()]
    for one in found:
        ratio = f"{one.ratio:8.2f}" if one.ratio is not None else ""
        note = f"  ({one.note})" if one.note else ""
        lines.append(
            f"{one.what:58}{one.value:9.{3 if one.unit == 's of CPU' else 1}f} {one.unit:4}{ratio}{note}".rstrip()
        )
    return lines


def verdicts(times: Sequence[Sequence[Verdict]]) -> list[str]:
    """Return the lines of the table of targets, with what was measured each time."""
    lines = [f"{'Targets':48}{'at most':>9}{'measured':>10}"]
    for judged in zip(*times, strict=True):
        target = judged[0].target
        measured = "".join(f"{'-' if one.measured is None else f'{one.measured:.2f}':>10}" for one in judged)
        most = f"{target.most:.2f}" if target.most < math.inf else ""
        lines.append(f"{target.what:48}{most:>9}{measured}  {target.unit:20}{word(judged)}")
    return lines


def word(judged: Sequence[Verdict]) -> str:
    """Return what is said of a target that was measured several times: it is met if it was each time."""
    words = [one.word for one in judged]
    return next((one for one in ("NOT MET", "not measured") if one in words), words[0])


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds",
        type=int,
        default=15,
        help="how often each row is measured; what takes long, half or a fifth as often",
    )
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument(
        "--histories", type=_counts, default=(1, 1000, 10_000), help="runs in .logs for starts and looks"
    )
    parser.add_argument("--log-size", type=_size, default=1 << 30, help="how long the long log is, such as 64M")
    parser.add_argument("--asleep", type=float, default=20.0, help="seconds over which wake-ups are counted")
    parser.add_argument("--times", type=int, default=1, help="how often all of it is measured, one after the other")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target that was measured is not met")
    return parser.parse_args(words)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(count) for count in text.split(","))


def _size(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]] if text[-1:] in UNITS else int(text)


def measure(bench: Workbench, options: Options, names: Sequence[str]) -> dict[str, Figure]:
    """Measure these parts, print the table of each, and return all figures by what they are of."""
    found: dict[str, Figure] = {}
    for name in names:
        begun = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        figures = PARTS[name].measure(bench, options)
        bench.end_all()
        found |= {one.what: one for one in figures}
        print("\n".join(["", *table(PARTS[name], figures)]), flush=True)
        bench.tell(f"took {time.monotonic() - begun:.0f} s")
    return found


def main() -> int:
    """Measure and print."""
    asked = parse()
    options = Options(asked.rounds, asked.histories, asked.log_size, asked.asleep)
    names = [name for name in PARTS if name in (asked.only or PARTS)]
    judged, notes = [], set()
    with ExitStack() as stack:
        for _ in range(asked.times):
            print(machine(), flush=True)
            bench = stack.enter_context(opened())
            judged.append(targets.judge(measure(bench, options, names)))
            notes |= set(bench.notes)
            print("\n".join(["", *verdicts(judged[-1:]), ""]), flush=True)
        if asked.times > 1:
            print("\n".join([*verdicts(judged), ""]))
    for note in (*sorted(notes), *(f"missing: {name}" for name in peers.missing())):
        print(note)
    return int(asked.check and any(one.word == "NOT MET" for every in judged for one in every))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MeasuringError as failed:
        sys.exit(f"error: {failed}")
