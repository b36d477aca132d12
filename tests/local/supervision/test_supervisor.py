"""Histories of events, replayed to a supervisor without processes: a machine of the test's own reports what happens."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.errors import LaunchError
from bgrun.local.launch.manifest import Plan
from bgrun.local.recording import journal
from bgrun.local.supervision.dispatcher import withdraw
from bgrun.local.supervision.machine import Machine
from bgrun.local.supervision.run import SETTLE_AFTER_S
from bgrun.local.supervision.supervisor import CLOCK_CHECK_S, STOP_SCAN_S, Supervisor
from bgrun.plan import GroupPlan, Limits, RenderedJob, RunPlan
from bgrun.store import claim, meta, stop_request
from bgrun.store.paths import RunPaths
from bgrun.store.store import Store
from bgrun.system.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bgrun.local.supervision.job import Held, Start
    from bgrun.local.supervision.run import RunTask

SCRIPTS = 1 << 22
"""The PIDs of job scripts begin here: no process has such a one (proc(5), pid_max)."""


class Replay(Machine):
    """A machine where job scripts exist by name only, and time passes when a test says so.

    at_launch: what happens while a script is launched, by run ID.
    """

    def __init__(self) -> None:
        super().__init__()
        self.time = 100.0
        self.launched: list[str] = []
        self.exits: list[tuple[int, int]] = []
        self.stopped: list[str] = []
        self.at_launch: dict[str, Any] = {}

    def now(self) -> float:
        return self.time

    def find_code(self) -> None:
        """Import from where bgrun is."""

    def launch(self, at: RunPaths, facts: dict[str, str], start: Start, held: Held) -> journal.Child:
        del start
        lock_fd = journal.claim_files(at, facts, [journal.open_log(at)], held.lock_fd)
        pid = SCRIPTS + len(self.launched)
        known = meta.pack({**facts, "pid": str(pid), "started_at": "2026-11-25T00:00:00+00:00"})
        journal.publish(at, pid, known, lock_fd)
        self.launched.append(at.run_id)
        if happens := self.at_launch.get(at.run_id):
            happens()
        return journal.Child(pid, lock_fd, known)

    def reap(self) -> Iterator[tuple[int, int, None]]:
        while self.exits:
            yield (*self.exits.pop(0), None)

    def advance_stops(self, tasks: Sequence[RunTask]) -> None:
        """Each process is reached by the first signal; its script exits when the test says so."""
        for task in tasks:
            if task.plan.run_id not in self.stopped:
                self.stopped.append(task.plan.run_id)
                task.note([Process(task.pid + 1000, task.pid, task.pid, task.pid, "1")])
            if task.exit:
                task.stop_over()

    def left_running(self, task: RunTask) -> Sequence[Process]:
        del task
        return ()

    def exit(self, run_id: str, code: int) -> None:
        """Have a job script exit: it is reaped in the next turn."""
        self.exits.append((SCRIPTS + self.launched.index(run_id), code << 8))


class Story:
    """A supervisor, what it is to be told, and what it has come to."""

    def __init__(self, log_dir: Path, plan: Plan) -> None:
        self.machine = Replay()
        self.log_dir = log_dir
        self.supervisor = Supervisor(plan, self.machine)
        self.supervisor.be(1, subreaper=True)
        self.supervisor.host.ask_for_writes = lambda: True  # the kernel would send this process SIGIO

    def begin(self) -> bool:
        self.supervisor.open()
        return self.supervisor.advance()

    def after(self, seconds: float, came: int = 0) -> bool:
        self.machine.time += seconds
        return self.supervisor.turn(came)

    def exits(self, **codes: int) -> bool:
        for run_id, code in codes.items():
            self.machine.exit(run_id, code)
        return self.after(1.0, signal.SIGCHLD)

    @property
    def states(self) -> dict[str, str]:
        return {run_id: task.state for run_id, task in self.supervisor.tasks.items()}

    def recorded(self, run_id: str) -> dict[str, str]:
        return meta.unpack((self.log_dir / f"{run_id}.meta").read_bytes())


@pytest.fixture
def log_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "jobs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(run_id: str, *needs: str, **more: Any) -> RunPlan:
    job = RenderedJob(run_id, "", "", "", "/", inhibit_sleep=False)._replace(**more)
    return RunPlan(run_id, job, {"run_id": run_id, "label": run_id}, needs)


def group(log_dir: Path, *runs: RunPlan, **more: Any) -> Story:
    return Story(log_dir, Plan(str(log_dir), runs, GroupPlan("g", "g", {"run_id": "g"}, **more)))


def test_dependencies_are_launched_in_their_order(log_dir: Path) -> None:
    story = group(log_dir, run("a"), run("b", "a"), run("c", "a", "b"))
    assert not story.begin()
    assert story.machine.launched == ["a"]
    assert not story.exits(a=0)
    assert story.machine.launched == ["a", "b"]
    assert not story.exits(b=0)
    assert story.exits(c=0)
    assert set(story.states.values()) == {"succeeded"}
    story.supervisor.close()
    assert story.recorded("g")["state"] == "succeeded"
    assert story.recorded("c")["duration_s"] == "1.000"


def test_a_failed_dependency_skips_what_depends_on_it_and_nothing_else(log_dir: Path) -> None:
    story = group(log_dir, run("a"), run("b", "a"), run("c", "b"), run("d"))
    story.begin()
    assert not story.exits(a=3)
    assert story.states == {"a": "failed", "b": "skipped", "c": "skipped", "d": "running"}
    assert story.machine.launched == ["a", "d"]
    assert story.exits(d=0)
    story.supervisor.close()
    assert story.recorded("g")["state"] == "failed"
    assert "a" in story.recorded("c")["reason"]


def test_fail_fast_stops_what_runs(log_dir: Path) -> None:
    story = group(log_dir, run("a"), run("b"), run("c"), max_parallel=2, fail_fast=True)
    story.begin()
    assert not story.exits(a=1)
    assert story.states == {"a": "failed", "b": "running", "c": "skipped"}
    story.after(STOP_SCAN_S)
    assert story.machine.stopped == ["b"]
    assert story.exits(b=143)
    assert story.states["b"] == "stopped"


def test_no_more_runs_than_max_parallel(log_dir: Path) -> None:
    names = [f"r{number}" for number in range(5)]
    story = group(log_dir, *map(run, names), max_parallel=2)
    story.begin()
    for number, name in enumerate(names):
        running = [one for one, state in story.states.items() if state == "running"]
        assert running == names[number : number + 2]
        over = story.exits(**{name: 0})
    assert over
    assert story.machine.launched == names


def test_a_deadline_stops_the_run(log_dir: Path) -> None:
    story = Story(log_dir, Plan(str(log_dir), (run("a", limits=Limits(timeout_s=60.0)),)))
    story.begin()
    assert story.supervisor.next_turn_s() == pytest.approx(SETTLE_AFTER_S)
    story.after(1.0)
    assert story.supervisor.next_turn_s() <= CLOCK_CHECK_S
    assert not story.after(58.5)
    assert story.states == {"a": "running"}
    assert not story.machine.stopped
    assert not story.after(0.5)
    assert story.machine.stopped == ["a"]
    assert story.supervisor.next_turn_s() == STOP_SCAN_S
    assert story.exits(a=143)
    found = story.recorded("a")
    assert (found["state"], found["exit_code"]) == ("timed_out", "143")


def test_a_run_that_ends_with_its_deadline_ended_by_itself(log_dir: Path) -> None:
    """Its exit is seen in the turn in which the deadline comes: no signal of ours can have ended it."""
    story = Story(log_dir, Plan(str(log_dir), (run("a", limits=Limits(timeout_s=60.0)),)))
    story.begin()
    story.machine.exit("a", 0)
    assert story.after(61.0)
    assert story.states == {"a": "succeeded"}


def test_a_stop_that_is_requested_during_a_launch(log_dir: Path) -> None:
    story = group(log_dir, run("a"), run("b"), run("c", "a"), max_parallel=1)

    def request() -> None:
        stop_request.write_stop(RunPaths(".", "g"), "stop", signalled=False)

    story.machine.at_launch["a"] = request
    story.begin()
    assert not story.after(0.1, signal.SIGUSR1)
    assert story.machine.stopped == ["a"]
    assert story.states == {"a": "running", "b": "stopped", "c": "stopped"}
    assert story.exits(a=143)
    story.supervisor.close()
    assert story.machine.launched == ["a"]
    assert {one: story.recorded(one)["state"] for one in ("a", "b", "g")} == dict.fromkeys(("a", "b", "g"), "stopped")


def test_sigterm_stops_the_whole_plan(log_dir: Path) -> None:
    story = group(log_dir, run("a"), run("b", "a"))
    story.begin()
    assert not story.after(0.1, signal.SIGTERM)
    assert story.states == {"a": "running", "b": "stopped"}
    assert story.exits(a=143)
    assert story.states["a"] == "stopped"


def test_a_launch_that_fails_leaves_nothing_of_a_single_run(log_dir: Path) -> None:
    story = Story(log_dir, Plan(str(log_dir), (run("a"),)))
    (log_dir / "jobs" / "a.sh").touch()

    def fail() -> None:
        raise LaunchError("no")

    story.machine.at_launch["a"] = fail
    with pytest.raises(LaunchError):
        story.begin()
    withdraw(story.supervisor.plan)
    # The claim of the run ID is its caller's: were it removed here, another start might have the name by then.
    assert sorted(path.name for path in log_dir.rglob("*")) == ["a.sh", "jobs"]
    claim.give_up(Store(str(log_dir)), ["a"])
    assert [path.name for path in log_dir.rglob("*")] == ["jobs"]


def test_a_supervisor_asleep_wakes_up_once_a_day(log_dir: Path) -> None:
    story = Story(log_dir, Plan(str(log_dir), (run("a"),)))
    story.begin()
    for _ in range(4):
        story.after(61.0)
    look = story.supervisor.next_turn_s()
    assert look is not None
    assert look > 80000


def test_a_stop_requested_while_nothing_reported_it_is_read_at_once(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another PID namespace, which cannot signal the supervisor, before that has asked the kernel."""
    monkeypatch.setattr("bgrun.local.supervision.supervisor.watch_touches", lambda _: 0)
    story = group(log_dir, run("a"), run("b", "a"))
    story.begin()
    for run_id in "ab":
        stop_request.ask_to_end(RunPaths(str(log_dir), run_id), "stop")
    assert story.states == {"a": "running", "b": "queued"}
    story.supervisor.hear()
    assert not story.supervisor.advance()
    assert (story.machine.stopped, story.states["b"]) == (["a"], "stopped")
    assert story.exits(a=0)
    assert story.states == {"a": "stopped", "b": "stopped"}
