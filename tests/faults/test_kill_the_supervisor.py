"""Fault 2: the supervisor is killed. The job goes on and the job script records its code."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.system import clock
from tests.conftest import LIMITS_S, wait_until
from tests.faults.conftest import command_of, is_gone, kill, orphan

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli

    SupervisorOf = Callable[[dict[str, Any]], int]


@pytest.mark.parametrize(("code", "state"), [(0, "succeeded"), (3, "failed")])
def test_its_later_exit_code_is_recorded(bg: Cli, supervisor_of: SupervisorOf, code: int, state: str) -> None:
    go = bg.folder / "go"
    before = time.time()
    run = bg.start("x", f"until [ -e {go} ]; do sleep 0.02; done; exit {code}")
    kill(supervisor_of(run))
    wait_until(lambda: is_gone(supervisor_of(run)), "the supervisor is gone")
    assert bg.state("x")["state"] == "running"
    go.touch()
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == (state, code)
    began, over = clock.epoch(ended["started_at"]), clock.epoch(ended["ended_at"])
    assert began
    assert over
    assert before - 1 < began <= over < time.time() + 1
    assert ended["duration_s"] == pytest.approx(over - began, abs=0.01)
    assert ended["duration_s"] < 60


def test_killed_between_the_words_of_the_script_and_its_own(bg: Cli, supervisor_of: SupervisorOf) -> None:
    """The script sees a living parent, and leaves it to that to bring the code into view."""
    go = bg.folder / "go"
    run = bg.start("x", f"until [ -e {go} ]; do sleep 0.02; done; exit 4")
    kill(supervisor_of(run), signal.SIGSTOP)
    go.touch()
    wait_until(lambda: is_gone(run["pid"]), "the script is over")
    assert bg.state("x")["state"] == "running"
    kill(supervisor_of(run))
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 4)
    assert ended["duration_s"] is not None
    assert Path(run["log"].removesuffix(".log") + ".exit").read_text() == "4\n", "whoever looks brings it into view"


def test_once_it_is_re_executed_it_still_records_the_exit_code(bg: Cli, slimmed: SupervisorOf) -> None:
    run = bg.start("x", "sleep 300")
    pid = slimmed(run)
    assert pid == int(bg.meta(run)["supervisor_pid"])
    kill(command_of(run))
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"], ended["signal"]) == ("failed", 137, "SIGKILL")


def test_once_it_is_re_executed_it_can_be_stopped_and_killed(bg: Cli, slimmed: SupervisorOf) -> None:
    run = bg.start("x", "trap '' TERM; setsid sleep 300 & sleep 301")
    slimmed(run)
    other = bg.start("y", "sleep 300")
    kill(slimmed(other))
    assert bg.state("y")["state"] == "running"
    for label in ("x", "y"):
        assert bg.json("stop", label)["runs"][0]["state"] == "stopped"


def test_stop_still_works(bg: Cli, supervisor_of: SupervisorOf) -> None:
    run = bg.start("x", "setsid sleep 300 & sleep 301")
    pids = [command_of(run), run["pid"]]
    kill(supervisor_of(run))
    ended = bg.json("stop", "x")["runs"][0]
    assert ended["state"] == "stopped"
    assert all(is_gone(pid) for pid in pids)
    assert bg.state("x")["state"] == "stopped"


def test_a_timeout_that_nobody_keeps_any_more_is_no_result(bg: Cli, supervisor_of: SupervisorOf) -> None:
    for within in LIMITS_S:
        bg.jobs(f"jobs: {{x: {{command: 'until [ -e go ]; do sleep 0.02; done', timeout: {within}s}}}}")
        before = clock.steady_clock()
        run = bg.json("start", "x")
        after = clock.steady_clock()
        with contextlib.suppress(ProcessLookupError):
            kill(supervisor_of(run))
        if clock.steady_clock() < before + within:  # it was killed by then, whenever its launch was
            break
        bg("stop", "x")
    wait_until(lambda: clock.steady_clock() > after + within, "the timeout is over")
    (bg.folder / "go").touch()
    assert bg.ended("x")["state"] == "succeeded"


def test_both_die_unseen(bg: Cli, supervisor_of: SupervisorOf) -> None:
    bg.json("run", "x", "--wait", "--", "true")
    run = bg.start("x", "sleep 300; true")
    pid = command_of(run)
    kill(supervisor_of(run))
    kill(run["pid"])
    kill(pid)
    lost = bg.ended("x")
    assert (lost["state"], lost["exit_code"]) == ("lost", None)
    assert "without recording it" in lost["reason"]
    assert bg("wait", "x", code=1).out.startswith("lost")


def test_the_job_script_killed_by_sigterm_alone_does_not_invent_a_code(bg: Cli, supervisor_of: SupervisorOf) -> None:
    """Bash runs its EXIT trap with status 0 when SIGTERM ends it: that is not the command's code."""
    import signal

    run = bg.start("x", "sleep 300; true")
    pid = command_of(run)
    kill(supervisor_of(run))
    kill(run["pid"], signal.SIGTERM)
    wait_until(lambda: is_gone(run["pid"]), "the job script is gone")
    assert bg.ended("x")["state"] == "lost"
    assert not Path(run["log"].removesuffix(".log") + ".exit").exists()
    kill(pid)


