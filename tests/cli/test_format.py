"""Lines and tables for people."""

from __future__ import annotations

import pytest

from bgrun import api
from bgrun.cli import format
from bgrun.cli.live import Line
from bgrun.model import Run

ROWS = [["start tests [path=tests]", "The whole test suite, with coverage of every module"], ["start lint", ""]]


def test_descriptions_wrap_below_each_other() -> None:
    assert format.wrapped_table(ROWS, 50) == [
        "start tests [path=tests]  The whole test suite,",
        "                          with coverage of every",
        "                          module",
        "start lint",
    ]


def test_without_room_to_wrap_lines_are_long() -> None:
    assert format.wrapped_table(ROWS, 30) == format.table(ROWS)


@pytest.mark.parametrize(
    ("eta_s", "usual_s", "plain", "live"),
    [
        (12.0, 30.0, "about 12s left", "~12s left"),
        (0.4, 30.0, "less than 1s left", "<1s left"),
        (None, 30.0, "usually 30s", ""),
        (None, None, "", ""),
    ],
)
def test_the_time_left_is_never_nought(eta_s: float | None, usual_s: float | None, plain: str, live: str) -> None:
    estimate = api.insight.Estimate(None, usual_s, eta_s)
    assert format.progress_text(estimate) == plain
    assert Line(_run(), estimate).left == live


def _run() -> Run:
    return Run(**dict.fromkeys(Run._fields))  # type: ignore[arg-type]
