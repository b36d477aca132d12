"""bgrun beside its peers, on this machine, in one run: what a start, a look and a batch cost.

Each row is measured in turns with the others, `--rounds` times; the table gives medians and their ratio to
`python -c pass` of the same interpreter. What is not installed is named with the Debian package it is in.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PEERS = {"tsp": "task-spooler", "nq": "nq", "parallel": "parallel", "xargs": "findutils", "setsid": "util-linux"}
JOBS = """
jobs:
  quick: {command: "true", inhibit_sleep: false}
  many: {command: "true", matrix: {n: [%s]}, inhibit_sleep: false}
  naps: {command: sleep 1, matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8]}, inhibit_sleep: false}
groups:
  batch: {jobs: [many], max_parallel: 8}
  rest: {jobs: [naps], max_parallel: 4}
"""
BASH = 'mkdir -p .old; (setsid nohup bash -c "true; echo \\$? > .old/x.exit" > .old/x.log 2>&1 & echo $! > .old/x.pid)'


class Row(NamedTuple):
    """A thing to measure: what it is called, how it is done and where; a `seldom` one is left out of most rounds."""

    name: str
    command: list[str]
    seldom: bool = False
    cwd: str = "."


def rows(bgrun: str, histories: list[int]) -> list[Row]:
    """Return everything that is measured; peers that are not here are left out."""
    found = [
        Row("/bin/true", ["/bin/true"]),
        Row("python -c pass", [sys.executable, "-c", "pass"]),
        Row("python -c 'import click'", [sys.executable, "-c", "import click"]),
        Row("setsid nohup, by hand", ["bash", "-c", BASH]),
        Row("tsp: start", ["tsp", "true"]),
        Row("nq: start", ["nq", "true"]),
        Row("bgrun start", [bgrun, "start", "quick", "-q"]),
        Row("bgrun start --wait", [bgrun, "start", "quick", "--wait", "-q"]),
    ]
    found += [
        Row(f"bgrun {words[0]}, {count} runs there", [bgrun, *words], cwd=f"history_{count}")
        for count in histories
        for words in (["status", "quick"], ["list"])
    ]
    found += [
        Row("200 x true at 8: parallel", ["bash", "-c", "seq 200 | parallel -j 8 true"], seldom=True),
        Row("200 x true at 8: xargs", ["bash", "-c", "seq 200 | xargs -n 1 -P 8 true"], seldom=True),
        Row("200 x true at 8: bgrun", [bgrun, "group", "batch", "--wait", "-q"], seldom=True),
        Row("8 x sleep 1 at 4: parallel", ["bash", "-c", "seq 8 | parallel -j 4 sleep 1 '#'"], seldom=True),
        Row("8 x sleep 1 at 4: bgrun", [bgrun, "group", "rest", "--wait", "-q"], seldom=True),
    ]
    return [
        row
        for row in found
        if not any(peer in " ".join(row.command[:3]).split() and not shutil.which(peer) for peer in PEERS)
    ]


def make_history(folder: Path, bgrun: str, count: int) -> None:
    """Make a project with so many finished runs, copies of one."""
    folder.mkdir()
    (folder / "bgjobs.yaml").write_text("jobs: {quick: {command: 'true'}}\n", encoding="utf-8")
    subprocess.run([bgrun, "start", "quick", "--wait", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    logs = folder / ".logs"
    texts = {path.suffix: path.read_text() for path in logs.glob("quick_*")}
    run_id = next(logs.glob("quick_*.meta")).stem
    for number in range(2, count + 1):
        for suffix, text in texts.items():
            (logs / f"{run_id}-{number}{suffix}").write_text(text.replace(run_id, f"{run_id}-{number}"))


def measure(every: list[Row], folder: Path, rounds: int, told: Callable[[str], None]) -> dict[str, float]:
    """Return the median seconds of each row, all of them measured in turns."""
    took: dict[str, list[float]] = {row.name: [] for row in every}
    env = {**os.environ, "TMPDIR": str(folder)}
    for number in range(rounds):
        for row in every:
            if row.seldom and number >= max(3, rounds // 5):
                continue
            begun = time.perf_counter()
            subprocess.run(
                row.command, cwd=folder / row.cwd, env=env, check=False, stdin=subprocess.DEVNULL, capture_output=True
            )
            took[row.name].append(time.perf_counter() - begun)
        told(f"round {number + 1} of {rounds}")
    return {name: statistics.median(times) for name, times in took.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each row is measured")
    parser.add_argument("--histories", default="1,1000,10000", help="numbers of runs in .logs for status and list")
    asked = parser.parse_args()
    bgrun = str(Path(sys.executable).with_name("bgrun"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bgjobs.yaml").write_text(JOBS % ", ".join(map(str, range(200))), encoding="utf-8")
        histories = [int(count) for count in asked.histories.split(",")]
        for count in histories:
            make_history(folder / f"history_{count}", bgrun, count)
        medians = measure(rows(bgrun, histories), folder, asked.rounds, lambda text: print(text, file=sys.stderr))
        subprocess.run(["tsp", "-K"], env={**os.environ, "TMPDIR": name}, check=False) if shutil.which("tsp") else None
    floor = medians["python -c pass"]
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, CPython {platform.python_version()}")
    print(f"{'':34}{'median':>10}  x python -c pass")
    for what, seconds in medians.items():
        print(f"{what:34}{seconds * 1000:8.1f} ms  {seconds / floor:6.1f}")
    for peer, package in PEERS.items():
        if not shutil.which(peer):
            print(f"missing: {peer} (Debian package {package})")


if __name__ == "__main__":
    main()
