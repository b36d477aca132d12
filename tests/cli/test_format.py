"""Lines and tables for people."""

from __future__ import annotations

import pytest

from bgrun import api
from bgrun.cli import format, tables
from bgrun.cli.live import Line
from bgrun.model import Run

ROWS = [["start tests [path=tests]", "The whole test suite, with coverage of every module"], ["start lint", ""]]


def test_descriptions_wrap_below_each_other() -> None:
    assert tables.wrapped_table(ROWS, 50) == [
        "start tests [path=tests]  The whole test suite,",
        "                          with coverage of every",
        "                          module",
        "start lint",
    ]


def test_without_room_beside_the_names_descriptions_stand_below_them() -> None:
    assert tables.wrapped_table(ROWS, 30) == [
        "start tests [path=tests]",
        "    The whole test suite, with",
        "    coverage of every module",
        "start lint",
    ]
    assert max(map(len, tables.wrapped_table(ROWS, 1))) == len("start tests [path=tests]")


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


@pytest.mark.parametrize("columns", [40, 60])
def test_a_long_label_takes_progress_from_its_own_line_only(columns: int) -> None:
    import os

    from bgrun.cli import live
    from bgrun.parsers.progress import Progress

    estimate = api.insight.Estimate(Progress(0.5, 1, 2), None, 130.0, "")
    long = "a_very_long_job_name_for_a_test_of_the_width_of_terminals"
    lines = [Line(_run()._replace(label=label, duration_s=1.0, state="running"), estimate) for label in ("tests", long)]
    short, cut = str(live.draw(lines, os.terminal_size((columns, 24)))).splitlines()
    assert "50%" in short or "━" in short
    assert "~2m10s left" in short
    assert "1.0s" in cut
    assert max(len(short), len(cut)) <= columns
    assert live.draw(lines[1:], os.terminal_size((120, 24))).plain.endswith("~2m10s left")
