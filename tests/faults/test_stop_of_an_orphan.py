"""Fault 15: the supervisor is killed, and then the run is to be stopped, whatever it does meanwhile."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.conftest import LIMITS_S, wait_until
from tests.faults.conftest import command_of, has_open, is_gone, orphan, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli

    SupervisorOf = Callable[[dict[str, Any]], int]

# Three processes at a time, each of which is another one every few milliseconds, for 20 s at most.
CHAIN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 20
for _ in range(3):
    if os.fork() == 0:
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
            open('moved', 'a').close()
            time.sleep({pause})
        os._exit(0)
time.sleep(0.2)
"""


def living_in(folder: Path) -> list[int]:
    """Return the pids of the processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.parametrize("pause", [0.001, 0.005, 0.05])
@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
def test_processes_that_fork_and_end_all_the_time(bg: Cli, pause: float, supervised: bool) -> None:
    (bg.folder / "chain.py").write_text(CHAIN.format(pause=pause))
    bg.jobs(f"jobs: {{x: {{command: '{sys.executable} chain.py; sleep 300', stop_grace_period: 1s}}}}")
    run = bg.json("start", "x")
    wait_until((bg.folder / "moved").exists, "they move")
    if not supervised:
        orphan(bg, run)
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
    left = living_in(bg.folder)
    assert not left, left


def test_in_a_directory_that_was_renamed(bg: Cli, tmp_path: Path) -> None:
    run = bg.start("x", "setsid sleep 300 & sleep 301; true")
    pids = [command_of(run), run["pid"]]
    orphan(bg, run)
    moved = bg.folder.rename(tmp_path / "renamed")
    assert bg("stop", "x", cwd=moved).out.startswith("stopped")
    assert all(is_gone(pid) for pid in pids)
    assert living_in(moved) == []


def test_a_daemon_with_only_its_stderr_on_the_log(bg: Cli) -> None:
    run = bg.start("x", "(env -i setsid sleep 300 > /dev/null & echo $! > pid); sleep 301; true")
    pid = int(wait_until(written(bg.folder / "pid"), "the process has written its PID"))
    wait_until(lambda: psutil.Process(pid).name() == "sleep", "it is what it is to be")
    orphan(bg, run)
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
    assert is_gone(pid)


def test_whoever_only_looks_at_the_log_is_left_alone(bg: Cli) -> None:
    run = bg.start("x", "sleep 301; true")
    orphan(bg, run)
    readers = [
        subprocess.Popen(["tail", "-f", run["log"]], stdout=subprocess.DEVNULL),
        subprocess.Popen(["sh", "-c", f"exec 3>>'{run['log']}'; sleep 300"], stdout=subprocess.DEVNULL),
    ]
    try:
        wait_until(lambda: all(has_open(one.pid, run["log"]) for one in readers), "both have it open")
        assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
        assert [one.poll() for one in readers] == [None, None]
    finally:
        for one in readers:
            for process in [*psutil.Process(one.pid).children(), one]:
                process.kill()
            one.wait()


def test_what_began_before_the_run_is_no_part_of_it_though_it_writes_to_the_log(bg: Cli) -> None:
    stranger = subprocess.Popen(["sh", "-c", 'read go; exec sleep 300 >>"$go" 2>&1'], stdin=subprocess.PIPE)
    assert stranger.stdin
    try:
        # Starts are told in ticks of 10 ms: of two in one tick neither is the earlier one.
        wait_until(lambda: time.time() > psutil.Process(stranger.pid).create_time() + 0.05, "the next tick")
        run = bg.start("y", "sleep 301; true")
        stranger.stdin.write(run["log"].encode() + b"\n")
        stranger.stdin.flush()
        wait_until(lambda: os.path.samefile(f"/proc/{stranger.pid}/fd/1", run["log"]), "it writes to the log")
        orphan(bg, run)
        assert bg.json("stop", "y")["runs"][0]["state"] == "stopped"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_code_that_the_command_ends_with_when_it_is_asked_to(bg: Cli) -> None:
    run = bg.start("x", "trap 'exit 9' TERM; touch ready; while :; do sleep 0.02; done")
    wait_until((bg.folder / "ready").exists, "it can be asked")
    orphan(bg, run)
    ended = bg.json("stop", "x")["runs"][0]
    assert (ended["state"], ended["exit_code"]) == ("stopped", 9)
    assert bg.meta(ended)["state"] == "stopped"
    assert ended["reason"].startswith("on request (")


GROUP = """
jobs:
  a: {command: "trap 'touch a_asked' TERM; touch a; while :; do sleep 0.05 || :; done", stop_grace_period: 2s}
  b: {command: "trap 'touch b_asked' TERM; touch b; until [ -e go ]; do sleep 0.05 || :; done", stop_grace_period: 10m}
  c: {command: touch c, depends_on: [b]}
