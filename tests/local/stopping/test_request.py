"""A stop from outside: how long it may take, and whom it is asked of."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from bgrun.local.stopping import policy, request
from bgrun.store import meta, record
from bgrun.store.paths import RunPaths
from bgrun.store.store import Store
from bgrun.system import files, process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli


def test_the_longest_grace_period_of_a_group_bounds_its_stop(tmp_path: Path) -> None:
    graces = {"a_20260101_000000": "1", "b_20260101_000000": "60", "c_20260101_000000": "2"}
    for run_id, grace in graces.items():
        at = RunPaths(str(tmp_path), run_id)
        files.replace(at.meta, at.hidden("meta.new"), meta.pack({"run_id": run_id, "stop_grace_s": grace}))
    own = RunPaths(str(tmp_path), "g_20260101_000000")
    facts = {"run_id": own.run_id, "members": " ".join(graces), "stop_grace_s": "10"}
    files.replace(own.meta, own.hidden("meta.new"), meta.pack(facts))
    run = record.existing(own)
    assert request._bound_s(Store(own.log_dir), run, facts) >= 60 + policy.SUSPEND_S + policy.KILL_S


def test_a_run_whose_meta_is_deleted_as_it_is_read_is_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    facts = {"run_id": at.run_id, "started_at": "2026-01-01T00:00:00.000+00:00", "boot_id": ""}
    files.replace(at.meta, at.hidden("meta.new"), meta.pack(facts))
    run = record.existing(at)._replace(state="running")
    monkeypatch.setattr(record, "read_run", lambda *_: run)
    files.remove(at.meta)
    assert request.stop_run(Store(at.log_dir), at.run_id) == run
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_waits_in_a_plan_is_stopped_by_the_supervisor_of_the_plan(bg: Cli) -> None:
    """It has no process and no lock of its own yet: that of its group says that somebody answers."""
    bg.jobs(
        "jobs:\n  a: {command: 'until [ -e go ]; do sleep 0.02; done'}\n  b: {command: touch ran, depends_on: [a]}\n"
        "groups: {g: {jobs: [a, b]}}"
    )
    group = bg.json("group", "g")
    stopped = bg.json("stop", "b")["runs"][0]
    assert (stopped["state"], stopped["reason"]) == ("stopped", "stopped before it started")
    assert bg.state("a")["state"] == "running"
    (bg.folder / "go").touch()
    assert bg.ended("a")["state"] == "succeeded"
    assert bg.ended(group["run_id"])["state"] == "failed"
    assert not (bg.folder / "ran").exists()


@pytest.mark.parametrize("grace", ["", "x"], ids=["none", "odd"])
def test_a_run_whose_record_has_no_grace_period_is_stopped(tmp_path: Path, grace: str) -> None:
    """As after somebody edited its meta: it is killed at once."""
    job = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        at = RunPaths(str(tmp_path), "x_20260101_000000")
        facts = {
            "run_id": at.run_id,
            "label": "x",
            "started_at": "2026-01-01T00:00:00.000+00:00",
            "stop_grace_s": grace,
        }
        facts |= {"pid": str(job.pid), "pid_start": process.start_of(job.pid)}
        files.replace(at.meta, at.hidden("meta.new"), meta.pack({key: value for key, value in facts.items() if value}))
        threading.Thread(target=job.wait, daemon=True).start()  # so that it does not stay a zombie
        run = request.stop_run(Store(at.log_dir), at.run_id)
        assert job.wait(timeout=20) in (-signal.SIGTERM, -signal.SIGKILL)
        assert run
        assert run.state == "stopped"
    finally:
        job.kill()
        job.wait()
