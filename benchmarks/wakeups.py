"""How often a supervisor is woken while its job runs quietly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import memory
import peers
import procfs
import project
from peers import Supervisord
from workbench import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from workbench import Options, Workbench

DEFAULT, DEADLINE, LOG_BOUND, PROGRESS = (
    "bgrun, default settings",
    "bgrun, timeout: 1h",
    "bgrun, log: {max_size: 64MiB}",
    "bgrun, progress: pytest",
)
_JOBS = {
    DEFAULT: "  default: {command: sleep 600}",
    DEADLINE: "  deadline: {command: sleep 600, timeout: 1h}",
    LOG_BOUND: "  log_bound: {command: sleep 600, log: {max_size: 64MiB}}",
    PROGRESS: "  progress: {command: sleep 600, progress: pytest}",
}
SETTLE_S = 5.0
"""What is done once, soon after the start, is no wake-up of a supervisor asleep."""


def measure(bench: Workbench, options: Options) -> list[Figure]:
    """Measure all cases over the same seconds."""
    if not procfs.HERE:
        bench.notes.append("wake-ups are not counted: that takes /proc of Linux")
        return []
    job_file = "\n".join(["defaults: {inhibit_sleep: false}", "jobs:", *_JOBS.values(), ""])
    folder = project.make(bench, "wakeups", job_file)
    pids = {what: start(bench, folder, line.split(":")[0].strip()) for what, line in _JOBS.items()}
    pids |= start_peers(bench)
    time.sleep(SETTLE_S)
    bench.tell(f"asleep for {options.asleep_s:g} s")
    found = watch(pids, options.asleep_s)
    memory.stop(bench, folder)
    bench.end_all()
    return found


def start(bench: Workbench, folder: Path, job: str) -> int:
    """Start a job and return its supervisor's pid."""
    run_id = bench.read([bench.bgrun, "start", job, "-q"], folder).splitlines()[0]
    return int(project.meta_of(folder / ".logs", run_id)["supervisor_pid"])


def start_peers(bench: Workbench) -> dict[str, int]:
    """Start a job with each peer that is here and has a server, and return the servers' pids."""
    pids = {}
    if peers.here("tsp"):
        bench.call(["tsp", "-S", "1"])
        (server,) = bench.started("tsp")
        pids["tsp, its server"] = server.pid
        bench.call(["tsp", "sleep", "600"])
    if peers.here("supervisord"):
        daemon = Supervisord(bench, bench.folder / "wakeups_supervisord", "sleep 600", 1)
        pids["supervisord"] = daemon.start()
    return pids


def watch(pids: dict[str, int], seconds: float) -> list[Figure]:
    """Return how often each of these processes is woken in a minute, counted over so many seconds."""
    before = {name: procfs.activity(pid) for name, pid in pids.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    after = {name: procfs.activity(pid) for name, pid in pids.items()}
    minutes = (time.monotonic() - begun) / 60
    found = []
    for name, was in before.items():
        woken, cpu_ms = after[name].switches - was.switches, after[name].cpu_ms - was.cpu_ms
        note = f"{woken / minutes / 60:.2f} a second; {cpu_ms:.0f} ms of processor time in {seconds:g} s"
        found.append(Figure(name, woken / minutes, "/min", note=note))
    return found
