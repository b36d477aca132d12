"""Measuring how long things take: all of them in turns, so that a busy minute is everybody's."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from workbench import Figure, MeasuringError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench import Workbench

FLOOR = "python -c pass"
PAUSE_S = 0.02
"""Between two things measured: what the first still tidies up is not the second's cost."""


def nothing() -> None:
    """Do nothing: there is nothing to settle."""


class Row(NamedTuple):
    """Something to measure: `act` is timed, `settle` is not and makes ready for the next.

    What is not bgrun's may fail: it is left out, with a note.
    """

    what: str
    act: Callable[[], None]
    settle: Callable[[], None] = nothing
    note: str = ""
    ours: bool = False


def floor(bench: Workbench) -> Row:
    """Return the row that all ratios are to."""
    return Row(FLOOR, lambda: bench.call([sys.executable, "-c", "pass"]))


def measure(bench: Workbench, rows: Sequence[Row], rounds: int, *, warm_up: bool = True) -> list[Figure]:
    """Return the median of each row in ms, with its ratio to the floor, which is one of the rows.

    Raises:
        MeasuringError: a row of bgrun's own could not be measured.
    """
    took: dict[str, list[float]] = {row.what: [] for row in rows}
    failed: set[str] = set()
    for number in range(-1 if warm_up else 0, rounds):
        for row in rows:
            if row.what in failed:
                continue
            try:
                seconds = _timed(row)
            except MeasuringError as error:
                _give_up(bench, row, error)
                failed.add(row.what)
                continue
            # The first time, caches are filled: of the disk, of bytecode, of bgrun's own.
            if number >= 0:
                took[row.what].append(seconds)
        bench.tell(f"round {number + 1} of {rounds}")
    medians = {row.what: statistics.median(took[row.what]) for row in rows if row.what not in failed}
    return [
        Figure(row.what, medians[row.what] * 1000, "ms", medians[row.what] / medians[FLOOR], row.note)
        for row in rows
        if row.what in medians
    ]


def _timed(row: Row) -> float:
    begun = time.perf_counter()
    row.act()
    seconds = time.perf_counter() - begun
    row.settle()
    time.sleep(PAUSE_S)
    return seconds


def _give_up(bench: Workbench, row: Row, error: MeasuringError) -> None:
    if row.ours or row.what == FLOOR:
        raise error
    bench.notes.append(f"could not be measured: {row.what}: {error}")