groups: {g: {jobs: [a, b, c]}}
"""


def test_of_a_group_all_runs_are_stopped_at_once_each_with_its_own_grace(bg: Cli) -> None:
    bg.jobs(GROUP)
    run = bg.json("group", "g")
    for name in "ab":
        wait_until((bg.folder / name).exists, f"{name} runs")
    orphan(bg, run)
    a, b = bg.state("a"), bg.state("b")
    with ThreadPoolExecutor(1) as pool:
        stop = pool.submit(bg.json, "stop", "g")
        wait_until(lambda: is_gone(a["pid"]), "the one is killed after its own grace period")
        wait_until((bg.folder / "b_asked").exists, "the other is asked as well")
        assert (bg.folder / "a_asked").exists()
        assert not is_gone(b["pid"]), "it has a longer grace period"
        (bg.folder / "go").touch()
        ended = stop.result()["runs"][0]
    assert (ended["state"], ended["reason"]) == ("stopped", "on request")
    assert bg.meta(run)["state"] == "stopped", "the group has closing words"
    assert bg.state(run["run_id"])["duration_s"] >= 2, "it took as long as its runs"
    assert [bg.state(name)["state"] for name in "ab"] == ["stopped", "stopped"]
    assert not (bg.folder / "c").exists()
    assert list(bg.logs.glob(".*.stop")) == []


@pytest.mark.parametrize("by", ["timeout", "stop"])
def test_killed_between_the_signal_and_the_end_of_the_job(bg: Cli, by: str) -> None:
    """The job answers with 0, which is no success: that it was asked to end was recorded before the signal."""
    (bg.folder / "job.sh").write_text("trap 'touch asked; until [ -e go ]; do sleep 0.02; done; exit 0' TERM\n"
                                      "touch ready\nwhile :; do sleep 0.02; done\n")  # fmt: skip
    asking = None
    for within in LIMITS_S:
        limit = f", timeout: {within}s" if by == "timeout" else ""
        bg.jobs(f"jobs: {{x: {{command: [bash, job.sh]{limit}, stop_grace_period: 60s}}}}")
        run = bg.json("start", "x")
        if by == "stop":
            wait_until((bg.folder / "ready").exists, "it can be asked")
            asking = subprocess.Popen([*bg.command, "stop", "x"], cwd=bg.folder, env=bg.env, stdout=subprocess.DEVNULL)
        wait_until(lambda: (bg.folder / "asked").exists() or bg.state("x")["state"] != "running", "it was asked")
        if (bg.folder / "asked").exists():
            break
    orphan(bg, run)
    (bg.folder / "go").touch()
    ended = bg.ended("x")
    if asking:
        assert asking.wait(20) == 0
    assert (ended["state"], ended["exit_code"]) == ("timed_out" if by == "timeout" else "stopped", 0)


@pytest.mark.parametrize("script", ["sleep 300; true", "trap 'exit 9' TERM; while :; do sleep 0.02; done"])
def test_several_stops_at_once(bg: Cli, script: str) -> None:
    """None writes over what another has recorded: that a signal was sent, and the closing words."""
    run = bg.start("x", f"touch ready; {script}")
    wait_until((bg.folder / "ready").exists, "it runs")
    orphan(bg, run)
    stops = [subprocess.Popen([*bg.command, "stop", "x"], cwd=bg.folder, env=bg.env, stdout=subprocess.DEVNULL)
             for _ in range(4)]  # fmt: skip
    assert [one.wait(30) for one in stops] == [0, 0, 0, 0]
    assert bg.meta(run)["state"] == "stopped"
    assert bg.state("x")["state"] == "stopped"
    assert list(bg.logs.glob(".*.stop")) == []


def test_a_job_that_holds_a_lock_on_its_own_log(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'flock 1; touch ready; sleep 300', stop_grace_period: 0s}}")
    run = bg.json("start", "x")
    wait_until((bg.folder / "ready").exists, "it has the lock")
    orphan(bg, run)
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"


# --- from another PID namespace, where no signal leads to the supervisor ------------------------

ELSEWHERE = ["unshare", "--pid", "--fork", "--mount-proc"]


@pytest.fixture
def contained(bg: Cli) -> Cli:
    """The same bgrun, seen from a PID namespace of its own, as in a container that has the project mounted."""
    try:
        possible = subprocess.run([*ELSEWHERE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        possible = False
    if not possible:
        pytest.skip("no PID namespace can be made here (unshare(1) needs root)")
    return type(bg)(bg.folder, [*ELSEWHERE, *bg.command], bg.env)


@pytest.mark.parametrize("slim", [False, True], ids=["at once", "once its supervisor is slim"])
def test_from_another_pid_namespace(
    bg: Cli, contained: Cli, slimmed: Callable[[dict[str, Any]], int], slim: bool
) -> None:
    run = bg.start("x", "trap 'echo bye; exit 7' TERM; touch ready; while :; do sleep 0.02; done")
    wait_until((bg.folder / "ready").exists, "it runs")
    if slim:
        slimmed(run)
    ended = contained.json("stop", "x")["runs"][0]
    assert (ended["state"], ended["exit_code"]) == ("stopped", 7)
    assert "stopped_processes" in bg.meta(run), "its own supervisor did it"
    assert is_gone(run["pid"])


def test_a_group_from_another_pid_namespace(bg: Cli, contained: Cli) -> None:
    bg.jobs("jobs: {a: {command: 'touch a; sleep 300'}, b: {command: 'touch b'}}\n"
            "groups: {g: {jobs: [a, b], max_parallel: 1}}")  # fmt: skip
    bg.json("group", "g")
    wait_until((bg.folder / "a").exists, "the first runs")
    assert contained.json("stop", "g")["runs"][0]["state"] == "stopped"
    assert not (bg.folder / "b").exists()
    assert [bg.state(name)["state"] for name in "ab"] == ["stopped", "stopped"]


def test_from_another_pid_namespace_an_orphan_is_neither_seen_nor_harmed(bg: Cli, contained: Cli) -> None:
    run = bg.start("x", "sleep 300; true")
    orphan(bg, run)
    seen = contained.state("x")
    assert seen["state"] == "lost"
    assert "another PID namespace" in seen["reason"]
    contained("stop", "x")
    assert bg.state("x")["state"] == "running"
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"


def test_from_another_pid_namespace_no_start_and_no_prune_removes_an_orphan(bg: Cli, contained: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'test -e go || { touch began; sleep 300; }; exit $(cat go)',"
            "           retention: {max_runs: 1}}}")  # fmt: skip
    run = bg.json("start", "x")
    wait_until((bg.folder / "began").exists, "it to run")
    orphan(bg, run)
    for code in (3, 0, 0):  # of those that failed the newest is kept anyway
        (bg.folder / "go").write_text(str(code))
        contained("start", "x", "--wait", code=1 if code else 0)
    # What the last start lets go may still be there.
    assert run["run_id"] not in [one["run_id"] for one in contained.json("prune", "--dry-run")["removed"]]
    contained("prune")
    assert bg.state(run["run_id"])["state"] == "running"
    for path in (bg.logs / f"{run['run_id']}.{kind}" for kind in ("meta", "log")):
        os.utime(path, (0, 1_700_000_000))
    # Nobody can tell for ever: where nothing was written for a week it is let go.
    assert [one["run_id"] for one in contained.json("prune", "--dry-run")["removed"]] == [run["run_id"]]
    assert run["run_id"] not in bg("prune", "--dry-run").out
    assert bg.json("stop", run["run_id"])["runs"][0]["state"] == "stopped"


def test_several_stops_of_a_group_at_once(bg: Cli) -> None:
    """The later ones find all of it on its way out; that the first has sent its signals stays in the record."""
    bg.jobs("jobs: {a: {command: sleep 300}, b: {command: sleep 300}}\ngroups: {g: {jobs: [a, b]}}")
    for _ in range(3):
        run = bg.json("group", "g")
        orphan(bg, run)
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda ref: bg("stop", ref), [run["run_id"]] * 4))
        assert not [one for one in done if "error" in one.err], done
        for one in [run, *run.get("runs", ())]:
            state = bg.state(one["run_id"])
            assert state["state"] == "stopped", state
        assert not list(bg.logs.glob(".*.stop*")), "a request is left"


def test_the_supervisor_is_killed_when_only_a_part_has_ended(bg: Cli) -> None:
    """The job answers the stop and its script says so, and with that the run has ended; a child of it has not."""
    bg.jobs("jobs: {x: {command: ./x.sh, stop_grace_period: 5s}}")
    (bg.folder / "deaf.sh").write_text("trap '' TERM\necho $$ > deaf\nwhile :; do sleep 0.05; done\n")
    (bg.folder / "x.sh").write_text("#!/bin/bash\ntrap 'exit 0' TERM\nbash deaf.sh &\nwhile :; do sleep 0.05; done\n")
    (bg.folder / "x.sh").chmod(0o755)
    run = bg.json("start", "x")
    deaf = int(wait_until(written(bg.folder / "deaf"), "all of it runs"))
    with ThreadPoolExecutor(1) as pool:
        stop = pool.submit(bg.json, "stop", "x")
        wait_until(lambda: is_gone(run["pid"]), "the job has answered")
        orphan(bg, run)
        ended = stop.result()["runs"][0]
    assert (ended["state"], ended["exit_code"]) == ("stopped", 0)
    assert is_gone(deaf)
