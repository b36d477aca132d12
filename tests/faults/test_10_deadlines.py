"""Fault 10: a timeout is kept whatever happens to the clock, the machine or the job."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.local import kernel
from tests.conftest import wait_until
from tests.faults.conftest import is_gone, kill

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_a_job_that_runs_too_long_is_stopped_and_says_so(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: sleep 300, timeout: 300ms}}")
    ended = bg.json("start", "x", "--wait", code=1)
    assert (ended["state"], ended["exit_code"], ended["signal"]) == ("timed_out", 143, "SIGTERM")
    assert "timeout" in ended["reason"]
    assert "ended" in bg.meta(ended)["reason"]


def test_also_when_the_job_ignores_sigterm(bg: Cli) -> None:
    bg.jobs(
        "jobs: {x: {command: 'trap \"\" TERM; sleep 300 & wait; sleep 300', timeout: 300ms, stop_grace_period: 300ms}}"
    )
    ended = bg.json("start", "x", "--wait", code=1)
    assert (ended["state"], ended["exit_code"]) == ("timed_out", 137)


def test_also_when_the_job_answers_with_success(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'trap \"exit 0\" TERM; while :; do sleep 0.02; done', timeout: 300ms}}")
    ended = bg.json("start", "x", "--wait", code=1)
    assert (ended["state"], ended["exit_code"]) == ("timed_out", 0)


def test_a_supervisor_that_slept_beyond_the_deadline_keeps_it_when_it_wakes(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: sleep 300, timeout: 600ms}}")
    run = bg.json("start", "x")
    pid = int(bg.meta(run)["supervisor_pid"])
    kill(pid, signal.SIGSTOP)
    time.sleep(0.8)  # the machine sleeps for this long
    assert bg.state("x")["state"] == "running"
    kill(pid, signal.SIGCONT)
    assert bg.ended("x")["state"] == "timed_out"


def test_the_clock_that_deadlines_go_by_cannot_be_set() -> None:
    """Setting the time of day moves neither of these (clock_gettime(2)); boot time goes on in sleep."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    assert abs(kernel.steady_clock() - time.clock_gettime(clock)) < 1


def test_a_job_in_another_time_is_no_exception(bg: Cli) -> None:
    """In a time namespace the clocks of the job jump; the supervisor's do not."""
    shift = ["unshare", "-T", "--boottime", "1000000", "--monotonic", "1000000", "true"]
    if subprocess.run(shift, capture_output=True, check=False).returncode:
        pytest.skip("time namespaces need root and Linux 5.6")
    bg.jobs("jobs: {x: {command: 'unshare -T --boottime 1000000 --monotonic 1000000 sleep 300', timeout: 500ms}}")
    run = bg.json("start", "x")
    assert bg.ended("x")["state"] == "timed_out"
    wait_until(lambda: is_gone(run["pid"]), "it is gone")
