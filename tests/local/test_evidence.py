"""What is looked at to tell the state of a run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.local import evidence
from bgrun.store import meta, record, state
from bgrun.store.paths import RunPaths
from bgrun.system import files, process

if TYPE_CHECKING:
    from pathlib import Path


def test_a_copy_of_a_run_is_known_by_the_one_that_is_still_in_its_place(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        at = RunPaths(str(folder), "x_20260101_000000")
        files.replace(at.meta, at.hidden("meta.new"), meta.pack({"run_id": at.run_id, "log_dir": str(first)}))
    facts = record.read_meta(at) or {}
    (tmp_path / "link").symlink_to(first)
    copies = {
        name: evidence.is_copy(RunPaths(f"{tmp_path}/{name}", at.run_id), facts) for name in ("first", "second", "link")
    }
    assert copies == {"first": False, "second": True, "link": False}
    first.rename(tmp_path / "third")
    assert not evidence.is_copy(at, facts), "of a project that was renamed nothing is left in its place"


def test_where_the_job_writes_is_no_copy_though_there_is_one_in_its_old_place(tmp_path: Path) -> None:
    """A project was renamed, and a copy of it put in its place; then the supervisor was killed."""
    places = {name: RunPaths(str(tmp_path / name), "x_20260101_000000") for name in ("old", "new", "other")}
    for at in places.values():
        (tmp_path / at.log_dir).mkdir()
    with open(places["new"].log, "ab") as log:
        job = subprocess.Popen(["sleep", "300"], stdout=log)
    try:
        facts = {"label": "x", "started_at": "2026-01-01T00:00:00.000+00:00", "log_dir": places["old"].log_dir}
        facts |= {"pid": str(job.pid), "pid_start": process.start_of(job.pid)}
        for at in places.values():
            files.replace(at.meta, at.hidden("meta.new"), meta.pack({"run_id": at.run_id, **facts}))
        assert record.existing(places["new"]).state == "running"
        copy = record.existing(places["other"])
        assert copy.state == "lost"
        assert "copy" in (copy.reason or "")
    finally:
        job.kill()
        job.wait()


@pytest.mark.parametrize("name", ["{}.exit", ".{}.exit", ".{}.stop"])
def test_the_end_of_a_run_that_finished_meanwhile_is_in_its_meta_whatever_else_lies_there(
    tmp_path: Path, name: str
) -> None:
    """A waiter read the meta, then the supervisor finished and released the lock."""
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    known = {"run_id": at.run_id, "label": "x", "started_at": "2026-01-01T00:00:00.000+00:00"}
    files.replace(at.meta, at.hidden("meta.new"), meta.pack({**known, "state": "failed", "exit_code": "3"}))
    (tmp_path / name.format(at.run_id)).mkdir()
    seen = evidence.gather(at, known)
    assert seen
    assert state.derive(seen)[:2] == ("failed", 3)
