"""What is looked at to tell the state of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgrun.local import evidence
from bgrun.store import meta, record
from bgrun.store.paths import RunPaths
from bgrun.system import files

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
