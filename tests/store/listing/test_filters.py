"""Which runs a list shows, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.errors import UsageError
from bgrun.model import Run
from bgrun.store.listing import filters

if TYPE_CHECKING:
    from bgrun.model import State

NOW = 1_800_000_000.0


def run(state: State = "succeeded", took: float | None = 1.0, **more: object) -> Run:
    known = dict.fromkeys(Run._fields[:19]) | {"run_id": "x", "state": state, "duration_s": took} | more
    return Run(**known)  # type: ignore[arg-type]


def test_a_filter_takes_what_is_all_of_it() -> None:
    wanted = filters.parse(["failed,lost", "stopped"], ["ci"], NOW - 7200)
    recent = "2027-01-15T07:30:00+00:00"
    assert wanted.takes(run("lost", tags=("ci", "x"), started_at=recent))
    assert not wanted.takes(run("succeeded", tags=("ci",), started_at=recent))
    assert not wanted.takes(run("lost", tags=(), started_at=recent))
    assert not wanted.takes(run("lost", tags=("ci",), started_at="2027-01-15T05:30:00+00:00"))


def test_a_state_that_is_none_is_reported_with_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        filters.parse(["fialed"], [], None)
    assert "succeeded" in caught.value.hint


def test_orders() -> None:
    runs = [run(took=1.0), run(took=3.0), run(took=2.0)]
    assert [one.duration_s for one in filters.in_order(runs, "duration")] == [3.0, 2.0, 1.0]
    assert filters.in_order(runs, "oldest") == runs[::-1]
    with pytest.raises(UsageError, match="unknown order"):
        filters.in_order(runs, "size")


def test_without_conditions_every_run_is_taken() -> None:
    assert filters.parse([], [], None) == filters.Filter()
    assert filters.Filter().takes(run("queued", None))


def test_a_run_without_a_start_counts_by_its_end_and_without_either_as_old() -> None:
    recent = filters.Filter(since=NOW - 7200)
    assert recent.takes(run("skipped", None, ended_at="2027-01-15T07:30:00+00:00"))
    assert not recent.takes(run("queued", None))
