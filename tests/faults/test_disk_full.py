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
