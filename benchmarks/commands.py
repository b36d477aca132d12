"""What a start and a look cost, beside the floors and the peers, as the history grows."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import peers
import project
import timing
from timing import Row
from workbench import MeasuringError

if TYPE_CHECKING:
    from workbench import Figure, Options, Workbench

NAP_S = 0.2
BY_HAND = Path(__file__).with_name("by_hand.sh")


def measure(bench: Workbench, options: Options) -> list[Figure]:
    """Measure floors, peers and bgrun's commands in turns."""
    rows = [*floors(bench), *peer_starts(bench)]
    for count in options.histories:
        bench.tell(f"making two projects with {count:,} runs")
        rows += own(bench, count)
    return timing.measure(bench, rows, options.rounds)


def named(command: str, count: int) -> str:
    """Return what the row of a command among so many runs is called."""
    return f"bgrun {command}, {count:,} run{'s' if count != 1 else ''}"


def floors(bench: Workbench) -> list[Row]:
    """Return what no command of a Python program can be faster than, and what click alone costs."""
    return [
        Row("/bin/true", lambda: bench.call([shutil.which("true") or "true"])),
        timing.floor(bench),
        Row("python -c 'import click'", lambda: bench.call([sys.executable, "-c", "import click"])),
    ]


def peer_starts(bench: Workbench) -> list[Row]:
    """Return the starts of the peers, each of a command that still runs when the start has returned."""
    folder = project.make(bench, "by_hand", "jobs: {}\n")
    nap = f"sleep {NAP_S}"
    script = [str(BY_HAND), "nap", nap]

    def rest() -> None:
        time.sleep(NAP_S + 0.1)

    rows = {
        "setsid": [
            Row("setsid nohup, a bash script by hand", lambda: bench.call(["bash", *script], folder), rest),
            Row("the same through a login shell", lambda: bench.call(["bash", "-l", *script], folder), rest),
        ],
        "tsp": [Row("tsp", lambda: bench.call(["tsp", *nap.split()]), lambda: bench.call(["tsp", "-w"]))],
        "nq": [Row("nq", lambda: bench.call(["nq", "-q", *nap.split()]), lambda: bench.call(["nq", "-w"]))],
    }
    return [row for program, found in rows.items() if peers.here(program) for row in found]


def own(bench: Workbench, count: int) -> list[Row]:
    """Return bgrun's commands among so many runs.

    Starts have a project of their own: looks are measured among exactly so many runs, in a folder that is
    as it was. The look at a running job is in the other one, which each start has just changed.
    """
    looks = project.make_with_history(bench, f"looks_{count}", count)
    starts = project.make_with_history(bench, f"starts_{count}", count)

    def row(command: str, words: list[str], folder: Path) -> Row:
        return Row(named(command, count), lambda: bench.call([bench.bgrun, *words], folder), ours=True)

    bench.call([bench.bgrun, "start", "rest"], starts)
    start = row("start", ["start", "nap"], starts)
    return [
        start._replace(settle=lambda: see_it_run(bench, starts)),
        row("start --wait", ["start", "quick", "--wait"], starts),
        row("status", ["status", "quick"], looks),
        row("status of a running job", ["status", "rest"], starts),
        row("run", ["run", "adhoc", "-q", "--", "true"], starts),
        row("list", ["list"], looks),
    ]


def see_it_run(bench: Workbench, folder: Path) -> None:
    """Wait for the newest nap's end; it has to run still, or something else than a start was measured.

    Raises:
        MeasuringError: it does not run.
    """
    told = bench.read([bench.bgrun, "status", "nap"], folder)
    if not told.startswith("RUNNING "):
        raise MeasuringError(f"the job does not run when its start has returned: {told}")
    bench.call([bench.bgrun, "wait", "nap", "-q"], folder)
