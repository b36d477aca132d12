"""A log that is gone, or that never was: each command says so, and none shows half of the truth."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """
jobs:
  bad: {command: "echo wrong; exit 3"}
  after: {command: echo ran, depends_on: [bad]}
  one: {command: "until [ -e go ]; do sleep 0.02; done", concurrency: {group: g}}
"""


@pytest.fixture
def gone(bg: Cli) -> Path:
    """A failed run of `x` whose log was moved away; an older one of it still has its own."""
    bg("run", "x", "--wait", "--", "echo", "older")
    run = bg("run", "x", "--wait", "-q", "--", "sh", "-c", "echo FAILED; exit 3", code=1).out.split()[0]
    log = bg.logs / f"{run}.log"
    log.rename(bg.folder / "elsewhere")
    return log


@pytest.mark.parametrize("words", [[], ["--json"], ["--raw"], ["--since", "start"], ["--grep", "x"]], ids=" ".join)
def test_logs_names_the_path_of_the_log_that_is_gone(bg: Cli, gone: Path, words: list[str]) -> None:
    reported = bg("logs", "x", *words, code=2)
    assert reported.err.splitlines()[0] == f"error: the log of {gone.stem} does not exist: {gone}"
    assert reported.out == ""


def test_a_packed_log_is_pointed_to(bg: Cli, gone: Path) -> None:
    with gzip.open(f"{gone}.gz", "wb") as packed:
        packed.write(b"FAILED\n")
    assert f"{gone}.gz" in bg("logs", "x", code=2).err


def test_status_says_that_the_log_is_gone_and_keeps_the_result(bg: Cli, gone: Path) -> None:
    line = f"LOG .logs/{gone.name} (does not exist)"
    for command in ("status", "report"):
        reported = bg(command, "x")
        assert line in reported.out.splitlines()
        assert "exit=3" in reported.out
    assert line in bg("wait", "x", code=1).out.splitlines()
    reported = bg("follow", "x", code=1)
    assert reported.out == ""
    assert reported.err.splitlines()[0] == f"the log of {gone.stem} does not exist: .logs/{gone.name}"
    assert bg.json("report", "x")["run"]["exit_code"] == 3


def test_a_log_that_goes_while_it_is_followed_is_named(bg: Cli) -> None:
    run = bg.start("x", "echo first; until [ -e go ]; do sleep 0.02; done; rm .logs/x_*.log; echo lost; exit 3")
    words = [*bg.command, "follow", "x"]
    with subprocess.Popen(
        words, cwd=bg.folder, env=bg.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as following:
        assert following.stdout and following.stderr
        assert following.stdout.readline() == "first\n"
        (bg.folder / "go").touch()
        assert following.stdout.read() == ""
        noted = following.stderr.read().splitlines()
    assert noted[0] == f"the log of {run['run_id']} does not exist: .logs/{run['run_id']}.log"
    assert (noted[1].split()[:3], following.returncode) == (["failed", run["run_id"], "exit=3"], 1)


def test_latest_is_the_newest_log_that_exists(bg: Cli, gone: Path) -> None:
    path = Path(bg("latest", "x").out.strip())
    assert (bg.folder / path).read_text() == "older\n"
    assert bg.json("latest", "x")["log"] == str(bg.folder / path)
    assert str(gone) in bg("latest", gone.stem, code=2).err
    for log in bg.logs.glob("*.log"):
        log.unlink()
    reported = bg("latest", "x", code=2)
    assert (reported.out, str(gone) in reported.err) == ("", True)


def test_a_run_that_never_ran_has_no_log(bg: Cli) -> None:
    bg.jobs(JOBS)
    bg("start", "after", "--wait", code=1)
    run = bg.state("after")
    assert run["state"] == "skipped"
    reported = bg("latest", "after", code=2)
    assert reported.out == ""
    assert reported.err.startswith(f"error: {run['run_id']} has no log: it never started (skipped: ")
    assert bg("logs", "after", code=2).err == reported.err
    assert "LOG none: the run never started" in bg("status", "after").out.splitlines()
    bg.jobs(JOBS.replace("exit 3", "exit 0"))
    bg("start", "after", "--wait")
    bg.jobs(JOBS)
    bg("start", "after", "--wait", code=1)
    reported = bg("latest", "after")
    assert (bg.folder / reported.out.strip()).read_text() == "ran\n", "that of the run before"
    assert reported.err == f"a newer run has no log: {bg.state('after')['run_id']} (skipped)\n"


def test_a_run_that_waits_has_no_log_yet(bg: Cli) -> None:
    bg.jobs(JOBS)
    first, waiting = bg.json("start", "one"), bg.json("start", "one")
    assert "LOG none yet" in bg("status", waiting["run_id"]).out.splitlines()
    assert "has not started yet (queued" in bg("logs", waiting["run_id"], code=2).err
    reported = bg("latest", "one")
    assert reported.out.strip() == first["log"]
    assert waiting["run_id"] in reported.err
    (bg.folder / "go").touch()
    bg("wait", "one")


def test_the_whole_directory_of_logs_is_gone(bg: Cli, gone: Path) -> None:
    shutil.rmtree(bg.logs)
    for command in ("logs", "latest", "report", "status", "follow"):
        assert "no run" in bg(command, "x", code=2).err
    assert not gone.exists()


def test_a_start_that_is_skipped_names_no_log(bg: Cli) -> None:
    bg.jobs("jobs: {sign: {command: ls, if: 'false'}}")
    begun, log = bg("start", "sign").out.splitlines()
    assert begun.startswith("SKIPPED sign_")
    assert log == "LOG none: the run never started"
