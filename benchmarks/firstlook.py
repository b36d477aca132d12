"""What the first look at a run with a long log costs: its time and memory, and those of later looks."""

from __future__ import annotations

import random
import shutil
import statistics
from typing import TYPE_CHECKING

import dense_logs
import project
from project import run_ids
from workbench import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from workbench import Options, Spent, Workbench

FIRST, MEMORY, LATER, LONG_LINE = "first look at 100 MB", "its memory", "later looks", "first look at a line of 300 MB"
DENSE = "first look at 100 MB of {}"
HURRIED = "wait --timeout 0s for a run with 300 MB of errors"
SIZE, LONG = 100_000_000, 300_000_000
JOB_FILE = "defaults: {inhibit_sleep: false}\njobs:\n  big: {command: cat big.txt; exit 1}\n"
WORDS = [
    "INFO",
    "DEBUG",
    "2026-11-26T01:02:03",
    "compiling",
    "module",
    "src/foo/bar.c",
    "request",
    "served",
    "in",
    "12ms",
    "status=200",
    "user=anne",
    "downloading",
    "package",
    "building",
    "target",
    "ok",
    "test",
    "done",
    "queue",
    "worker",
    "connected",
    "to",
    "database",
    "cache",
    "miss",
    "key=7f3a",
]


def measure(bench: Workbench, options: Options) -> list[Figure]:
    """Measure `bgrun report` of a failed run, each time without its cached digest, and with it."""
    if shutil.disk_usage(bench.folder).free < 3 * LONG:
        bench.notes.append(f"first looks are not measured: the disk of {bench.folder} has too little free")
        return []
    folder = project.make(bench, "firstlook", JOB_FILE)
    _write_lines(folder / "big.txt", SIZE)
    first, later = _looks(bench, folder, options.seldom)
    with (folder / "big.txt").open("wb") as file:
        # In pieces: the memory of this process would count as that of those it starts.
        file.writelines(b"x" * 1_000_000 for _ in range(LONG // 1_000_000))
    long_line, _ = _looks(bench, folder, options.seldom)
    dense = [figure for kind in dense_logs.KINDS for figure in _dense(bench, folder, kind, options.seldom)]
    dense_logs.write(folder / "big.txt", "lines that look like errors", LONG)
    return [
        _seconds(FIRST, first),
        _memory(MEMORY, first),
        _seconds(LATER, later),
        _seconds(LONG_LINE, long_line),
        _memory(f"{LONG_LINE}: its memory", long_line),
        *dense,
        _passed(HURRIED, _hurried(bench, folder, options.seldom)),
    ]


def _dense(bench: Workbench, folder: Path, kind: str, rounds: int) -> list[Figure]:
    dense_logs.write(folder / "big.txt", kind, SIZE)
    first, _ = _looks(bench, folder, rounds)
    what = DENSE.format(kind)
    return [_seconds(what, first), _memory(f"{what}: its memory", first)]


def _write_lines(path: Path, size: int) -> None:
    dice = random.Random(16)  # noqa: S311 - any mixture of words does
    lines = [" ".join(dice.choices(WORDS, k=10)) + "\n" for _ in range(20_000)]
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            file.writelines(dice.choices(lines, k=2_000))


def _looks(bench: Workbench, folder: Path, rounds: int) -> tuple[list[Spent], list[Spent]]:
    """Return looks without and with a cached digest."""
    bench.call([bench.bgrun, "start", "big", "--wait", "-q"], folder, ok=(1,))
    run_id = run_ids(folder / ".logs")[-1]
    first, later = [], []
    for _ in range(rounds):
        (folder / ".logs" / "jobs" / f"{run_id}.digest.json").unlink(missing_ok=True)
        first.append(bench.spend([bench.bgrun, "report", run_id], folder))
        later.append(bench.spend([bench.bgrun, "report", run_id], folder))
    return first, later


def _hurried(bench: Workbench, folder: Path, rounds: int) -> list[Spent]:
    """Return waits whose timeout has come, which leave no digest."""
    bench.call([bench.bgrun, "start", "big", "--wait", "-q"], folder, ok=(1,))
    run_id = run_ids(folder / ".logs")[-1]
    command = [bench.bgrun, "wait", run_id, "--timeout", "0s"]
    return [bench.spend(command, folder, code=1) for _ in range(rounds)]


def _seconds(what: str, looks: list[Spent]) -> Figure:
    """Return the processor time: others on the machine do not lengthen it much."""
    took = statistics.median(look.took_s for look in looks)
    return Figure(what, statistics.median(look.used_s for look in looks), "s of CPU", note=f"{took:.2f} s passed")


def _passed(what: str, looks: list[Spent]) -> Figure:
    """Return the time that passed: a caller waits."""
    return Figure(what, statistics.median(look.took_s for look in looks), "s")


def _memory(what: str, looks: list[Spent]) -> Figure:
    return Figure(what, max(look.mib for look in looks), "MiB RSS")
