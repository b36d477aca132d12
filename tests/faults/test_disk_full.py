"""Fault 6: the disk is full before the start, or becomes so while the job runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli, wait_until
from tests.faults.test_services import members, probers, start, until_state

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def small(bg: Cli, tmp_path: Path) -> Iterator[Cli]:
    """A project whose log folder is on a disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(disk)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    bg.jobs(f"log_dir: {disk}/logs\njobs: {{}}\n")
    yield bg
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    fd = os.open(disk / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(fd, b"x" * size)
    finally:
        os.close(fd)


def test_a_start_that_cannot_keep_its_record_does_not_run_the_job(small: Cli, tmp_path: Path) -> None:
    small("run", "first", "--wait", "--", "true")
    fill(tmp_path / "disk")
    done = small("run", "x", "--", "touch", str(small.folder / "ran"), code=None)
    assert done.code == 2, done
    assert "space" in done.err
    assert not (small.folder / "ran").exists()
    assert [run["label"] for run in small.json("list")["runs"]] == ["first"]
    assert not list((tmp_path / "disk" / "logs").glob("**/*x_2*")), "no half-made run"


@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
def test_the_exit_code_is_recorded_on_a_full_disk(small: Cli, tmp_path: Path, supervised: bool) -> None:
    script = f"until [ -e {small.folder}/go ]; do sleep 0.02; done; echo lost words; exit 3"
    run = small.start("x", script)
    fill(tmp_path / "disk")
    if not supervised:
        os.kill(int(small.meta(run)["supervisor_pid"]), 9)
    (small.folder / "go").touch()
    ended = small.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    exit_file = Path(run["log"].removesuffix(".log") + ".exit")
    assert exit_file.read_text().split() == ["3"]


def test_a_job_that_fills_the_disk_with_its_own_log(small: Cli) -> None:
    small.start("x", "head -c 3000000 /dev/zero | tr '\\0' x; exit 7")
    ended = small.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 7)


def test_looks_leave_nothing_on_a_full_disk(small: Cli, tmp_path: Path) -> None:
    """A summary and a plan that cannot be kept: a part of each would take the last bytes for good."""
    disk = tmp_path / "disk"
    problems = 'for i in $(seq 400); do echo "src/file$i.c:$i:1: error: bad number $i"; done; exit 3'
    small("run", "x", "--", "bash", "-c", problems)
    small("wait", "x", "-q", code=1)
    fill(disk)
    with (disk / "filler").open("r+b") as filler:
        filler.truncate(filler.seek(0, os.SEEK_END) - 6000)
    before = set((disk / "logs").rglob("*"))
    small("report", "x", code=None)
    small("start", "absent", code=2)
    small("status")
    small("run", "y", "--", "true", code=None)
    assert not {path for path in (disk / "logs").rglob("*") if path not in before and path.name[-6:].isdecimal()}


def test_a_disk_that_is_almost_full_is_reported(small: Cli) -> None:
    assert "MiB are free" in small("run", "x", "--wait", "--", "true").err


def test_there_is_room_for_the_result_however_long_the_path_of_the_logs(bg: Cli, tmp_path: Path) -> None:
    logs = tmp_path.joinpath(*["d" * 200] * 10)
    bg.jobs(f"log_dir: {logs}\njobs: {{}}\n")
    run = bg.start("x", "sleep 300")
    reserved = (logs / f".{run['run_id']}.meta").stat().st_size
    assert reserved - Path(run["meta"]).stat().st_size > 800
    bg("stop", "x")


def test_words_that_cannot_be_written_do_not_make_a_success_of_a_timeout(bg: Cli) -> None:
    """The job answers SIGTERM with 0, and something is in the place of its meta until it has ended."""
    bg.jobs("""
        jobs:
          x:
            timeout: 3s
            command: |
              trap 'exit 0' TERM
              mv ".logs/$BGRUN_RUN_ID.meta" kept
              mkdir ".logs/$BGRUN_RUN_ID.meta"
              while :; do sleep 0.05; done
    """)
    run = bg.json("start", "x")
    exit_code = bg.logs / f"{run['run_id']}.exit"
    wait_until(exit_code.exists, "its exit code is there")
    wait_until(lambda: not (bg.logs / f".{run['run_id']}.meta").exists(), "its last words were given up")
    Path(run["meta"]).rmdir()
    (bg.folder / "kept").rename(run["meta"])
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("timed_out", 0)


def test_a_service_becomes_ready_on_a_full_disk_and_is_recorded_once_there_is_room(small: Cli, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    go, done = small.folder / "go", small.folder / "done"
    small.jobs(f"""
log_dir: {disk}/logs
services:
  web: {{command: exec sleep 100, ready: {{command: test -e {go}}}}}
  other: {{command: exec sleep 100, ready: {{command: test -e {go}}}}}
jobs:
  build: {{command: "until [ -e {done} ]; do sleep 0.02; done"}}
  e2e: {{command: touch ran, depends_on: [web, build]}}
""")
    group = start(On(small, disk / "logs"), "start", "e2e")
    other = small.json("start", "other")
    here = On(small, disk / "logs")
    for run_id in (group, other["run_id"]):
        wait_until(lambda run_id=run_id: small.state(run_id)["state"] == "running", "it runs")
    until_state(here, group, "build", "running")
    wait_until(lambda: probers(here, group), "web is checked")
    with contextlib.ExitStack() as held:
        # The last answer of each check is deleted first, which would leave room: not while it is open.
        for answer in wait_until(lambda: _both([*here.logs.glob(".*.ready")]), "answers of both checks"):
            held.enter_context(answer.open())
        fill(disk)
        go.touch()
        wait_until(lambda: not probers(here, group), "web is ready")
        assert members(here, group)["web"]["ready_at"] is None
        assert small("wait", "other", "--until", "ready", "-t", "0.3s", code=124)
    (disk / "filler").unlink(missing_ok=True)
    assert small.json("wait", "other", "--until", "ready", "-t", "20s")["runs"][0]["ready_at"]
    wait_until(lambda: members(here, group)["web"]["ready_at"], "it is recorded")
    done.touch()
    assert small.ended(group)["state"] == "succeeded"
    assert (small.folder / "ran").exists()
    small("stop", "other")


def _both(answers: list[Path]) -> list[Path]:
    """Return the files once there are two, and both have an answer."""
    return answers if len(answers) == 2 and all(one.read_text() for one in answers) else []


class On(Cli):
    """The same project, for helpers that read its log directory, which is somewhere else."""

    def __init__(self, of: Cli, logs: Path) -> None:
        super().__init__(of.folder, of.command, of.env)
        self.elsewhere = logs

    @property
    def logs(self) -> Path:
        return self.elsewhere
