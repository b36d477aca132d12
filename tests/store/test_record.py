"""Reading runs back from files that were left in every state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgrun.store import meta, record
from bgrun.store.paths import RunPaths
from bgrun.system import files, lock

STARTED = {"label": "x", "started_at": "2026-01-01T00:00:00.000+00:00"}


def made(folder: Path, run_id: str, **facts: str) -> RunPaths:
    """Write the meta of a run and return its files."""
    at = RunPaths(str(folder), run_id)
    files.replace(at.meta, at.hidden("meta.new"), meta.pack({"run_id": run_id, **facts}))
    return at


def held(path: str) -> int:
    """Make a file, lock it as a supervisor does, and return the descriptor."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    lock.hold(fd)
    return fd


def test_the_lock_of_its_group_says_nothing_of_a_run_that_has_started(tmp_path: Path) -> None:
    """Its own fell as it ended; that its last words could not be written changes nothing."""
    group = made(tmp_path, "g_20260101_000000", members="x_20260101_000000", **STARTED)
    waits = made(tmp_path, "w_20260101_000000", group_run=group.run_id, label="w")
    ended = made(tmp_path, "x_20260101_000000", group_run=group.run_id, **STARTED)
    Path(ended.exit).write_text("3\n")
    fd = held(group.pid)
    try:
        assert record.existing(waits).state == "queued"
        run = record.existing(ended)
        assert (run.state, run.exit_code) == ("failed", 3)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("codes", "state", "code"), [("00", "succeeded", "0\n"), ("03", "failed", "1\n"), ("0", "running", "")]
)
def test_the_exit_code_of_an_orphaned_group_is_written_once_all_of_it_has_ended(
    tmp_path: Path, codes: str, state: str, code: str
) -> None:
    names = ["a_20260101_000000", "b_20260101_000000"]
    group = made(tmp_path, "g_20260101_000000", members=" ".join(names), **STARTED)
    members = [made(tmp_path, name, group_run=group.run_id, **STARTED) for name in names]
    for at, text in zip(members, codes, strict=False):
        Path(at.exit).write_text(f"{text}\n")
    fds = [held(at.pid) for at in members[len(codes) :]]
    try:
        assert record.existing(group).state == state
    finally:
        for fd in fds:
            os.close(fd)
    assert (Path(group.exit).read_text() if os.path.exists(group.exit) else "") == code


def test_a_run_that_was_just_launched_runs(tmp_path: Path) -> None:
    """As its supervisor says: no lock and no process is looked at for it."""
    at = made(tmp_path, "x_20260101_000000", **STARTED)
    run = record.launched(at, Path(at.meta).read_bytes())
    assert (run.state, run.reason, run.run_id) == ("running", None, at.run_id)


def test_a_code_that_a_killed_supervisor_left_hidden_is_brought_into_view(tmp_path: Path) -> None:
    at = made(tmp_path, "x_20260101_000000", **STARTED)
    Path(at.hidden("exit")).write_text("3\n")
    for _ in range(2):
        run = record.existing(at)
        assert (run.state, run.exit_code, Path(at.exit).read_text()) == ("failed", 3, "3\n")
    assert not os.path.lexists(at.hidden("exit"))
