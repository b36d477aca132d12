"""The programs that bgrun is measured beside: what they are called, where Debian has them, how a batch is given."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from workbench import LONGEST_S, MeasuringError, bounded

if TYPE_CHECKING:
    from pathlib import Path

    from workbench import Workbench

PACKAGES = {
    "git": "git",
    "nq": "nq",
    "parallel": "parallel",
    "setsid": "util-linux",
    "supervisord": "supervisor",
    "tail": "coreutils",
    "tsp": "task-spooler",
    "xargs": "findutils",
}
TSP = "tsp -S, enqueued and waited for"
"""What a batch of tsp is called."""
_SUPERVISORD = """\
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={folder}/supervisord.pid
childlogdir={folder}
minfds=4096
[program:job]
command={command}
process_name=%(program_name)s_%(process_num)d
numprocs={count}
autorestart=false
startsecs=0
"""


class Batch(NamedTuple):
    """So many times one command, at most so many at once."""

    command: str
    times: int
    slots: int


def here(program: str) -> bool:
    """Return whether a program is installed."""
    return shutil.which(program) is not None


def missing() -> list[str]:
    """Return what to say of each program that is not here."""
    return [f"{name} (Debian package {package})" for name, package in PACKAGES.items() if not here(name)]


def batch_scripts(batch: Batch) -> dict[str, tuple[str, str]]:
    """Return for each peer that is here, by its program, what is measured and the bash that does it."""
    command, times, slots = batch
    scripts = {
        "parallel": ("GNU parallel -j", f"seq {times} | parallel -N0 -j {slots} {command}"),
        "xargs": ("xargs -P", f"seq {times} | xargs -I_ -P {slots} {command}"),
        "tsp": (TSP, _tsp_script(batch)),
        "nq": (f"nq, {slots} queues filled in turn", _nq_script(batch)),
    }
    return {program: what for program, what in scripts.items() if here(program)}


def _tsp_script(batch: Batch) -> str:
    """Wait for the last ones by name: `tsp -w` alone waits for a single job."""
    enqueue = f"for i in $(seq {batch.times}); do tsp {batch.command}; done"
    await_last = f'for id in $(tail -n {batch.slots} <<<"$ids"); do tsp -w "$id"; done'
    return f"tsp -S {batch.slots}; ids=$({enqueue}); {await_last}; [[ $(tsp -l) == *'[run=0/{batch.slots}]'* ]]"


def _nq_script(batch: Batch) -> str:
    """Fill as many queues as there are slots: a queue of nq runs one job at a time."""
    fill = f"for i in $(seq {batch.times}); do NQDIR=$PWD/q$((i % {batch.slots})) nq -q {batch.command}; done"
    return f"{fill}; for q in q*; do NQDIR=$PWD/$q nq -w; rm -rf $q; done"


class Supervisord:
    """A supervisord in the foreground with one program, many times: all are started at once, it has no slots."""

    def __init__(self, bench: Workbench, folder: Path, command: str, count: int) -> None:
        self._bench = bench
        self._count = count
        self._config = folder / "supervisord.conf"
        self._child: subprocess.Popen[str] | None = None
        folder.mkdir(exist_ok=True)
        self._config.write_text(_SUPERVISORD.format(folder=folder, command=command, count=count), encoding="utf-8")

    def start(self, event: str = "spawned: ") -> int:
        """Start it and return its pid once its log has told of this event as often as there are programs.

        Raises:
            MeasuringError: it ended before, or that took too long.
        """
        command = ["supervisord", "-n", "-c", str(self._config)]
        self._child = subprocess.Popen(
            command,
            env=self._bench.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with bounded(LONGEST_S):
            told = 0
            for line in self._child.stdout or ():
                told += event in line
                if told == self._count:
                    return self._child.pid
        raise MeasuringError("supervisord ended too early")

    def run(self) -> None:
        """Start it and return once every program has exited."""
        self.start("exited: ")

    def end(self) -> None:
        """End it with its programs."""
        if self._child:
            self._child.terminate()
            self._child.communicate(timeout=LONGEST_S)
