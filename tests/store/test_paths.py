"""RunNames of runs."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.model import RunId
from bgrun.store.listing import relisting
from bgrun.store.paths import newest_first, next_run_id, parse_run_id, stamp

if TYPE_CHECKING:
    from pathlib import Path

LABELS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,30}", fullmatch=True)
STAMPS = st.from_regex(r"[0-9]{8}_[0-9]{6}", fullmatch=True)


ENDS = st.sampled_from(["", "z", "z2", "zz10", "_20260101_000000", "_20260101_000000z2", "-2", "_20260101_000000-2"])


@given(LABELS, ENDS, STAMPS, st.integers(1, 10**9 - 1), st.booleans())
def test_a_run_id_gives_back_its_parts(label: str, end: str, ts: str, serial: int, dashed: bool) -> None:
    """Whatever the label ends in: a suffix, a run id of its own."""
    run_id = RunId(f"{label}{end}", ts, serial, dashed and serial > 1)
    assert parse_run_id(str(run_id)) == run_id


@given(st.from_regex(r"[az_-]{0,2}(_[0-9]{8}_[0-9]{6}){0,2}[-z]{0,3}[0-9]{0,3}", fullmatch=True))
def test_what_is_read_as_a_run_id_is_written_so(text: str) -> None:
    """No two names are one run."""
    assert parse_run_id(text) is None or str(parse_run_id(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "x", "_20260101_000000", "x_20260101_00000", "x-20260101_000000", "x_20260101_000000-",
     "x_20260101_000000z", "x_20260101_000000z1", "x_20260101_000000z02", "x_20260101_000000z10",
     "x_20260101_000000zz2", "x_20260101_000000zz01", "x_20260101_0000002", "x_20260101_000000z\u0662",
     "_20260101_000000z2", "x_20260101_000000Z2", "x_20260101_000000-0", "x_20260101_000000-1", "x_20260101_000000-02", "x_2026٠101_000000"],
)  # fmt: skip
def test_what_is_no_run_id(text: str) -> None:
    assert parse_run_id(text) is None


def test_the_stamp_is_the_one_of_date() -> None:
    assert re.fullmatch(r"\d{8}_\d{6}", stamp(0))


def test_a_second_run_in_the_same_second_is_numbered() -> None:
    first = next_run_id("x", 1000.0, None)
    second = next_run_id("x", 1000.2, first)
    assert (str(second), second.order > first.order) == (f"{first}z2", True)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=20))
def test_a_later_run_never_sorts_before_an_earlier_one(clock: list[int]) -> None:
    """Whatever the clock does: set back, other time zone, end of summer time."""
    newest = None
    for now in clock:
        run = next_run_id("x", now, newest)
        assert newest is None or run.order > newest.order
        newest = run


def locales() -> list[str]:
    reported = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    return sorted({"C", *reported})


@pytest.mark.parametrize("lister", ["bash -c 'printf \"%s\\n\" X_*.{}'", "sh -c 'printf \"%s\\n\" X_*.{}'", "ls"])
def test_a_shell_lists_the_runs_of_one_second_by_age_in_any_locale(tmp_path: Path, lister: str) -> None:
    stamps = ["20260101_000000", "20260101_000001"]
    runs = [RunId("X", ts, serial) for ts in stamps for serial in range(1, 151)]
    for kind in ("log", "pid", "exit", "meta", "sh"):
        folder = tmp_path / kind
        folder.mkdir()
        for run in runs:
            (folder / f"{run}.{kind}").touch()
        for name in locales():
            env = {**os.environ, "LC_ALL": name}
            words = lister.format(kind)
            seen = subprocess.run(words, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=True)
            assert seen.stdout.split() == [f"{run}.{kind}" for run in runs], name


def newest_of(runs: list[str], label: str) -> str | None:
    return relisting.sort(f"{run}.meta" for run in runs).newest_of(label)


def test_a_label_that_begins_like_another_is_another() -> None:
    runs = ["ab_20260101_000000", "a_20250101_000000", "a_b_20270101_000000", "a-2_20280101_000000"]
    assert newest_of(runs, "a") == "a_20250101_000000"


def test_of_many_in_one_second_the_newest_has_the_highest_number() -> None:
    assert newest_of([f"a_20250101_000000{end}" for end in ("z2", "zz10", "z9", "")], "a") == "a_20250101_000000zz10"


def test_ids_of_an_older_bgrun_are_read_and_never_made() -> None:
    runs = [f"a_20250101_000000-{serial}" for serial in (2, 10, 9)]
    assert newest_of(runs, "a") == "a_20250101_000000-10"
    found = list(newest_first("a", [f"{run}.sh" for run in (*runs, "a_20250101_000000")], ".sh"))
    assert [run.serial for run in found] == [10, 9, 2, 1]
    later = next_run_id("a", 0.0, found[0])
    assert str(later) == "a_20250101_000000zz11"
    assert newest_of([*runs, str(later)], "a") == str(later)
