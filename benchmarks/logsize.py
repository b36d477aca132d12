"""What bgrun costs a command that writes a long log: its whole run beside the same command with `>`."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from functools import partial
from operator import truediv
from typing import TYPE_CHECKING

import project
from project import run_ids
from workbench import Figure, MeasuringError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench import Options, Workbench

OWN = "bgrun start --wait"
PLAIN = "bash -c, with > to a file"
LINE = "x" * 79


def command(size: int) -> str:
    """Return the bash that writes so many bytes in lines; `yes` ends by SIGPIPE, which pipefail must not see."""
    return f"(yes {LINE} || true) | head -c {size}"


def measure(bench: Workbench, options: Options) -> list[Figure]:
    """Measure pairs, each the other way round than the one before, twice as many: one differs by a tenth from another."""
    size = options.log_bytes
    if shutil.disk_usage(bench.folder).free < 3 * size:
        bench.notes.append(f"logs are not measured: the disk of {bench.folder} has less than {3 * size} bytes free")
        return []
    job_file = f"defaults: {{inhibit_sleep: false}}\njobs:\n  big: {{command: {command(size)!r}}}\n"
    folder = project.make(bench, "logsize", job_file)
    ways = {PLAIN: partial(plain, bench, folder, size), OWN: partial(own, bench, folder, size)}
    took: dict[str, list[float]] = {way: [] for way in ways}
    pairs = 2 * options.rounds
    for pair in range(pairs):
        for way in sorted(ways, reverse=bool(pair % 2)):
            took[way].append(timed(ways[way]))
        bench.tell(f"pair {pair + 1} of {pairs}")
    runs = [float(project.meta_of(folder / ".logs", run_id)["duration_s"]) for run_id in run_ids(folder / ".logs")]
    notes = {PLAIN: _note(size, took[PLAIN]), OWN: f"{_note(size, took[OWN])}; the run itself {_ms(runs)}"}
    # The disk and the host's memory make one pair twice as slow as another: what is compared is within a pair.
    return [
        Figure(
            way, statistics.median(times) * 1000, "ms", statistics.median(map(truediv, times, took[PLAIN])), notes[way]
        )
        for way, times in took.items()
    ]


def _note(size: int, times: list[float]) -> str:
    return f"{size / statistics.median(times) / 1e6:.0f} MB/s; {min(times) * 1000:.0f} to {max(times) * 1000:.0f} ms"


def _ms(times: list[float]) -> str:
    return f"{statistics.median(times) * 1000:.0f} ms"


def timed(act: Callable[[], Path]) -> float:
    """Return how long it took, and remove the file: the next one finds the disk as this one did."""
    os.sync()
    begun = time.perf_counter()
    written = act()
    seconds = time.perf_counter() - begun
    written.unlink()
    return seconds


def plain(bench: Workbench, folder: Path, size: int) -> Path:
    """Write the log through the shell that bgrun uses too."""
    path = folder / "plain.log"
    bench.call(["bash", "-c", 'exec bash -eo pipefail -c "$1" >"$2"', "bash", command(size), str(path)], folder)
    return path


def own(bench: Workbench, folder: Path, size: int) -> Path:
    """Write the log as a job of bgrun, from its start to its verdict."""
    bench.call([bench.bgrun, "start", "big", "--wait"], folder)
    run_id = run_ids(folder / ".logs")[-1]
    path = folder / ".logs" / f"{run_id}.log"
    if path.stat().st_size != size:
        raise MeasuringError(f"the log of {run_id} has {path.stat().st_size} bytes, not {size}")
    return path
