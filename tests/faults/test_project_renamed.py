"""Fault 16: the folder of the project is renamed, or its log folder removed, while its jobs run."""

from __future__ import annotations

import contextlib
import shutil
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.local.supervision import workdir
from bgrun.system import directories
from tests.conftest import Cli, wait_until
from tests.faults.conftest import command_of, is_gone, kill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOBS = """
jobs:
  one: {command: "until [ -e go ]; do sleep 0.02; done; exit 3", on_finish: ['pwd > hooked; echo $BGRUN_LOG >> hooked']}
  bounded: {command: "sleep 300", timeout: 3s}
  next: {command: "exit 0", depends_on: [one]}
  held: {command: "until [ -e go ]; do sleep 0.02; done", concurrency: {group: g, when_busy: queue}}
  newest: {command: "until [ -e go ]; do sleep 0.02; done", concurrency: {group: n, when_busy: replace}}
  kept: {command: "until [ -e go ]; do sleep 0.02; done", retention: {max_runs: 1}}
  again: {command: "echo try >> tries; sleep 300", retry: {max: 3, backoff: 0s}}
groups: {g: {jobs: [one, next], max_parallel: 1}}
"""


@pytest.fixture
def moving(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    return bg


def rename(bg: Cli) -> None:
    """Rename the project once all that runs has gone into it; from then on the command line is in the renamed one."""
    pids = [run["pid"] for run in bg.json("list", "--state", "running")["runs"] if "members" not in bg.meta(run)]
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):  # its timeout came
            wait_until(lambda pid=pid: psutil.Process(pid).cwd() == str(bg.folder), "the job is in its folder")  # type: ignore[misc]
    now = bg.folder.with_name("renamed")
    bg.folder.rename(now)
    bg.folder = now


@pytest.mark.parametrize("slim", [False, True], ids=["at once", "once it is slim"])
def test_a_single_run(bg: Cli, slimmed: Callable[[dict[str, Any]], int], slim: bool) -> None:
    run = bg.start("x", "until [ -e go ]; do sleep 0.02; done; exit 3")
    if slim:
        slimmed(run)
    rename(bg)
    assert bg.state("x")["state"] == "running"
    (bg.folder / "go").touch()
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert (bg.logs / f"{run['run_id']}.exit").read_text() == "3\n"
    assert not bg.folder.with_name("project").exists()
    assert not [name for name in bg.logs.iterdir() if name.name.startswith(f".{run['run_id']}")]


def test_a_hook_finds_it(moving: Cli) -> None:
    run = moving.json("start", "one")
    rename(moving)
    (moving.folder / "go").touch()
    assert moving.ended("one")["exit_code"] == 3
    hooked = moving.folder / "hooked"
    reported = f"{moving.folder}\n{moving.logs}/{run['run_id']}.log\n"
    wait_until(lambda: hooked.exists() and hooked.read_text() == reported, "the hook knows the new name")


def test_a_timeout_and_a_stop(moving: Cli, slimmed: Callable[[dict[str, Any]], int]) -> None:
    run = moving.start("x", "setsid sleep 300 & sleep 301")
    pids = [command_of(run), run["pid"]]
    slimmed(run)
    moving("start", "bounded")
    rename(moving)
    stopped = moving.json("stop", "x")["runs"][0]
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 143)
    assert all(map(is_gone, pids))
    assert moving.ended("bounded")["state"] == "timed_out"


@pytest.mark.parametrize("orphaned", [False, True], ids=["minded", "orphaned"])
def test_a_stop_of_what_is_tried_again(
    moving: Cli, supervisor_of: Callable[[dict[str, Any]], int], orphaned: bool
) -> None:
    run = moving.json("start", "again")
    command_of(run)
    if orphaned:
        kill(supervisor_of(run))
    rename(moving)
    stopped = moving.json("stop", "again")["runs"][0]
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 143)
    assert (moving.folder / "tries").read_text() == "try\n"


