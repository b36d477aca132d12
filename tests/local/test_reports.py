"""Which files are reports of a run, and which of them it wrote."""

from __future__ import annotations

import fnmatch
import glob
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.local import reports
from bgrun.store import meta
from bgrun.store.paths import RunPaths

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["a", "b.xml", "a.xml", ".h", "[x]", "ab", "s", "TEST-a.xml"]
SEGMENTS = ["*", "**", "a", "*.xml", "?", "a*", "[ab]*", "[!a]*", ".*", "..", ".", "*[.]xml", "TEST-*", "[x]", "*a*b*"]


@given(st.text("ab]![-*?^c", max_size=8), st.text("ab]![-c", max_size=6))
def test_a_segment_matches_as_fnmatch_has_it(pattern: str, name: str) -> None:
    assert reports.fits(name, pattern) == fnmatch.fnmatchcase(name, pattern)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), max_size=8),
    st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3),
)
def test_a_glob_finds_the_files_that_globs_find(
    tmp_path_factory: pytest.TempPathFactory, tree: list[list[str]], segments: list[str]
) -> None:
    top = tmp_path_factory.mktemp("tree")
    for parts in tree:
        path = top.joinpath(*parts)
        if not path.exists() and not any(parent.is_file() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    pattern = "/".join(segments)
    found = reports.matching(reports.ReportRequest(str(top), pattern), time.monotonic() + 60)
    expected = glob.glob(os.path.join(glob.escape(str(top)), pattern), recursive=True)
    assert files_of(found) == files_of(expected)


def files_of(paths: object) -> set[str]:
    return {path for path in paths if os.path.isfile(path)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("pattern", ["", "/", "a/", "//"])
def test_a_pattern_that_names_no_file_finds_none(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a").touch()
    assert list(reports.matching(reports.ReportRequest(str(tmp_path), pattern), time.monotonic() + 60)) == []


def test_an_absolute_pattern_is_not_relative_to_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.xml").touch()
    found = reports.matching(reports.ReportRequest("/nowhere", f"{tmp_path}/*.xml"), time.monotonic() + 60)
    assert list(found) == [f"{tmp_path}/a.xml"]


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "r.xml").touch()
    found = list(reports.matching(reports.ReportRequest(str(tmp_path), "**/*.xml"), time.monotonic() + 60))
    assert found == [f"{tmp_path}/a/r.xml"]


def test_a_search_ends_when_its_time_is_up(tmp_path: Path) -> None:
    (tmp_path / "r.xml").touch()
    assert list(reports.matching(reports.ReportRequest(str(tmp_path), "**/*.xml"), time.monotonic())) == []


def taken(folder: Path, before: reports.Before) -> dict[str, str]:
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
    before = reports.look(reports.ReportRequest(str(tmp_path), "*.xml"))._replace(complete=complete)
    new.write_text("<b/>")
    for path, back_s in ((old, 5.0), (new, 1.5 if complete else 0.0)):
        os.utime(path, (before.began - back_s, before.began - back_s))
    if complete:
        before.seen["old.xml"] = reports._signature(os.lstat(old))
    assert set(taken(tmp_path, before)) - {"note"} == {"0"}
    assert (tmp_path / "jobs" / "x_20260101_000000.reports" / "0").read_text() == "<b/>"


def test_of_too_many_only_so_many_are_taken_and_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_FILES", 3)
    before = reports.look(reports.ReportRequest(str(tmp_path), "*.xml"))
    for number in range(5):
        (tmp_path / f"{number}.xml").touch()
    index = taken(tmp_path, before)
    assert sorted(index) == ["0", "1", "2", "note"]
    assert index["note"] == "*.xml: only 3 of the files were taken"
    assert not reports.look(reports.ReportRequest(str(tmp_path), "*.xml")).complete


def test_a_folder_that_was_renamed_is_known_and_another_in_its_place_is_not(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "old.xml").write_text("<a/>")
    wanted = reports.ReportRequest(str(project), "*.xml")
    before = reports.look(wanted)
    project.rename(tmp_path / "moved")
    project.mkdir()
    (project / "foreign.xml").touch()
    (tmp_path / "moved" / "new.xml").write_text("<b/>")
    (tmp_path / "jobs").mkdir()
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    reports.take(at, wanted._replace(folder=str(tmp_path / "moved")), before)
    assert (tmp_path / "jobs" / "x_20260101_000000.reports" / "0").read_text() == "<b/>"
    reports.take(at._replace(run_id="y_20260101_000000"), wanted, before)
    index = meta.unpack((tmp_path / "jobs" / "y_20260101_000000.reports" / "index").read_bytes())
    assert index == {"note": f"*.xml: the directory {project} was removed, or another is in its place"}
