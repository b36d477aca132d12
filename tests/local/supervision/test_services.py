"""Histories of services, replayed to a supervisor without processes: what several events at once come to."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from bgrun.local.readiness import prober
from bgrun.plan import Limits, ReadyCheck, RunPlan
from bgrun.system import files
from tests.local.supervision.test_supervisor import SCRIPTS, Story, group, run

if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.local.readiness.target import Target

PROBERS = SCRIPTS * 2
"""The PIDs of probers begin here."""
CHECK = ReadyCheck("log", "up", timeout_s=60.0)


class Probers:
    """Probers without processes: what was started, with each deadline."""

    def __init__(self) -> None:
        self.started: list[tuple[str, float]] = []
        self.ended: list[int] = []

    def start(self, target: Target, until: float) -> int:
        self.started.append((target.run_id, until))
        return PROBERS + len(self.started) - 1

    @property
    def runs(self) -> list[str]:
        return [run_id for run_id, _ in self.started]


@pytest.fixture
def log_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "jobs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def probers(monkeypatch: pytest.MonkeyPatch) -> Probers:
    made = Probers()
    monkeypatch.setattr(prober, "start", made.start)
    monkeypatch.setattr(prober, "end", made.ended.append)
    return made


def service(run_id: str, *needs: str, check: ReadyCheck | None = CHECK) -> RunPlan:
    limits = Limits(success_exit_codes=())
    made = run(run_id, *needs, service=True, ready=check, limits=limits)
    return made._replace(conditions=("ready",) * len(needs))


def job(run_id: str, *needs: str) -> RunPlan:
    return run(run_id, *needs)._replace(
        conditions=tuple("ready" if one in ("db", "web") else "succeeded" for one in needs)
    )  # type: ignore[misc]


def shop(log_dir: Path) -> Story:
    """A story with two services, of which one needs the other, and a job that needs that one."""
    return group(log_dir, service("db"), service("web", "db"), job("e2e", "web"))


def probe_exits(story: Story, place: int, status: int) -> bool:
    """Have a prober exit: `status` is a wait status."""
    story.machine.exits.append((PROBERS + place, status))
    return story.after(1.0, signal.SIGCHLD)


def until_e2e(story: Story) -> None:
    """Play the story until the job runs."""
    story.begin()
    probe_exits(story, 0, prober.READY << 8)
    probe_exits(story, 1, prober.READY << 8)
    assert story.machine.launched == ["db", "web", "e2e"]


def test_each_run_starts_once_what_it_needs_is_ready(log_dir: Path, probers: Probers) -> None:
    story = shop(log_dir)
    story.begin()
    assert story.machine.launched == ["db"]
    probe_exits(story, 0, prober.READY << 8)
    assert story.machine.launched == ["db", "web"]
    assert "ready_at" in story.recorded("db")
    assert "ready_at" not in story.recorded("web")
    probe_exits(story, 1, prober.READY << 8)
    assert story.machine.launched == ["db", "web", "e2e"]
    assert probers.runs == ["db", "web"]


def test_services_end_in_order_once_the_job_is_over_and_spoil_nothing(log_dir: Path) -> None:
    story = shop(log_dir)
    until_e2e(story)
    story.exits(e2e=0)
    story.after(0.1)
    assert story.machine.stopped == ["web"]
    story.exits(web=143)
    story.after(0.1)
    assert story.machine.stopped == ["web", "db"]
    story.exits(db=143)
    assert story.after(0.1)
    story.supervisor.close()
    assert story.states == {"db": "stopped", "web": "stopped", "e2e": "succeeded"}
    assert (story.recorded("g")["state"], story.recorded("web")["waived"]) == ("succeeded", "true")


def test_a_service_that_ends_along_with_the_last_job_has_failed(log_dir: Path) -> None:
    story = shop(log_dir)
    until_e2e(story)
    story.exits(e2e=0, web=1)
    story.after(0.1)
    story.exits(db=143)
    assert story.after(0.1)
    story.supervisor.close()
    assert story.states == {"db": "stopped", "web": "failed", "e2e": "succeeded"}
    assert "waived" not in story.recorded("web")
    assert (story.recorded("g")["state"], story.recorded("g")["reason"]) == ("failed", "1 failed of 2")


def test_a_service_that_ends_at_the_moment_at_which_it_is_ready_is_not(log_dir: Path) -> None:
    story = shop(log_dir)
    story.begin()
    story.machine.exits.append((PROBERS, prober.READY << 8))
    story.exits(db=1)
    assert story.after(0.1)
    assert story.machine.launched == ["db"]
    assert story.states == {"db": "failed", "web": "skipped", "e2e": "skipped"}
    assert "ready_at" not in story.recorded("db")


def test_a_prober_that_is_killed_is_started_again_with_the_same_deadline(log_dir: Path, probers: Probers) -> None:
    story = shop(log_dir)
    story.begin()
    for place in range(3):
        probe_exits(story, place, signal.SIGKILL)
        story.after(1.0)
    assert [run_id for run_id, _ in probers.started] == ["db"] * 4
    assert len({until for _, until in probers.started}) == 1
    probe_exits(story, 3, signal.SIGKILL)
    story.after(0.1)
    story.exits(db=143)
    assert story.after(0.1)
    assert story.states == {"db": "failed", "web": "skipped", "e2e": "skipped"}
    assert story.recorded("db")["reason"].startswith("not ready: its check was killed by SIGKILL (4 times)")


def test_a_service_whose_time_is_up_is_stopped_and_has_failed(log_dir: Path) -> None:
    story = shop(log_dir)
    story.begin()
    (log_dir / ".db.ready").write_text("a log line that matches 'up': not yet (9 times)\n")
    probe_exits(story, 0, prober.TIMED_OUT << 8)
    story.after(0.1)
    assert story.machine.stopped == ["db"]
    story.exits(db=143)
    assert story.after(0.1)
    found = story.recorded("db")
    assert (found["state"], found["exit_code"]) == ("failed", "143")
    assert found["reason"] == "not ready in 60 s: a log line that matches 'up': not yet (9 times) (1 process stopped)"


def test_a_service_is_ready_for_its_plan_where_the_disk_is_full(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = shop(log_dir)
    story.begin()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "replace_recent", full)
    story.machine.exits.append((PROBERS, prober.READY << 8))
    story.supervisor._reap()
    services = story.supervisor.services
    assert services
    services.advance()
    assert list(services.ready) == ["db"]
    assert "ready_at" not in story.recorded("db")


def test_a_service_that_started_again_is_checked_again_before_more_is_launched(log_dir: Path, probers: Probers) -> None:
    story = group(log_dir, service("web"), job("first", "web"), job("second", "first", "web"))
    story.begin()
    probe_exits(story, 0, prober.READY << 8)
    assert story.machine.launched == ["web", "first"]
    (log_dir / ".web.attempt").write_text("2\n")
    story.exits(first=0)
    assert story.machine.launched == ["web", "first"]
    assert probers.runs == ["web", "web"]
    probe_exits(story, 1, prober.READY << 8)
    assert story.machine.launched == ["web", "first", "second"]


def test_a_service_without_a_check_is_ready_once_it_is_launched(log_dir: Path, probers: Probers) -> None:
    story = group(log_dir, service("web", check=None), job("e2e", "web"))
    story.begin()
    assert story.machine.launched == ["web", "e2e"]
    assert probers.runs == []


def test_sigterm_stops_jobs_first_and_ends_the_prober_of_a_service(log_dir: Path, probers: Probers) -> None:
    story = group(log_dir, service("db"), service("web"), job("e2e", "db"), job("other", "web"))
    story.begin()
    probe_exits(story, 0, prober.READY << 8)
    assert story.machine.launched == ["db", "web", "e2e"]
    story.after(0.1, signal.SIGTERM)
    story.after(0.1)
    assert story.states["other"] == "stopped"
    assert "e2e" in story.machine.stopped
    assert "db" not in story.machine.stopped
    assert probers.ended == [PROBERS + 1]
    story.exits(e2e=143, web=143)
    story.after(0.1)
    assert "db" in story.machine.stopped
    story.exits(db=143)
    assert story.after(0.1)
    story.supervisor.close()
    assert set(story.states.values()) == {"stopped"}
    assert story.recorded("g")["state"] == "stopped"