@pytest.mark.parametrize("words", [("run", "x", "--", "sleep", "300"), ("group", "g")], ids=["a run", "a group"])
def test_a_copy_of_a_project_has_no_live_run(moving: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    run = moving.json(*words)
    copy = Cli(tmp_path / "copy", moving.command, moving.env)
    shutil.copytree(moving.folder, copy.folder, symlinks=True)
    copied = copy.state(run["run_id"])
    assert copied["state"] == "lost"
    assert str(moving.logs) in copied["reason"]
    copy("wait", run["run_id"], code=1)
    copy("stop", run["run_id"], code=None)
    assert copy("stop", "--all", code=None)
    assert moving.state(run["run_id"])["state"] == "running"
    moving("stop", "--now", run["run_id"])


def test_a_copy_in_the_old_place_of_a_renamed_project(bg: Cli, supervisor_of: Callable[[dict[str, Any]], int]) -> None:
    run = bg.start("x", "sleep 300")
    kill(supervisor_of(run))
    place = bg.folder
    rename(bg)
    shutil.copytree(bg.folder, place, symlinks=True)
    assert bg.state("x")["state"] == "running"
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
    assert is_gone(run["pid"])


def test_a_group_with_its_log_and_its_queue(moving: Cli) -> None:
    run = moving.json("group", "g")
    rename(moving)
    assert moving.state("g")["state"] == "running"
    assert moving.state("next")["state"] == "queued"
    (moving.folder / "go").touch()
    ended = moving.ended("g")
    assert (ended["state"], ended["exit_code"]) == ("failed", 1)
    assert moving.state("next")["state"] == "skipped"
    assert "failed one_" in (moving.logs / f"{run['run_id']}.log").read_text()


def test_a_concurrency_group(moving: Cli) -> None:
    first, second = (moving.json("start", "held") for _ in range(2))
    rename(moving)
    third = moving.json("start", "held")
    assert [moving.state(run["run_id"])["state"] for run in (first, second, third)] == ["running", "queued", "queued"]
    (moving.folder / "go").touch()
    assert moving.ended(first["run_id"])["state"] == "succeeded"
    # The script of one that waited goes by the old name of its folder, and says so.
    assert moving.ended(second["run_id"])["exit_code"] == 125
    assert moving.ended(third["run_id"])["state"] == "succeeded"


def test_one_that_is_replaced(moving: Cli) -> None:
    first = moving.json("start", "newest")
    rename(moving)
    second = moving.json("start", "newest")
    assert moving.ended(first["run_id"])["state"] == "stopped"
    wait_until(lambda: moving.state(second["run_id"])["state"] == "running", "the newest runs")
    (moving.folder / "go").touch()
    assert moving.ended(second["run_id"])["state"] == "succeeded"


def test_retention(moving: Cli) -> None:
    older = moving.json("run", "kept", "--wait", "--", "true")
    moving("start", "kept")
    rename(moving)
    (moving.folder / "go").touch()
    assert moving.ended("kept")["state"] == "succeeded"
    wait_until(lambda: not (moving.logs / f"{older['run_id']}.meta").exists(), "the older one goes")


def test_the_script_records_its_code_when_the_supervisor_is_gone(
    bg: Cli, supervisor_of: Callable[[dict[str, Any]], int]
) -> None:
    run = bg.start("x", "until [ -e go ]; do sleep 0.02; done; exit 4")
    kill(supervisor_of(run))
    rename(bg)
    assert bg.state("x")["state"] == "running"
    (bg.folder / "go").touch()
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 4)


def test_the_log_directory_is_removed_and_made_anew(bg: Cli) -> None:
    run = bg.start("x", "touch began; until [ -e go ]; do sleep 0.02; done; exit 3")
    wait_until((bg.folder / "began").exists, "its shell has read the job script")
    supervisor = int(bg.meta(run)["supervisor_pid"])
    kill(supervisor, signal.SIGSTOP)  # or it writes its meta again as soon as the folder is there
    shutil.rmtree(bg.logs)
    bg("run", "other", "--wait", "--", "true")
    assert bg("status", "x", code=2)
    kill(supervisor, signal.SIGCONT)
    (bg.folder / "go").touch()
    wait_until(lambda: (bg.logs / f"{run['run_id']}.meta").exists(), "its record is whole again")
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)


def empty(bg: Cli) -> None:
    """Make the log folder one in which the next run of x begins in a second that is long over."""
    directories.ensure_log_dir(str(bg.logs))
    (bg.logs / "jobs" / "x_20990101_000000.sh").touch()


@pytest.mark.parametrize("is_group", [False, True], ids=["a run", "a group"])
def test_a_newer_run_gets_the_id_of_one_whose_files_were_removed(bg: Cli, is_group: bool) -> None:
    bg.jobs("""
        jobs:
          one: {command: "touch began; until [ -e go ]; do sleep 0.02; done"}
        groups: {x: {jobs: [one]}}
    """)
    empty(bg)
    first = (
        bg.json("group", "x")
        if is_group
        else bg.json("run", "x", "--", "sh", "-c", "touch began; until [ -e go ]; do sleep 0.02; done")
    )
    wait_until((bg.folder / "began").exists, "its shell has read the job script")
    supervisor = int(bg.meta(first)["supervisor_pid"])
    kill(supervisor, signal.SIGSTOP)  # or it writes its meta again at once, and its ID stays taken
    shutil.rmtree(bg.logs)
    empty(bg)
    second = bg.json("run", "x", "--", "sleep", "300")
    kill(supervisor, signal.SIGCONT)
    assert second["run_id"] == first["run_id"]
    (bg.folder / "go").touch()
    wait_until(lambda: is_gone(supervisor), "the first is over")
    now = bg.state("x")
    assert (now["state"], now["pid"]) == ("running", second["pid"])
    assert bg("stop", "x").code == 0
    assert bg.state("x")["state"] == "stopped"


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/home/u/p", "/srv/q"),
        ("/home/u/p/sub", "/srv/q/sub"),
        ("/home/u/pp", "/home/u/pp"),
        ("/home/u", "/home/u"),
        ("/elsewhere", "/elsewhere"),
    ],
)
def test_where_a_path_leads_after_a_rename(path: str, leads_to: str) -> None:
    assert workdir.moved(path, "/home/u/p", "/home/u/p/.logs", "/srv/q/.logs") == leads_to
    assert workdir.moved(path, "/home/u/p", "/home/u/p/.logs", "/home/u/p/.logs") == path
    assert workdir.moved(path, "/home/u/p", "/var/log/p", "/var/log/q") == path, "only its runs were moved"


def test_how_a_directory_is_named_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.chdir(tmp_path / "a")
    assert workdir.now(f"{tmp_path}/link") == f"{tmp_path}/link", "as long as it leads there"
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()
    assert workdir.now(f"{tmp_path}/link") == f"{tmp_path}/b"
