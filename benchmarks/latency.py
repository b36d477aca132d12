"""How long after a line was written it is shown by who follows the log."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import peers
import project
from project import run_ids
from workbench import LONGEST_S, Figure, bounded

if TYPE_CHECKING:
    from pathlib import Path

    from workbench import Options, Workbench

LINES = 50
OWN = "bgrun follow"
# Says `ready`, waits until somebody follows, then tells the time at irregular intervals.
_WRITER = f"""\
import os, random, time
print("ready", flush=True)
end = time.time() + {LONGEST_S}
while not os.path.exists("go") and time.time() < end:
    time.sleep(0.02)
dice = random.Random(6)
for _ in range({LINES}):
    time.sleep(dice.uniform(0.005, 0.15))
    os.write(1, f"{{time.time()}}\\n".encode())
"""


def measure(bench: Workbench, _: Options) -> list[Figure]:
    """Measure bgrun's follower, and `tail -f` on the same kind of log."""
    job_file = f"defaults: {{inhibit_sleep: false}}\njobs:\n  writer: {{command: [{sys.executable}, writer.py]}}\n"
    folder = project.make(bench, "latency", job_file)
    (folder / "writer.py").write_text(_WRITER, encoding="utf-8")
    found = [figure(OWN, follow(bench, folder, [bench.bgrun, "follow", "writer"]))]
    if peers.here("tail"):
        found.append(figure("tail -f", follow(bench, folder, ["tail", "-n", "+1", "-f"])))
    return found


def figure(what: str, delays: list[float]) -> Figure:
    """Return the median in ms, with the slowest in its note."""
    slowest = f"slowest {max(delays) * 1000:.1f} ms of {len(delays)} lines"
    return Figure(what, statistics.median(delays) * 1000, "ms", note=slowest)


def follow(bench: Workbench, folder: Path, command: list[str]) -> list[float]:
    """Start the writer, follow it, and return for each line the seconds from its writing to its showing."""
    go = folder / "go"
    go.unlink(missing_ok=True)
    bench.call([bench.bgrun, "start", "writer"], folder)
    log = folder / ".logs" / f"{run_ids(folder / '.logs')[-1]}.log"
    words = command if command[0] == bench.bgrun else [*command, str(log)]
    follower = subprocess.Popen(
        words, cwd=folder, env=bench.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        with bounded(LONGEST_S):
            return _delays(follower, go)
    finally:
        follower.kill()
        follower.communicate()


def _delays(follower: subprocess.Popen[bytes], go: Path) -> list[float]:
    """Stamp what is read as it comes, until all lines are there."""
    assert follower.stdout  # noqa: S101 - it was asked for as a pipe
    seen = b""
    delays: list[float] = []
    while len(delays) < LINES and (block := os.read(follower.stdout.fileno(), 1 << 16)):
        now = time.time()
        *lines, seen = (seen + block).split(b"\n")
        if b"ready" in lines:
            go.touch()
        delays += [now - float(line) for line in lines if line.replace(b".", b"").isdigit()]
    return delays