def test_after_a_restart_of_the_machine(bg: Cli, supervisor_of: SupervisorOf) -> None:
    """Even if some process has the same pid by then."""
    run = bg.start("x", "sleep 300; true")
    pid = command_of(run)
    kill(supervisor_of(run))
    wait_until(lambda: is_gone(supervisor_of(run)), "the supervisor is gone")
    meta = Path(run["meta"])
    meta.write_text(meta.read_text().replace(bg.meta(run)["boot_id"], "another-boot"))
    lost = bg.state("x")
    assert (lost["state"], lost["exit_code"]) == ("lost", None)
    assert "restarted" in lost["reason"]
    for one in (run["pid"], pid):
        kill(one)


def test_a_group_goes_on_without_its_supervisor(bg: Cli) -> None:
    bg.jobs(
        "jobs: {a: {command: 'until [ -e go ]; do sleep 0.02; done; exit 3'}, b: {command: sleep 0.01},"
        " c: {command: 'true'}}\n"
        "groups: {g: {jobs: [a, c], max_parallel: 1}}"
    )
    run = bg.json("group", "g")
    orphan(bg, run)
    assert bg.state("g")["state"] == "running"
    assert bg.state("a")["state"] == "running"
    assert bg.state("c")["state"] == "skipped"
    (bg.folder / "go").touch()
    assert bg.ended("a")["exit_code"] == 3
    ended = bg.ended("g")
    assert (ended["state"], ended["exit_code"]) == ("failed", 1)
    assert "supervisor" in bg.state("c")["reason"]


@pytest.mark.parametrize(
    ("jobs", "state", "code", "reason"),
    [
        ("a: {command: WAIT}, never: {command: 'false', if: 'false'}", "succeeded", 0, None),
        ("a: {command: WAIT; exit 3}, never: {command: 'true', if: 'false'}", "failed", 1, "1 failed of 1"),
        (
            "a: {command: WAIT}, b: {command: exit 3}, never: {command: 'true', if: 'false'}",
            "failed",
            1,
            "1 failed of 2",
        ),
    ],
)
def test_of_an_orphaned_group_what_was_not_to_run_spoils_nothing(
    bg: Cli, supervisor_of: SupervisorOf, jobs: str, state: str, code: int, reason: str | None
) -> None:
    names = ", ".join(name for name in ("a", "b", "never") if f"{name}:" in jobs)
    waiting = jobs.replace("WAIT", "'until [ -e go ]; do sleep 0.02; done; :'").replace(":'; exit 3", ":; exit 3'")
    bg.jobs(f"jobs: {{{waiting}}}\ngroups: {{g: {{jobs: [{names}]}}}}")
    run = bg.json("group", "g")
    if "b" in names:
        assert bg.ended("b")["state"] == "failed"
    kill(supervisor_of(run))
    wait_until(lambda: is_gone(supervisor_of(run)), "the supervisor is gone")
    assert bg.state(run["run_id"])["state"] == "running"
    (bg.folder / "go").touch()
    ended = bg.ended(run["run_id"])
    assert (ended["state"], ended["exit_code"], ended["reason"]) == (state, code, reason)
    assert bg.state("never")["state"] == "skipped"


@pytest.mark.parametrize(("code", "state"), [(0, "succeeded"), (3, "failed")])
def test_a_group_took_as_long_as_its_last_run(bg: Cli, supervisor_of: SupervisorOf, code: int, state: str) -> None:
    bg.jobs(f"""
        jobs:
          one: {{command: "exit 0"}}
          two: {{command: "until [ -e go ]; do sleep 0.02; done; exit {code}"}}
        groups: {{g: {{jobs: [one, two]}}}}
    """)
    run = bg.json("group", "g")
    assert bg.ended("one")["state"] == "succeeded"
    kill(supervisor_of(run))
    began = clock.epoch(run["started_at"])
    assert began
    wait_until(lambda: time.time() > began + 0.5, "some time has passed")
    (bg.folder / "go").touch()
    last, ended = bg.ended("two"), bg.ended("g")
    assert (ended["state"], ended["exit_code"], ended["ended_at"]) == (state, int(bool(code)), last["ended_at"])
    assert ended["duration_s"] >= 0.4
    assert (bg.logs / f"{run['run_id']}.exit").read_text() == f"{int(bool(code))}\n"
