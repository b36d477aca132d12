"""Which files are reports of a run, and which of them it wrote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun.local.recording import fresh, reports
from bgrun.store import meta
from bgrun.store.paths import RunPaths

if TYPE_CHECKING:
    from pathlib import Path


def taken(folder: Path, before: fresh.Before) -> dict[str, str]:
    """Take the reports of a run and return the index of the copies."""
    (folder / "jobs").mkdir(exist_ok=True)
    at = RunPaths(str(folder), "x_20260101_000000")
    reports.take(at, reports.ReportRequest(str(folder), "*.xml"), before)
    return meta.unpack((folder / "jobs" / "x_20260101_000000.reports" / "index").read_bytes())


@pytest.mark.parametrize("complete", [True, False])
def test_what_was_there_before_is_no_result_however_coarse_the_clock(tmp_path: Path, complete: bool) -> None:
    """A clock that counts in steps of two seconds gives the old file and the new one nearly the same time."""
    old, new = tmp_path / "old.xml", tmp_path / "new.xml"
    old.write_text("<a/>")
    before = reports.note(reports.ReportRequest(str(tmp_path), "*.xml"))._replace(complete=complete)
    new.write_text("<b/>")
    for path, back_s in ((old, 5.0), (new, 1.5 if complete else 0.0)):
        os.utime(path, (before.began - back_s, before.began - back_s))
    if complete:
        before.seen["old.xml"] = fresh.signature(os.lstat(old))
    assert set(taken(tmp_path, before)) - {"note"} == {"0"}
    assert (tmp_path / "jobs" / "x_20260101_000000.reports" / "0").read_text() == "<b/>"


def test_of_too_many_only_so_many_are_taken_and_it_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_FILES", 3)
    monkeypatch.setattr(fresh, "MOST_FILES", 3)
    before = reports.note(reports.ReportRequest(str(tmp_path), "*.xml"))
    for number in range(5):
        (tmp_path / f"{number}.xml").touch()
    index = taken(tmp_path, before)
    assert sorted(index) == ["0", "1", "2", "note"]
    assert index["note"] == "*.xml: only 3 of the files were copied"
    assert not reports.note(reports.ReportRequest(str(tmp_path), "*.xml")).complete


def test_a_directory_that_was_renamed_is_known_and_another_in_its_place_is_not(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "old.xml").write_text("<a/>")
    wanted = reports.ReportRequest(str(project), "*.xml")
    before = reports.note(wanted)
    project.rename(tmp_path / "moved")
    project.mkdir()
    (project / "foreign.xml").touch()
    (tmp_path / "moved" / "new.xml").write_text("<b/>")
    (tmp_path / "jobs").mkdir()
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    reports.take(at, wanted._replace(directory=str(tmp_path / "moved")), before)
    assert (tmp_path / "jobs" / "x_20260101_000000.reports" / "0").read_text() == "<b/>"
    reports.take(at._replace(run_id="y_20260101_000000"), wanted, before)
    index = meta.unpack((tmp_path / "jobs" / "y_20260101_000000.reports" / "index").read_bytes())
    assert index == {"note": f"*.xml: the directory {project} was removed or replaced"}
