"""What the files of dependencies say about a run that waits for them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bgrun.slurm import evidence, queue, wait
from bgrun.slurm.queue import Job, Queue
from bgrun.store import meta, record
from bgrun.store.paths import RunPaths


def recorded(directory: Path, run_id: str, **facts: str) -> None:
    known = {"run_id": run_id, "started_at": "", **facts}
    (directory / f"{run_id}.meta").write_bytes(meta.pack(known))


def failed_need(directory: Path, **facts: str) -> str:
    return evidence.failed_need(RunPaths(str(directory), "last"), facts, {})


@pytest.mark.parametrize(
    ("facts", "condition", "why"),
    [
        ({"state": "failed"}, "", "dependency first failed"),
        ({"state": "timed_out"}, "succeeded", "dependency first timed out"),
        ({"state": "succeeded"}, "", ""),
        ({"state": "skipped", "waived": "true"}, "", ""),
        ({"started_at": "2026-11-26T10:00:00.000+00:00"}, "", ""),
        ({}, "", ""),
        ({"state": "failed"}, "completed", ""),
        ({"state": "failed"}, "started", ""),
        ({"state": "skipped"}, "started", "dependency first was skipped"),
    ],
)
def test_a_dependency_that_has_finished(tmp_path: Path, facts: dict[str, str], condition: str, why: str) -> None:
    recorded(tmp_path, "first", **facts)
    assert failed_need(tmp_path, needs="first", conditions=condition) == why


def test_a_long_chain_of_dependencies_ends_with_the_one_that_failed(tmp_path: Path) -> None:
    recorded(tmp_path, "c0", state="failed")
    for number in range(1, 1500):
        recorded(tmp_path, f"c{number}", needs=f"c{number - 1}")
    assert failed_need(tmp_path, needs="c1499") == "dependency c1499 was skipped"
    recorded(tmp_path, "c0", state="succeeded")
    assert failed_need(tmp_path, needs="c1499 c700") == ""


@pytest.mark.parametrize("look", ["list", "wait"])
def test_a_look_at_a_long_chain_reads_each_dependency_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    monkeypatch.setattr(queue, "look", lambda *_, **__: Queue(False, {}))
    monkeypatch.setattr(queue, "HERE_S", 60.0)
    names = [f"c{number}" for number in range(200)]
    for before, name in zip(["", *names], names, strict=False):
        recorded(tmp_path, name, engine="slurm", needs=before)
    reads: list[str] = []
    read = record.read_meta
    monkeypatch.setattr(record, "read_meta", lambda at: reads.append(at.run_id) or read(at))
    runs = [RunPaths(str(tmp_path), name) for name in names]
    if look == "list":
        assert {run.state for run in record.readable(reversed(runs))} == {"unknown"}
    else:
        assert not any(map(wait.has_finished, runs))
    assert len(reads) <= 3 * len(names)


def test_what_was_read_of_dependencies_is_used_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    at = RunPaths(str(tmp_path), "last")
    recorded(tmp_path, "first")
    assert evidence.failed_need(at, {"needs": "first"}) == ""
    recorded(tmp_path, "first", state="failed")
    assert evidence.failed_need(at, {"needs": "first"}) == ""
    now[0] += queue.HERE_S + 0.01
    assert evidence.failed_need(at, {"needs": "first"}) == "dependency first failed"


def test_a_run_that_slurm_canceled_since_its_dependency_failed_meanwhile_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dependency ends between the look at its files and the answer of Slurm, which names no reason."""
    recorded(tmp_path, "first", engine="slurm")
    recorded(tmp_path, "last", engine="slurm", needs="first", token="a", log_dir=str(tmp_path))

    def look(*_: object, **__: object) -> Queue:
        recorded(tmp_path, "first", engine="slurm", state="failed", exit_code="1")
        return Queue(True, {("a", None): Job("7", "CANCELLED")}, time.time())

    monkeypatch.setattr(queue, "look", look)
    run = record.read_run(RunPaths(str(tmp_path), "last"))
    assert run
    assert (run.state, run.reason) == ("skipped", "dependency first failed")


def test_dependencies_that_were_deleted_or_lead_back_to_themselves_say_nothing(tmp_path: Path) -> None:
    recorded(tmp_path, "a", needs="b gone")
    recorded(tmp_path, "b", needs="a")
    assert failed_need(tmp_path, needs="a") == ""


def test_a_group_whose_record_names_itself_is_lost(tmp_path: Path) -> None:
    recorded(tmp_path, "all", engine="slurm", members="all", started_at="2026-11-26T10:00:00.000+00:00")
    at = RunPaths(str(tmp_path), "all")
    run = record.read_run(at)
    assert run
    assert run.state == "lost"
    assert wait.has_finished(at)
