"""Fault 10: a timeout is kept whatever happens to the clock, the machine or the job."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.system import clock
from tests.conftest import LIMITS_S, TOP, wait_until
from tests.faults.conftest import is_gone, kill

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_a_job_that_runs_too_long_is_stopped_and_says_so(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: sleep 300, timeout: 300ms}}")
    ended = bg.json("start", "x", "--wait", code=1)
    assert (ended["state"], ended["exit_code"], ended["signal"]) == ("timed_out", 143, "SIGTERM")
    assert "timeout" in ended["reason"]
    assert "stopped)" in bg.meta(ended)["reason"]


def answering(bg: Cli, trap: str, then: str, grace: str = "10s") -> tuple[str, int]:
    """Return how a job ends that had set a trap for SIGTERM before its timeout came."""
    for within in LIMITS_S:
        words = f"trap '{trap}' TERM; touch ready; {then}"
        bg.jobs(f'jobs: {{x: {{command: "{words}", timeout: {within}s, stop_grace_period: {grace}}}}}')
        ended = bg.json("start", "x", "--wait", code=1)
        if (bg.folder / "ready").exists():
            return ended["state"], ended["exit_code"]
    pytest.fail("the job never set its trap")


def test_also_when_the_job_ignores_sigterm(bg: Cli) -> None:
    assert answering(bg, "", "sleep 300 & wait; sleep 300", "300ms") == ("timed_out", 137)


def test_also_when_the_job_answers_with_success(bg: Cli) -> None:
    assert answering(bg, "exit 0", "while :; do sleep 0.02; done") == ("timed_out", 0)


def test_a_supervisor_that_slept_beyond_the_deadline_keeps_it_when_it_wakes(bg: Cli) -> None:
    for within in LIMITS_S:
        bg.jobs(f"jobs: {{x: {{command: sleep 300, timeout: {within}s}}}}")
        before = clock.steady_clock()
        run = bg.json("start", "x")
        after = clock.steady_clock()
        pid = int(bg.meta(run)["supervisor_pid"])
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGSTOP)
        asleep = clock.steady_clock() < before + within  # by then, whenever its launch was
        wait_until(lambda: clock.steady_clock() > after + within, "the deadline is over")  # noqa: B023
        seen = bg.state("x")["state"]
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGCONT)
        assert bg.ended("x")["state"] == "timed_out"
        if asleep:
            break
    assert asleep
    assert seen == "running"


LOOK = "import time; from bgrun.system import clock; print(clock.steady_clock(), time.time())"


def _clocks(*inside: str) -> tuple[float, float]:
    """Return the clock that deadlines go by and the time of day, as a process started by these words sees them."""
    done = subprocess.run([*inside, sys.executable, "-c", LOOK], cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no such namespace here: {done.stderr.strip()}")
    steady, of_day = map(float, done.stdout.split())
    return steady, of_day


def test_the_clock_that_deadlines_go_by_is_not_the_one_that_can_be_set() -> None:
    """It counts from the start of the machine: whoever sets the time of day does not move it (clock_gettime(2))."""
    steady, of_day = _clocks()
    assert abs(steady - of_day) > 10 * 365 * 86400


def test_the_clock_that_deadlines_go_by_goes_on_while_the_machine_sleeps() -> None:
    """What a machine slept is what boot time is ahead of the monotonic clock: here an hour (time_namespaces(7))."""
    enter = ("unshare", "--user", "--map-root-user", "--time", "--monotonic", "0", "--boottime")
    awake, _ = _clocks(*enter, "0")
    slept, _ = _clocks(*enter, "3600")
    assert slept - awake > 3600


def test_a_job_in_another_time_is_no_exception(bg: Cli) -> None:
    """In a time namespace the clocks of the job jump; the supervisor's do not."""
    shift = ["unshare", "-T", "--boottime", "1000000", "--monotonic", "1000000", "true"]
    if subprocess.run(shift, capture_output=True, check=False).returncode:
        pytest.skip("time namespaces need root and Linux 5.6")
    bg.jobs("jobs: {x: {command: 'unshare -T --boottime 1000000 --monotonic 1000000 sleep 300', timeout: 500ms}}")
    run = bg.json("start", "x")
    assert bg.ended("x")["state"] == "timed_out"
    wait_until(lambda: is_gone(run["pid"]), "it is gone")
