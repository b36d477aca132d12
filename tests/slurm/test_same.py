"""A group with failures, a matrix, a timeout and a retry ends on a real cluster as it does on this machine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """\
jobs:
  build: {command: "echo built"}
  lint: {command: "echo 'a.c:3:1: error: no semicolon'; exit 1", problems: [gcc]}
  sweep: {command: "echo seed {{ matrix.seed }}; [ {{ matrix.seed }} != 2 ]", matrix: {seed: [1, 2, 3]}, depends_on: build}
  slow: {command: "echo begins; sleep 60", timeout: 1s, stop_grace_period: 2s}
  flaky: {command: "test -e flag || { touch flag; echo first; exit 1; }; echo second", retry: {max: 2, backoff: 100ms}}
  after: {command: "echo never", depends_on: lint}
  two: {command: "exit 2", success_exit_codes: [0, 2]}
  last: {command: "echo last", depends_on: two}
  nowhere: {command: "echo nowhere", if: "os.name == 'plan9'"}
  behind: {command: "echo behind", depends_on: [build, nowhere]}
  farther: {command: "echo farther", depends_on: behind}
groups:
  all: {jobs: [build, lint, sweep, slow, flaky, after, two, last, nowhere, behind, farther]}
"""
STAMP = re.compile(r"_\d{8}_\d{6}(z+\d+)?")
SAME = ("label", "job", "group", "state", "exit_code", "signal", "reason", "cmd", "tags")
DIGEST = ("counts", "problems", "unrecognized", "head", "tail")


def result(on: Cli, *words: str) -> list[dict[str, Any]]:
    """Start the group anew and return what became of each run, without what differs from run to run."""
    (on.folder / "flag").unlink(missing_ok=True)
    shutil.rmtree(on.logs, ignore_errors=True)  # neither is to be compared with an earlier run
    group = on("group", "all", "-q", "--wait", *words, code=1).out.strip()
    every = [on.json("report", one, code=None) for one in (group, *members(on, group))]
    found = []
    for report in every:
        run, digest = report["run"], report["digest"] or {}
        log = Path(run["log"])
        known = {key: STAMP.sub("", str(run[key])) for key in SAME}
        known |= {key: STAMP.sub("", str(digest.get(key))) for key in DIGEST}
        # The log of a group run is the schedule of the engine.
        known["text"] = log.read_text() if log.exists() and run["run_id"] != group else ""
        found.append(known)
    return found


def members(on: Cli, group: str) -> list[str]:
    """Return the run IDs of the jobs of a group run."""
    lines = (on.logs / f"{group}.meta").read_text().splitlines()
    return next(line for line in lines if line.startswith("members=")).partition("=")[2].split()


def test_a_group_ends_as_it_does_on_this_machine(on: Cli) -> None:
    on.jobs(JOBS)
    here = result(on)
    there = result(on, "--on", "slurm")
    assert len(here) == 14
    assert {run["state"] for run in here} == {"succeeded", "failed", "timed_out", "skipped"}
    for one, other in zip(there, here, strict=True):
        assert one == other
