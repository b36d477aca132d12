"""Fault 14: several runs of a label. It means its live runs, or else its newest; a command that is about one names the others."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.conftest import wait_until
from tests.faults.conftest import command_of, is_gone, kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli

JOBS = """
jobs:
  one:
    command: touch "$BGRUN_RUN_ID.ran"; until [ -e {{ n }}.go ]; do sleep 0.02; done
    params: {n: {type: integer, default: 1}}
    concurrency: {group: line, limit: 1}
  watch:
    command: until [ -e {{ n }}.go ]; do sleep 0.02; done
    label: watch_{{ n }}
    params: {n: {type: integer}}
groups: {both: {jobs: [one]}}
"""
WAITS = "until [ -e {} ]; do sleep 0.02; done"
STUBBORN = "trap 'echo asked' TERM; echo ready; until [ -e {} ]; do sleep 0.02; done"
PATIENT = "defaults: {stop_grace_period: 10m}\njobs: {}"


def ids(runs: list[dict[str, Any]]) -> list[str]:
    return [run["run_id"] for run in runs]


def states(bg: Cli, runs: list[dict[str, Any]]) -> set[str]:
    return {bg.state(run["run_id"])["state"] for run in runs}


@pytest.fixture
def two(bg: Cli) -> list[dict[str, Any]]:
    """Two live runs of one label, the older first."""
    return [bg.start("x", "exec sleep 300"), bg.start("x", "exec sleep 301")]


def test_stop_ends_all_live_runs_of_a_label_and_none_of_another(bg: Cli, two: list[dict[str, Any]]) -> None:
    other = bg.start("x_y", "exec sleep 302")
    reported = bg.json("stop", "x")["runs"]
    assert ids(reported) == ids(two)[::-1], "the newest first"
    assert {run["state"] for run in reported} == states(bg, two) == {"stopped"}
    assert bg.state("x_y")["state"] == "running"
    bg("stop", other["run_id"])


@pytest.mark.parametrize("orphaned", [False, True])
def test_they_are_stopped_at_once_not_one_after_the_other(
    bg: Cli, orphaned: bool, supervisor_of: Callable[[dict[str, Any]], int]
) -> None:
    job = "trap 'touch asked.$BGRUN_RUN_ID' TERM; touch ready.$BGRUN_RUN_ID; until [ -e go ]; do sleep 0.05 || :; done"
    bg.jobs(f'jobs: {{x: {{command: "{job}", stop_grace_period: 10m}}}}')
    runs = [bg.json("start", "x") for _ in range(4)]
    wait_until(lambda: len(list(bg.folder.glob("ready.*"))) == 4, "their traps are set")
    for run in runs if orphaned else ():
        kill(supervisor_of(run))
        wait_until(lambda run=run: is_gone(supervisor_of(run)), "the supervisor is gone")
    stopping = subprocess.Popen([*bg.command, "stop", "x"], cwd=bg.folder, env=bg.env, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(list(bg.folder.glob("asked.*"))) == 4, "each is asked while the others still run")
    (bg.folder / "go").touch()
    assert stopping.wait(timeout=20) == 0
    assert states(bg, runs) == {"stopped"}


def test_stop_takes_those_in_line_first_so_that_none_of_them_starts(bg: Cli) -> None:
    bg.jobs(JOBS)
    first = bg.json("start", "one")
    wait_until((bg.folder / f"{first['run_id']}.ran").exists, "the first runs")
    waiting = [bg.json("start", "one") for _ in range(3)]
    assert states(bg, waiting) == {"queued"}
    bg("stop", "one")
    assert states(bg, [first, *waiting]) == {"stopped"}
    assert [path.stem for path in bg.folder.glob("*.ran")] == [first["run_id"]]
    assert {bg.state(run["run_id"])["started_at"] for run in waiting} == {None}


def test_one_that_waits_and_was_asked_to_end_does_not_start_even_if_its_turn_comes_first(
    bg: Cli, supervisor_of: Callable[[dict[str, Any]], int]
) -> None:
    """Its supervisor hears of both at the same moment: that it is to end, and that a slot is free."""
    bg.jobs(JOBS)
    first, waiting = bg.json("start", "one"), bg.json("start", "one")
    held = int(bg.meta(waiting)["supervisor_pid"])
    kill(held, signal.SIGSTOP)
    (bg.logs / f".{waiting['run_id']}.stop").write_text("reason=stop\n")
    kill(supervisor_of(first), signal.SIGTERM)
    wait_until(lambda: bg.state(first["run_id"])["state"] == "stopped", "the first is over")
    kill(held, signal.SIGCONT)
    ended = bg.ended(waiting["run_id"])
    assert (ended["state"], ended["started_at"]) == ("stopped", None)


@pytest.mark.parametrize("failing", [0, 1])
def test_wait_is_for_all_of_them_and_for_the_worst(bg: Cli, failing: int) -> None:
    runs = [
        bg.start("x", f"{WAITS.format(bg.folder / str(place))}; exit {3 if place == failing else 0}")
        for place in range(2)
    ]
    (bg.folder / "1").touch()
    wait_until(lambda: bg.state(runs[1]["run_id"])["state"] not in ("queued", "running"), "the newer is over")
    (bg.folder / "0").touch() if failing else None
    both = bg("wait", *ids(runs), "-t", "20s" if failing else "0.1s", code=None)
    assert both.code == (1 if failing else 124)
    (bg.folder / "0").touch()
    assert bg("wait", *ids(runs), code=None).code == 1


def test_wait_ends_with_the_last_of_them(bg: Cli) -> None:
    go = bg.folder / "go"
    older = bg.start("x", f"{WAITS.format(go)}; exit 3")
    newer = bg.start("x", f"{WAITS.format(go)}; exit 0")
    assert bg("wait", "x", "-t", "0.1s", code=124)
    waiting = subprocess.Popen([*bg.command, "wait", "x"], cwd=bg.folder, env=bg.env, stdout=subprocess.PIPE)
    waiter = psutil.Process(waiting.pid)
    wait_until(lambda: any(file.path.endswith(".pid") for file in waiter.open_files()), "it waits for a lock")
    go.touch()
    reported, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == 1
    assert older["run_id"] in reported.decode()
    assert newer["run_id"] in reported.decode()


def test_none_is_waited_for_that_was_asked_to_end_unless_by_its_run_id(bg: Cli) -> None:
    bg.jobs(PATIENT)
    go = bg.folder / "go"
    old = bg.start("x", STUBBORN.format(go))
    wait_until(lambda: "ready" in bg("logs", old["run_id"]).out, "its trap is set")
    stopping = subprocess.Popen([*bg.command, "stop", old["run_id"]], cwd=bg.folder, env=bg.env)
    wait_until(lambda: "asked" in bg("logs", old["run_id"]).out, "it was asked to end")
    assert bg("wait", "x", "-t", "0.1s", code=None).code == 124, "no other is live"
    new = bg.start("x", f"{WAITS.format(bg.folder / 'new')}")
    (bg.folder / "new").touch()
    reported = bg.json("wait", "x", "-t", "20s")["runs"]
    assert [(run["run_id"], run["state"]) for run in reported] == [(new["run_id"], "succeeded")]
    assert bg.state(old["run_id"])["state"] == "running"
    assert new["run_id"] in bg("follow", "x").err
    assert bg("wait", old["run_id"], "-t", "0.1s", code=None).code == 124
    go.touch()
    assert stopping.wait(timeout=20) == 0
    assert bg.ended(old["run_id"])["state"] == "stopped"


def test_status_shows_each_live_run_the_newest_first(bg: Cli, two: list[dict[str, Any]]) -> None:
    lines = bg("status", "x").out.splitlines()
    assert [line for line in lines if line.startswith("RUNNING")] == [
        f"RUNNING label=x pid={run['pid']}" for run in two[::-1]
    ]
    assert lines[0].startswith("RUNNING"), "what `head -1` shows"
    assert "EXITCODE" not in "".join(lines)
    assert ids(bg.json("status", "x")["runs"]) == ids(two)[::-1]
    assert ids(bg.json("status", "x", two[0]["run_id"])["runs"]) == ids(two)[::-1], "each once"
    bg("stop", two[1]["run_id"])
    assert ids(bg.json("status", "x")["runs"]) == ids(two)[:1], "a finished one only where none lives"
    bg("stop", "x")
    assert ids(bg.json("status", "x")["runs"]) == ids(two)[1:], "then the newest"
    assert bg("status", "x").out.startswith(f"NOT RUNNING label=x pid={two[1]['pid']}\nEXITCODE ")


def test_the_first_line_of_one_that_waits(bg: Cli) -> None:
    bg.jobs(JOBS)
    bg.json("start", "one")
    waiting = bg.json("start", "one")
    assert bg("status", waiting["run_id"]).out.startswith("QUEUED label=one pid=\nSTATE queued ")
    bg("stop", "one")


@pytest.mark.parametrize("command", ["wait", "status", "follow"])
def test_the_exit_code_of_several_is_refused_before_any_waiting(
    bg: Cli, two: list[dict[str, Any]], command: str
) -> None:
    reported = bg(command, "x", "--exit-code", code=2)
    assert all(run_id in reported.err for run_id in ids(two))
    assert reported.out == ""
    bg("stop", "--all")


def test_what_is_about_one_run_takes_the_newest_and_names_the_others(bg: Cli) -> None:
    runs = [bg.start("x", f"echo {word}; {WAITS.format(bg.folder / 'go')}") for word in ("older", "newer")]
    for run in runs:
        wait_until(lambda run=run: bg("logs", run["run_id"]).out, "it has written")
    for command in ("logs", "report", "latest"):
        reported = bg(command, "x")
        assert f"also active: {runs[0]['run_id']}\n" in reported.err, reported
        assert ("newer" if command == "logs" else runs[1]["run_id"]) in reported.out
        assert "also active" not in bg(command, runs[1]["run_id"]).err
    again = bg("rerun", "x")
    assert runs[0]["run_id"] in again.err
    wait_until(lambda: "newer" in bg("logs", "x").out, "the third has written what the second did")
    (bg.folder / "go").touch()
    bg("wait", "x")


def test_follow_shows_all_of_them_with_their_names(bg: Cli) -> None:
    go = bg.folder / "go"
    runs = [bg.start("x", f"echo {word}; {WAITS.format(go)}; exit {code}") for word, code in (("a", 0), ("b", 3))]
    following = subprocess.Popen(
        [*bg.command, "follow", "x"], cwd=bg.folder, env=bg.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert following.stdout
    seen = [following.stdout.readline(), following.stdout.readline()]
    go.touch()
    out, err = following.communicate(timeout=20)
    assert out == b""
    assert sorted(line.decode().strip() for line in seen) == [f"{runs[0]['run_id']} | a", f"{runs[1]['run_id']} | b"]
    assert all(run_id in err.decode() for run_id in ids(runs))
    assert following.returncode == 1
    assert bg("follow", "x", code=1).out == "b\n", "of one there is no need for its name"


def test_stop_without_a_name_ends_nothing(bg: Cli, two: list[dict[str, Any]]) -> None:
    assert "bgrun stop --all" in bg("stop", code=2).err
    assert states(bg, two) == {"running"}
    bg("stop", "--all", "x", code=2)
    assert states(bg, two) == {"running"}
    bg.start("y", "exec sleep 300")
    reported = bg.json("stop", "--all")["runs"]
    assert {run["state"] for run in reported} == {"stopped"}
    assert {run["label"] for run in reported} == {"x", "y"}
    assert bg.json("stop", "--all")["runs"] == []


def test_stop_all_takes_groups_and_what_waits(bg: Cli) -> None:
    bg.jobs(JOBS)
    group, single = bg.json("group", "both"), bg.json("start", "watch", "1")
    waiting = bg.json("start", "one")
    reported = bg.json("stop", "--all")["runs"]
    assert sorted(ids(reported)) == sorted(ids([group, single, waiting]))
    assert states(bg, [group, *group["runs"], single, waiting]) == {"stopped"}
    assert not (bg.folder / f"{waiting['run_id']}.ran").exists()


def test_the_name_of_a_job_means_its_live_runs_whatever_their_labels(bg: Cli) -> None:
    bg.jobs(JOBS)
    runs = [bg.json("start", "watch", n) for n in ("1", "2", "3")]
    (bg.folder / "2.go").touch()
    bg("wait", "watch_2")
    assert ids(bg.json("status", "watch")["runs"]) == ids([runs[2], runs[0]])
    assert ids(bg.json("stop", "watch")["runs"]) == ids([runs[2], runs[0]])
    assert states(bg, runs) == {"stopped", "succeeded"}
    assert ids(bg.json("status", "watch")["runs"]) == ids([runs[2]])


def test_a_run_that_asks_for_the_end_of_its_own_label_ends_nothing(bg: Cli) -> None:
    other = bg.start("x", "exec sleep 300")
    run = bg.start(
        "x", f"{' '.join(bg.command)} stop x; code=$?; {' '.join(bg.command)} stop --all; exit $((code + $?))"
    )
    assert bg.ended(run["run_id"])["exit_code"] == 4
    assert bg.state(other["run_id"])["state"] == "running"
    bg("stop", "x")


def test_what_cannot_be_ended_does_not_keep_the_others_alive(bg: Cli, two: list[dict[str, Any]]) -> None:
    (bg.logs / f".{two[1]['run_id']}.stop").mkdir()
    reported = bg("stop", "x", code=None)
    assert reported.code != 0
    assert ".stop" in reported.err
    (bg.logs / f".{two[1]['run_id']}.stop").rmdir()
    kill(command_of(two[1]))
    bg("stop", "--all")


@pytest.mark.parametrize("how", ["supervised", "orphaned", "after a stop", "group"])
def test_now_skips_the_grace_period(bg: Cli, how: str, supervisor_of: Callable[[dict[str, Any]], int]) -> None:
    """Nothing is asked of the job; one that is in its grace period is killed there and then."""
    bg.jobs(
        "jobs: {x: {command: \"trap 'echo asked' TERM; touch ready; while :; do sleep 0.05 || true; done\","
        " stop_grace_period: 10m}}\n"
        "groups: {g: {jobs: [x]}}"
    )
    group = bg.json("group", "g") if how == "group" else None
    run = group["runs"][0] if group else bg.json("start", "x")
    wait_until((bg.folder / "ready").exists, "its trap is set")
    asking = None
    if how == "orphaned":
        kill(supervisor_of(run))
        wait_until(lambda: is_gone(supervisor_of(run)), "the supervisor is gone")
    if how == "after a stop":
        asking = subprocess.Popen([*bg.command, "stop", "x", "-q"], cwd=bg.folder, env=bg.env)
        wait_until(lambda: "asked" in bg("logs", "x").out, "it was asked")
    reported = bg.json("stop", "g" if group else "x", "--now")["runs"]
    assert [one["state"] for one in reported] == ["stopped"]
    ended = bg.state(run["run_id"])
    # Without the supervisor nobody saw how it ended, only that it was stopped.
    code = None if how == "orphaned" else 137
    assert (ended["state"], ended["exit_code"]) == ("stopped", code)
    assert bg("logs", run["run_id"]).out.count("asked") == (1 if asking else 0)
    assert asking is None or asking.wait(timeout=20) == 0


def test_a_second_stop_takes_nothing_back_of_the_first(bg: Cli, supervisor_of: Callable[[dict[str, Any]], int]) -> None:
    """The first has sent its signal; should the supervisor be killed now, the run was stopped, whatever it says."""
    bg.jobs(PATIENT)
    go = bg.folder / "go"
    run = bg.start("x", f"{STUBBORN.format(go)}; exit 0")
    wait_until(lambda: "ready" in bg("logs", "x").out, "its trap is set")
    first = subprocess.Popen([*bg.command, "stop", "x", "-q"], cwd=bg.folder, env=bg.env)
    wait_until(lambda: "asked" in bg("logs", "x").out, "it was asked")
    second = subprocess.Popen([*bg.command, "stop", "x", "-q"], cwd=bg.folder, env=bg.env)
    pid_file = str(bg.logs / f"{run['run_id']}.pid")
    waiter = psutil.Process(second.pid)
    wait_until(lambda: any(file.path == pid_file for file in waiter.open_files()), "the second waits too")
    for one in (first, second):
        kill(one.pid)
        one.wait()
    kill(supervisor_of(run))
    go.touch()
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("stopped", 0)


def test_no_retention_takes_the_result_from_whoever_waits_for_it(bg: Cli) -> None:
    """The older of two runs ends last: at its end it is one more than its label may have."""
    bg.jobs("""
        jobs:
          x:
            command: "until [ -e {{ go }} ]; do sleep 0.02; done; exit 6"
            params: {go: {required: true}}
            retention: {max_runs: 1}
    """)
    first, second = (bg.json("start", "x", f"go={name}")["run_id"] for name in ("first", "second"))
    for name, run_id in (("second", second), ("first", first)):
        (bg.folder / name).touch()
        supervisor = int(bg.meta(bg.state(run_id))["supervisor_pid"])
        assert bg("wait", run_id, code=1).out.split()[:3] == ["failed", run_id, "exit=6"]
        wait_until(lambda pid=supervisor: is_gone(pid), "its supervisor has ended")
        assert bg.state(run_id)["exit_code"] == 6
    (bg.folder / "third").touch()
    bg("start", "x", "go=third", "--wait", code=1)
    wait_until(lambda: len(bg.json("list", "--all")["runs"]) == 1, "the older ones were deleted")
