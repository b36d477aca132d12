"""What a call of `bgrun hook` costs, in processor time: a shared machine does not change that.

A coding agent calls it before each of its shell commands. The job file is that of this repository.

Usage: python benchmarks/hook.py [--rounds N] [--check]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
MOST_MS = 60.0
COMMANDS = {"ls -la": "no job", "git log | head": "no job", "pytest -q 2>&1 | tail -40": "a job, refused"}


def processor_ms(command: list[str], text: str, folder: Path) -> float:
    """Return the processor time of a command with its standard input."""
    with tempfile.TemporaryFile() as event:
        event.write(text.encode())
        event.seek(0)
        process = subprocess.Popen(command, cwd=folder, stdin=event, stdout=subprocess.DEVNULL)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return (used.ru_utime + used.ru_stime) * 1000


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--check", action="store_true", help=f"fail if a median is over {MOST_MS:g} ms")
    options = parser.parse_args()
    beside = Path(sys.executable).with_name("bgrun")
    bgrun = [str(beside)] if beside.exists() else [sys.executable, "-m", "bgrun"]
    slow = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copy(TOP / "bgjobs.yaml", folder)
        subprocess.run([*bgrun, "run", "any", "-q", "--wait", "--", "true"], cwd=folder, check=True)
        rows = {f"`{one}` ({what})": ([*bgrun, "hook", "claude"], one) for one, what in COMMANDS.items()}
        rows = {"python -c pass": ([sys.executable, "-c", "pass"], ""), **rows}
        taken: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(options.rounds + 2):
            for name, (command, line) in rows.items():
                event = {"tool_name": "Bash", "tool_input": {"command": line}, "cwd": str(folder)}
                taken[name].append(processor_ms(command, json.dumps(event), folder))
        for name, found in taken.items():
            middle = statistics.median(found[2:])
            slow += middle > MOST_MS
            print(f"{name:<45} {middle:6.1f} ms")
    return 1 if options.check and slow else 0


if __name__ == "__main__":
    sys.exit(main())
