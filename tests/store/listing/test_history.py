"""The statistics of past runs."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.cli import tables
from bgrun.model import Run
from bgrun.store.listing import history

if TYPE_CHECKING:
    from bgrun.model import State


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
    assert tables.sparkline(found.durations_s) == "▂█▄"
    assert history.summarize("x", []) == history.Stats("x", 0, 0, None, None, None, ())


def test_a_service_that_was_stopped_has_not_failed() -> None:
    runs = [run("stopped", 60.0, service=True), run("failed", 1.0, service=True, run_id="bad")]
    found = history.summarize("web", runs)
    assert (found.runs, found.succeeded, found.median_s, found.last_failure) == (2, 1, None, "bad")
    assert history.summarize("job", [run("stopped", 60.0)]).succeeded == 0
