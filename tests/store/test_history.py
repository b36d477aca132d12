"""What past runs tell, and which of them are asked for."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.cli import format
from bgrun.errors import UsageError
from bgrun.model import Run
from bgrun.store import filters, history

if TYPE_CHECKING:
    from bgrun.model import State

NOW = 1_800_000_000.0


def run(state: State = "succeeded", took: float | None = 1.0, **more: object) -> Run:
    known = dict.fromkeys(Run._fields[:19]) | {"run_id": "x", "state": state, "duration_s": took} | more
    return Run(**known)  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1e6), min_size=2))
def test_quantiles_are_those_of_the_standard_library(values: list[float]) -> None:
    expected = statistics.quantiles(values, n=10, method="inclusive")
    found = history.quantile(sorted(values), 0.9)
    assert found == pytest.approx(expected[8])
    assert history.quantile(sorted(values), 0.5) == pytest.approx(statistics.median(values))


def test_a_label_in_numbers() -> None:
    runs = [
        run("running"),
        run("succeeded", 4.0),
        run("failed", 9.0, run_id="bad"),
        run("succeeded", 2.0),
        run("skipped"),
    ]
    found = history.summarize("x", runs)
    assert (found.runs, found.succeeded, found.median_s, found.last_failure) == (3, 2, 3.0, "bad")
    assert format.sparkline(found.durations_s) == "▂█▄"
    assert history.summarize("x", []) == history.Stats("x", 0, 0, None, None, None, ())


def test_a_filter_takes_what_is_all_of_it() -> None:
    wanted = filters.parse(["failed,lost", "stopped"], ["ci"], NOW - 7200)
    recent = "2027-01-15T07:30:00+00:00"
    assert wanted.takes(run("lost", tags=("ci", "x"), started_at=recent))
    assert not wanted.takes(run("succeeded", tags=("ci",), started_at=recent))
    assert not wanted.takes(run("lost", tags=(), started_at=recent))
    assert not wanted.takes(run("lost", tags=("ci",), started_at="2027-01-15T05:30:00+00:00"))


def test_a_state_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        filters.parse(["fialed"], [], None)
    assert "succeeded" in caught.value.hint


def test_orders() -> None:
    runs = [run(took=1.0), run(took=3.0), run(took=2.0)]
    assert [one.duration_s for one in filters.in_order(runs, "duration")] == [3.0, 2.0, 1.0]
    assert filters.in_order(runs, "oldest") == runs[::-1]
    with pytest.raises(UsageError, match="unknown order"):
        filters.in_order(runs, "size")
