"""The glob of a job's reports finds what Python's glob finds."""

from __future__ import annotations

import fnmatch
import glob
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.local.recording import globs

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["a", "b.xml", "a.xml", ".h", "[x]", "ab", "s", "TEST-a.xml"]
SEGMENTS = ["*", "**", "a", "*.xml", "?", "a*", "[ab]*", "[!a]*", ".*", "..", ".", "*[.]xml", "TEST-*", "[x]", "*a*b*"]


@given(st.text("ab]![-*?^c", max_size=8), st.text("ab]![-c", max_size=6))
def test_a_segment_matches_as_fnmatch_has_it(pattern: str, name: str) -> None:
    assert globs.fits(name, pattern) == fnmatch.fnmatchcase(name, pattern)


@settings(max_examples=60)
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
    found = globs.matching(str(top), pattern, time.monotonic() + 60)
    expected = glob.glob(os.path.join(glob.escape(str(top)), pattern), recursive=True)
    assert files_of(found) == files_of(expected)


def files_of(paths: object) -> set[str]:
    return {path for path in paths if os.path.isfile(path)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("pattern", ["", "/", "a/", "//"])
def test_a_pattern_that_names_no_file_finds_none(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "a").touch()
    assert list(globs.matching(str(tmp_path), pattern, time.monotonic() + 60)) == []


def test_an_absolute_pattern_is_not_relative_to_the_directory(tmp_path: Path) -> None:
    (tmp_path / "a.xml").touch()
    found = globs.matching("/nowhere", f"{tmp_path}/*.xml", time.monotonic() + 60)
    assert list(found) == [f"{tmp_path}/a.xml"]


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "r.xml").touch()
    found = list(globs.matching(str(tmp_path), "**/*.xml", time.monotonic() + 60))
    assert found == [f"{tmp_path}/a/r.xml"]


def test_a_search_ends_when_its_time_is_up(tmp_path: Path) -> None:
    (tmp_path / "r.xml").touch()
    assert list(globs.matching(str(tmp_path), "**/*.xml", time.monotonic())) == []
