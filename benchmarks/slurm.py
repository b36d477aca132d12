"""Compare a matrix of short jobs on Slurm with a bare array script: what submitting takes, and what the launcher adds.

    eval "$(BGRUN_SLURM_NODES=3 bash tests/slurm/cluster/start-slurm.sh --install)"
    .venv/bin/python benchmarks/slurm.py --pairs 3
    bash tests/slurm/cluster/stop-slurm.sh --rm

Prints for each pair how long both took from the submission to the end of the last task, and how many tasks ran at once
at most; then the medians. The targets: submitting within 0.3 s, and a median ratio of at most 1.25.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEMBERS, AT_ONCE, TASK_S = 200, 8, 0.2
MOST_SUBMIT_S, MOST_RATIO = 0.3, 1.25
WAIT_S = 300.0


def bgrun(root: Path, *words: str) -> str:
    """Run a command of bgrun in a project and return its output."""
    argv = [sys.executable, "-m", "bgrun", "-C", str(root), *words]
    # As in `Workbench`: with PYTHONDONTWRITEBYTECODE each start would compile every module anew.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(argv, env=env, check=False, stdout=subprocess.PIPE, text=True, timeout=WAIT_S + 60).stdout


def most_at_once(spans: list[tuple[float, float]]) -> int:
    """Return how many of these spans of time overlap at most."""
    events = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


def with_bgrun(root: Path) -> tuple[float, float, int]:
    """Return how long submitting and the whole took, and how many ran at once."""
    began = time.time()
    run_id = bgrun(root, "group", "all", "--on", "slurm", "-q").strip()
    submitted = time.time()
    bgrun(root, "wait", run_id, "-q", "--timeout", f"{WAIT_S:g}s")
    facts = (root / ".logs" / f"{run_id}.meta").read_text().splitlines()
    members = next(line for line in facts if line.startswith("members=")).partition("=")[2].split()
    spans = [read_span(root / ".logs" / f"{member}.log") for member in members]
    return submitted - began, max(end for _, end in spans) - began, most_at_once(spans)


def bare(root: Path) -> tuple[float, int]:
    """Return how long a bare array script took, and how many ran at once."""
    script = root / "bare.sh"
    script.write_text(f"#!/bin/bash\n{{ {task()} ; }} >{root}/bare.$SLURM_ARRAY_TASK_ID.log\n")
    for old in root.glob("bare.*.log"):
        old.unlink()
    began = time.time()
    words = ["sbatch", "--parsable", "--output=/dev/null", f"--array=0-{MEMBERS - 1}%{AT_ONCE}", str(script)]
    subprocess.run(words, check=True, capture_output=True)
    logs = [root / f"bare.{place}.log" for place in range(MEMBERS)]
    while not all(log.exists() and len(log.read_text().split()) == 2 for log in logs):
        if time.time() - began > WAIT_S:
            raise SystemExit("the bare array did not finish")
        time.sleep(0.1)
    spans = [read_span(log) for log in logs]
    return max(end for _, end in spans) - began, most_at_once(spans)


def task() -> str:
    """Return the command of a task: it prints when it begins and ends."""
    return f"date +%s.%N; sleep {TASK_S}; date +%s.%N"


def read_span(log: Path) -> tuple[float, float]:
    """Return when a task began and ended."""
    begin, end = map(float, log.read_text().split())
    return begin, end


def main() -> int:
    """Run the pairs in turn and compare them with the targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory(prefix="bgrun-slurm-") as made:
        root = Path(made)
        numbers = ",".join(map(str, range(MEMBERS)))
        (root / "bgjobs.yaml").write_text(
            f'jobs:\n  w: {{command: "true {{{{ matrix.n }}}}; {task()}", matrix: {{n: [{numbers}]}}}}\n'
            f"groups:\n  all: {{jobs: [w], max_parallel: {AT_ONCE}}}\n"
        )
        bgrun(root, "group", "all", "--on", "slurm", "-q", "--wait")  # so that the plan is cached
        rows = [(*with_bgrun(root), *bare(root)) for _ in range(pairs)]
    for submit_s, ours_s, ours, bare_s, theirs in rows:
        print(f"submit {submit_s:.2f} s  bgrun {ours_s:.1f} s, {ours} at once  bare {bare_s:.1f} s, {theirs} at once")
    submit_s = statistics.median(row[0] for row in rows)
    ratio = statistics.median(row[1] / row[3] for row in rows)
    print(f"median: submit {submit_s:.2f} s, ratio {ratio:.2f}; load {os.getloadavg()[0]:.1f}")
    met = submit_s <= MOST_SUBMIT_S and ratio <= MOST_RATIO and max(row[2] for row in rows) <= AT_ONCE
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
