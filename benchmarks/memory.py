"""What stays in memory while jobs run: supervisors, and what the peers keep."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import peers
import procfs
import project
from peers import Supervisord
from project import meta_of, run_ids
from workbench import Figure, MeasuringError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workbench import Options, Workbench

JOBS = f"""\
defaults: {{inhibit_sleep: false}}
jobs:
  one: {{command: sleep 600}}
  plan: {{command: sleep 600, matrix: {{n: {list(range(100))}}}}}
"""
SETTLE_S = 3.5
"""A supervisor makes itself slim some time after its start."""
ONE, SINGLE, PLAN = "bgrun supervisor, one job", "bgrun supervisor, each of 100 single starts", "bgrun, a plan of 100"
_BY_HAND = "for i in $(seq 100); do setsid nohup bash -c 'sleep 600; echo $? >x.exit' >x.log 2>&1 </dev/null & done"
_PEERS = {
    "tsp": ("tsp, server and clients of 100 jobs", "tsp -S 100; for i in $(seq 100); do tsp sleep 600; done"),
    "nq": ("nq, 100 jobs", "for i in $(seq 100); do NQDIR=$PWD/m$i nq -q sleep 600; done"),
    "setsid": ("setsid nohup by hand, the shells of 100 jobs", _BY_HAND),
}
_NAMES = {"setsid": "bash"}


def measure(bench: Workbench, _: Options) -> list[Figure]:
    """Measure who stays beside the jobs, one case after the other."""
    if not procfs.HERE:
        bench.notes.append("memory is not measured: that takes /proc/PID/smaps_rollup of Linux 4.14 or newer")
        return []
    folder = project.make(bench, "memory", JOBS)
    return [*own_one(bench, folder), *own_single_starts(bench, folder), *own_plan(bench, folder), *of_peers(bench)]


def own_one(bench: Workbench, folder: Path) -> list[Figure]:
    """Return what the supervisor of one job takes, and the job's shells."""
    bench.call([bench.bgrun, "start", "one"], folder)
    time.sleep(SETTLE_S)
    (pid,) = supervisors(folder)
    own = procfs.memory(pid)
    shells = total(one.pid for shell in ("bash", "dash") for one in bench.started(shell))
    stop(bench, folder)
    note = f"RSS {own.rss:.1f}; the benchmark itself shares the interpreter's pages"
    return [Figure(ONE, own.pss, "MiB", note=note), Figure("  and the shells of its job", shells, "MiB")]


def own_single_starts(bench: Workbench, folder: Path) -> list[Figure]:
    """Return the share of each supervisor of a hundred."""
    bench.tell("100 single starts")
    for _ in range(100):
        bench.call([bench.bgrun, "start", "one"], folder)
    time.sleep(SETTLE_S)
    pids = supervisors(folder)
    together = total(pids)
    stop(bench, folder)
    if len(pids) != 100:
        raise MeasuringError(f"{len(pids)} supervisors of 100 single starts")
    return [Figure(SINGLE, together / 100, "MiB", note=f"{together:.0f} in all")]


def own_plan(bench: Workbench, folder: Path) -> list[Figure]:
    """Return what the one supervisor of a hundred jobs takes."""
    bench.call([bench.bgrun, "start", "plan"], folder)
    time.sleep(SETTLE_S)
    (pid,) = supervisors(folder)
    own = procfs.memory(pid)
    stop(bench, folder)
    return [Figure(PLAN, own.pss, "MiB", note=f"RSS {own.rss:.1f}")]


def of_peers(bench: Workbench) -> list[Figure]:
    """Return what each peer that is here keeps beside a hundred jobs."""
    found = [
        Figure(what, kept_by(bench, _NAMES.get(program, program), script), "MiB")
        for program, (what, script) in _PEERS.items()
        if peers.here(program)
    ]
    if peers.here("supervisord"):
        found += [
            Figure(f"supervisord, {count} program{'s' if count != 1 else ''}", of_supervisord(bench, count), "MiB")
            for count in (1, 100)
        ]
    return found


def kept_by(bench: Workbench, name: str, script: str) -> float:
    """Return what the processes of this name take that a script has left behind."""
    bench.tell(f"100 jobs beside {name}")
    folder = bench.folder / f"memory_{name}"
    folder.mkdir()
    bench.call(["bash", "-c", script], folder)
    time.sleep(SETTLE_S)
    kept = total(one.pid for one in bench.started(name))
    bench.end_all()
    return kept


def of_supervisord(bench: Workbench, count: int) -> float:
    """Return what a supervisord with so many programs takes."""
    daemon = Supervisord(bench, bench.folder / f"memory_supervisord_{count}", "sleep 600", count)
    pid = daemon.start()
    time.sleep(SETTLE_S)
    kept = total([pid])
    daemon.end()
    return kept


def total(pids: Iterable[int]) -> float:
    """Return the proportional set size of processes together."""
    return sum(procfs.memory(pid).pss for pid in pids)


def supervisors(folder: Path) -> set[int]:
    """Return the pids of the supervisors of the runs that have not ended."""
    metas = map(partial(meta_of, folder / ".logs"), run_ids(folder / ".logs"))
    return {int(meta["supervisor_pid"]) for meta in metas if "ended_at" not in meta}


def stop(bench: Workbench, folder: Path) -> None:
    """Stop every run that has not ended; a group's run stops its own."""
    live = [run_id for run_id in run_ids(folder / ".logs") if "ended_at" not in meta_of(folder / ".logs", run_id)]
    bench.call([bench.bgrun, "stop", "-q", *live], folder)
