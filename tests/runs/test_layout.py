"""Names of runs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.model import RunId
from bgrun.runs import names
from bgrun.runs.layout import next_run_id, parse_run_id, stamp

LABELS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,30}", fullmatch=True)
STAMPS = st.from_regex(r"[0-9]{8}_[0-9]{6}", fullmatch=True)


@given(LABELS, STAMPS, st.integers(1, 500))
def test_a_run_id_gives_back_its_parts(label: str, ts: str, serial: int) -> None:
    assert parse_run_id(str(RunId(label, ts, serial))) == RunId(label, ts, serial)


@pytest.mark.parametrize(
    "text",
    ["", "x", "_20260101_000000", "x_20260101_00000", "x-20260101_000000", "x_20260101_000000-",
     "x_20260101_000000-0", "x_20260101_000000-1", "x_20260101_000000-02", "x_2026٠101_000000"],
)  # fmt: skip
def test_what_is_no_run_id(text: str) -> None:
    assert parse_run_id(text) is None


def test_the_stamp_is_the_one_of_date() -> None:
    assert re.fullmatch(r"\d{8}_\d{6}", stamp(0))


def test_a_second_run_in_the_same_second_is_numbered() -> None:
    first = next_run_id("x", 1000.0, None)
    second = next_run_id("x", 1000.2, first)
    assert (str(second), second.order > first.order) == (f"{first}-2", True)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=20))
def test_a_later_run_never_sorts_before_an_earlier_one(clock: list[int]) -> None:
    """Whatever the clock does: set back, other time zone, end of summer time."""
    newest = None
    for now in clock:
        run = next_run_id("x", now, newest)
        assert newest is None or run.order > newest.order
        newest = run


def newest_of(runs: list[str], label: str) -> str | None:
    return names.sort(f"{run}.meta" for run in runs).newest_of(label)


def test_a_label_that_begins_like_another_is_another() -> None:
    runs = ["ab_20260101_000000", "a_20250101_000000", "a_b_20270101_000000", "a-2_20280101_000000"]
    assert newest_of(runs, "a") == "a_20250101_000000"


def test_of_many_in_one_second_the_newest_has_the_highest_number() -> None:
    runs = [f"a_20250101_000000-{serial}" for serial in (2, 10, 9)]
    assert newest_of(runs, "a") == "a_20250101_000000-10"
