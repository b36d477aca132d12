"""Start jobs whose fate is known, kill everything around them at random moments, and count the lies.

Usage: python benchmarks/soak.py [--runs N] [--seed S] [--workers W] [--only ACT] [--at PLACE]

Each act is judged by what the jobs themselves noted (see `soaking/ground.py`). Prints wrong verdicts, runs lost
though a witness lived, processes left over, half-written files, hooks and timeouts that were lost, too many at once,
digests of another run, secrets that were shown, and commands that broke or hung; each has to be 0, else the exit
code is 1. Each lie comes with the options that do its act again: all dice come from the seed, the moments at which
processes of a busy machine are hit do not. Only processes that the soak itself started are killed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from soaking import groups, labelled, promised, services, shown, singles
from soaking.ground import Ground, Trial

if TYPE_CHECKING:
    from collections.abc import Callable


class Act(NamedTuple):
    """What is done: how often among all acts, how many runs that makes about, and the doing itself."""

    share: int
    runs: int
    do: Callable[[Trial], None]


ACTS = {
    "nothing": Act(6, 1, singles.nothing),
    "kill supervisor": Act(8, 1, singles.kill_supervisor),
    "suspend supervisor": Act(6, 1, singles.suspend_supervisor),
    "kill follower": Act(4, 1, singles.kill_follower),
    "kill the command line": Act(10, 1, singles.kill_the_command_line),
    "kill leader": Act(8, 1, singles.kill_leader),
    "kill command": Act(6, 1, singles.kill_command),
    "kill supervisor and leader": Act(6, 1, singles.kill_supervisor_and_leader),
    "stop at any moment": Act(8, 1, singles.stop_at_any_moment),
    "stop": Act(8, 1, singles.one_or_two_stops),
    "stop now": Act(2, 1, singles.stop_now),
    "stop, kill supervisor": Act(4, 1, singles.stop_and_kill_supervisor),
    "stop what forks": Act(5, 1, singles.stop_what_forks),
    "stop what hides": Act(5, 1, singles.stop_what_hides),
    "promises": Act(1, 9, promised.alone),
    "promises, callers killed": Act(4, 9, promised.callers_killed),
    "promises, project renamed": Act(3, 9, promised.project_renamed),
    "promises, venv gone": Act(3, 9, promised.venv_gone),
    "group": Act(8, 7, groups.group),
    "line": Act(4, 5, groups.line),
    "services": Act(4, 5, services.plan),
    "wait for a label": Act(2, 3, labelled.waited_for),
    "stop a label": Act(3, 4, labelled.stopped),
    "stop a queue": Act(2, 3, labelled.queue_stopped),
    "runs of one second": Act(1, 7, labelled.of_one_second),
    "digests": Act(2, 4, shown.digests),
    "secrets": Act(2, 1, shown.secrets),
    "closed pipes": Act(2, 2, shown.closed_pipes),
}


def drawn(seed: int, runs: int, only: str, at: int | None) -> list[tuple[int, str]]:
    """Return the acts by their places, for about so many runs; pure but for the dice."""
    if at is not None:
        return [(at, only)]
    dice = random.Random(seed)  # noqa: S311 - dice, not keys
    names, shares = list(ACTS), [act.share for act in ACTS.values()]
    found: list[tuple[int, str]] = []
    while runs > 0:
        name = only or dice.choices(names, shares)[0]
        found.append((len(found), name))
        runs -= ACTS[name].runs
    return found


def play(ground: Ground, place: int, name: str) -> None:
    """Do one act; what fails in the doing itself is told as well."""
    trial = Trial(ground, name, place)
    try:
        ACTS[name].do(trial)
    except Exception:  # noqa: BLE001 - one act that fails must not end the others
        trial.lie("commands that broke or hung", traceback.format_exc(limit=-3))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--only", default="", choices=["", *ACTS], metavar="ACT", help=f"one act: {', '.join(ACTS)}")
    parser.add_argument("--at", type=int, help="with --only: the place of that act, as a lie tells it")
    asked = parser.parse_args()
    if asked.at is not None and not asked.only:
        parser.error("--at needs --only")
    return asked


def main() -> int:
    """Run the soak and print its table."""
    asked = _asked()
    began = time.monotonic()
    plan = drawn(asked.seed, asked.runs, asked.only, asked.at)
    with tempfile.TemporaryDirectory(prefix="bgrun-soak-", ignore_cleanup_errors=True) as folder:
        ground = Ground(Path(folder), asked.seed)
        with ThreadPoolExecutor(asked.workers) as pool:
            list(pool.map(lambda one: play(ground, *one), plan))
        ground.look_at_what_is_left()
        runs = sum(len(list(one.glob("[!.]*.meta"))) for one in ground.log_dirs())
    for what, count in sorted(ground.counts.items()):
        print(f"{count:6}  {what}")
    print(f"{runs} runs in {time.monotonic() - began:.0f} s, seed {asked.seed}")
    for kind, found in ground.lies.items():
        print(f"{kind}: {len(found)}")
        for one in found[:10]:
            print(f"    {one}")
    return 1 if any(ground.lies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
