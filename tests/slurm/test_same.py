"""A group with failures, a matrix, a timeout and a retry ends on a real cluster as it does on this machine."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = r"""
jobs:
  build: {command: "printf 'built\\0\\r\\n\\377 no newline'"}
  lint: {command: "echo 'a.c:3:1: error: no semicolon'; exit 1", problems: [gcc]}
  sweep: {command: "echo seed {{ matrix.seed }}; [ {{ matrix.seed }} != 2 ]", matrix: {seed: [1, 2, 3]}, depends_on: build}
  slow: {command: "echo begins; sleep 60", timeout: 4s, stop_grace_period: 2s}
  flaky: {command: "test -e flag || { touch flag; echo first; exit 1; }; echo second", retry: {max: 2, backoff: 100ms}}
  after: {command: "echo never", depends_on: lint}
  two: {command: "exit 2", success_exit_codes: [0, 2]}
  last: {command: "echo last", depends_on: two}
  nowhere: {command: "echo nowhere", if: "os.name == 'plan9'"}
  behind: {command: "echo behind", depends_on: [build, nowhere]}
  farther: {command: "echo farther", depends_on: behind}
  any: {command: "echo any", depends_on: {lint: {condition: service_completed}, nowhere: {condition: service_completed}}}
  begun: {command: "echo begun", depends_on: {slow: {condition: service_started}}}
  never: {command: "echo never", depends_on: {after: {condition: service_started}}}
  tested:
    command: "mkdir -p r; cp suite.xml r/a.xml; echo '{\"n\": 7}' >n.json; exit 1"
    reports: {junit: "r/*.xml"}
    outputs: {n: {json: n.json, pick: n}, none: {glob: "*.none"}, files: {glob: "r/*"}}
groups:
  all: {jobs: [build, lint, sweep, slow, flaky, after, two, last, nowhere, behind, farther, any, begun, never, tested]}
"""
SUITE = """\
<testsuite tests="2" failures="1" time="0.1"><testcase classname="a" name="good"/>
<testcase classname="a" name="bad" file="a.py" line="3"><failure message="1 != 2">assert 1 == 2</failure></testcase></testsuite>
"""
VERDICTS = {
    **{"build": ("succeeded", 0), "lint": ("failed", 1), "slow": ("timed_out", 143), "flaky": ("succeeded", 0)},
    **{"sweep_1": ("succeeded", 0), "sweep_2": ("failed", 1), "sweep_3": ("succeeded", 0), "after": ("skipped", None)},
    **{"two": ("succeeded", 2), "last": ("succeeded", 0), "nowhere": ("skipped", None), "behind": ("skipped", None)},
    **{"farther": ("skipped", None), "any": ("succeeded", 0), "begun": ("succeeded", 0), "never": ("skipped", None)},
    **{"tested": ("failed", 1), "all": ("failed", 1)},
}
STAMP = re.compile(r"_\d{8}_\d{6}(z+\d+)?")
ENGINE = ("engine", "engine_job", "node", "attempt", "pid", "pgid")
TIMES = ("started_at", "ended_at", "duration_s")


def result(on: Cli, *words: str) -> list[dict[str, Any]]:
    """Start the group anew and return what became of each run, without what differs from run to run."""
    (on.folder / "flag").unlink(missing_ok=True)
    shutil.rmtree(on.folder / "r", ignore_errors=True)
    (on.folder / "n.json").unlink(missing_ok=True)
    shutil.rmtree(on.logs, ignore_errors=True)  # neither is to be compared with an earlier run
    group = on("group", "all", "-q", "--wait", *words, code=1).out.strip()
    found = []
    for one in (group, *members(on, group)):
        report = on.json("report", one, code=None)
        log = Path(report["run"]["log"])
        answers = {name: on(name, one, code=None) for name in ("status", "report")}
        found.append(
            {
                **without_times(report),
                # The log of a group run is the schedule of the engine.
                "text": log.read_bytes() if log.exists() and one != group else b"",
                "code": {name: done.code for name, done in answers.items()},
            }
        )
    return found


def without_times(value: Any) -> Any:
    """Return a document without engine, times and the stamps of run IDs."""
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in (*ENGINE, *TIMES)}
    if isinstance(value, list):
        return [without_times(one) for one in value]
    return STAMP.sub("", value) if isinstance(value, str) else value


def members(on: Cli, group: str) -> list[str]:
    """Return the run IDs of the jobs of a group run."""
    lines = (on.logs / f"{group}.meta").read_text().splitlines()
    return next(line for line in lines if line.startswith("members=")).partition("=")[2].split()


def test_a_group_ends_as_it_does_on_this_machine(on: Cli) -> None:
    on.jobs(JOBS)
    (on.folder / "suite.xml").write_text(SUITE)
    here = result(on)
    there = result(on, "--on", "slurm")
    assert {one["run"]["label"]: (one["run"]["state"], one["run"]["exit_code"]) for one in here} == VERDICTS
    texts = {one["run"]["label"]: one["text"] for one in here}
    assert (texts["flaky"].count(b"first"), texts["flaky"].count(b"second")) == (1, 1), "the retry"
    assert [one["text"] for one in here if one["text"].startswith(b"built")] == [b"built\0\r\n\xff no newline"]
    tested = here[-1]["digest"]
    assert (tested["counts"]["failed"], len(tested["problems"]), len(tested["outputs"])) == (1, 1, 3)
    for one, other in zip(there, here, strict=True):
        assert one == other, json.dumps(one["run"])
