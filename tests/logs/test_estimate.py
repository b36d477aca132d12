"""How far a run is and how long it may take: from its log, else from its past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.logs import estimate
from bgrun.model import Run
from bgrun.parsers.progress import Progress
from bgrun.plan import RenderedJob

if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.model import State


def run(state: State = "running", elapsed: float | None = 60.0) -> Run:
    known = dict.fromkeys(Run._fields[:19]) | {"run_id": "x", "state": state, "duration_s": elapsed}
    return Run(**known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fraction", "usual_s", "left"),
    [
        (0.5, 1000.0, 60.0),  # by its pace
        (0.75, None, 20.0),
        (0.04, 100.0, 40.0),  # too early for a pace
        (0.04, None, None),
        (None, 100.0, 40.0),
        (None, 10.0, None),  # longer than ever
        (None, None, None),
    ],
)
def test_the_time_left(fraction: float | None, usual_s: float | None, left: float | None) -> None:
    known = None if fraction is None else Progress(fraction)
    assert estimate.left_s(run(), known, usual_s) == left


@given(st.floats(0, 1), st.floats(0, 1e6), st.none() | st.floats(0, 1e6))
def test_it_is_never_negative(fraction: float, elapsed: float, usual_s: float | None) -> None:
    left = estimate.left_s(run(elapsed=elapsed), Progress(fraction), usual_s)
    assert left is None or left >= 0


@pytest.mark.parametrize("one", [run("queued", None), run("succeeded"), run(elapsed=None)])
def test_only_a_running_run_has_time_left(one: Run) -> None:
    assert estimate.left_s(one, Progress(0.5), 100.0) is None


@pytest.mark.parametrize(
    ("log", "cmd", "declared", "fraction"),
    [
        ("[1/4] a\n[2/4] b\n", "ninja", (), 0.5),
        ("[1/4] a\n[2/4] b\nlinking\n", "ninja", (), 0.5),
        ("10%|\r50%|\r75%|", "tqdm", (), 0.75),
        ("step 3 of 4\n", "make", (r"step (\d+) of (\d+)",), 0.75),
        ("step 3 of 4\n", "make", (), None),
        ("", "ninja", (), None),
    ],
)
def test_progress_is_that_of_the_newest_line_that_shows_any(
    tmp_path: Path, log: str, cmd: str, declared: tuple[str, ...], fraction: float | None
) -> None:
    path = tmp_path / "x.log"
    path.write_text(log, newline="")
    found = estimate.progress_of(str(path), RenderedJob("x", "", cmd, "", "", progress=declared))
    assert (found and found.fraction) == fraction


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("[1/4] a\n" + "x" * (1 << 15) + "\n")
    assert estimate.progress_of(str(path), RenderedJob("x", "", "ninja", "", "")) is None
