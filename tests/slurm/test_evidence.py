"""What the files of dependencies say about a run that waits for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgrun.slurm import evidence, wait
from bgrun.store import meta, record
from bgrun.store.paths import RunPaths


def recorded(directory: Path, run_id: str, **facts: str) -> None:
    known = {"run_id": run_id, "started_at": "", **facts}
    (directory / f"{run_id}.meta").write_bytes(meta.pack(known))


def failed_need(directory: Path, **facts: str) -> str:
    return evidence.failed_need(RunPaths(str(directory), "last"), facts)


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
