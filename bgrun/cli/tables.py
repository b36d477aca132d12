"""Format tables for people: of runs, and of anything else in columns."""

from __future__ import annotations

import time

from bgrun import api
from bgrun.cli.format import colored_state, part_of
from bgrun.model import STATES
from bgrun.wording import short, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bgrun.model import Run

_BARS = "▁▂▃▄▅▆▇█"
_LEAST_ROOM = 20
_BELOW = "    "
_LEAST_LAST = 12
_MOST_PROGRESS = 32
"""How many columns progress gets in the overview, as `55% (110/200), about 3m07s left` needs."""


def sparkline(values: Sequence[float]) -> str:
    """Return the values as a line of bars, the greatest of them full."""
    most = max(values, default=0.0)
    return "".join(_BARS[min(int(value / most * len(_BARS)), len(_BARS) - 1)] if most else _BARS[0] for value in values)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def wrapped_table(rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Return rows of two cells as lines; the second cell wraps at so many columns.

    In a narrow terminal it stands below the first one.
    """
    import textwrap

    indent = max((len(first) for first, _ in rows), default=0) + 2
    lines: list[str] = []
    if columns - indent < _LEAST_ROOM:
        room = max(_LEAST_ROOM, columns - len(_BELOW))
        for first, second in rows:
            lines += [first, *(_BELOW + line for line in textwrap.wrap(second, room))]
        return lines
    for first, second in rows:
        head, *more = textwrap.wrap(second, columns - indent) or [""]
        lines += [f"{first.ljust(indent)}{head}".rstrip(), *(" " * indent + line for line in more)]
    return lines


def fitted_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], columns: int, seldom: Sequence[str], least: int = 0
) -> list[str]:
    """Return rows below their head as lines that fit a terminal of so many columns; 0 is any width.

    Where there is no room for the last column, those named `seldom` are left out in this order. Where there still is
    none, a long cell before it takes the room from its own row only; at last the last column is left out.

    least: how many columns the last column gets whatever its rows are called, if it is not to be cut below that.
    """
    fewest, least = max(least, _LEAST_LAST // 2), max(least, _LEAST_LAST)
    every = [head, *rows]
    for name in seldom if columns else ():
        if _room_for_last(every, columns) < least:
            place = every[0].index(name)
            every = [[*row[:place], *row[place + 1 :]] for row in every]
    lines = table(every)
    if columns and _room_for_last(every, columns) < fewest:
        lines = _with_long_cells(every, columns, least)
    return [_with_color(clipped(line, columns), row[0]) for line, row in zip(lines, every, strict=True)]


def _with_long_cells(every: Sequence[Sequence[str]], columns: int, least: int) -> list[str]:
    """Return rows as lines; where the last cell but one is too long for its column, the last gets what is left."""
    room = _room_for_last([row[:-1] for row in every], columns) - 2 - least
    narrow = [row for row in every[1:] if len(row[-2]) <= room]
    if not narrow:
        return table([row[:-1] for row in every])
    aligned = iter(table([every[0], *narrow]))
    fronts = iter(table([row[:-1] for row in every]))
    lines = []
    for row in every:
        front = next(fronts)
        fits = row is every[0] or len(row[-2]) <= room
        whole = len(front) + 2 + len(row[-1]) <= columns
        lines.append(next(aligned) if fits else f"{front}  {row[-1]}".rstrip() if whole else front)
    return lines


def _room_for_last(rows: Sequence[Sequence[str]], columns: int) -> int:
    return columns - sum(max(len(row[place]) for row in rows) + 2 for place in range(len(rows[0]) - 1))


def _with_color(line: str, state: str) -> str:
    return line.replace(state, colored_state(state), 1) if state in STATES else line


def clipped(line: str, columns: int) -> str:
    """Return a line cut to so many columns of a terminal, or as it is for 0."""
    if not columns or (line.isascii() and len(line) <= columns):
        return line
    from itertools import accumulate
    from unicodedata import east_asian_width

    ends = list(accumulate(2 if east_asian_width(char) in "WF" else 1 for char in line))
    if ends[-1] <= columns:
        return line
    return line[: sum(end < columns for end in ends)] + "…"


def is_over(run: Run) -> bool:
    """Return whether a run has finished: the sort key that puts active runs first."""
    return not run.live


def nested(runs: Sequence[Run], order: Callable[[Run], int] = is_over) -> Iterator[tuple[str, Run]]:
    """Yield the runs, each with its indentation: below a group run those of its jobs that are among them, in order."""
    known = {run.run_id: run for run in runs}
    for run in api.runs.top_level(runs):
        yield "", run
        jobs = [known[one] for one in run.members if one in known and known[one].group_run == run.run_id]
        yield from (("  ", one) for one in sorted(jobs, key=order))


def list_lines(runs: Sequence[Run], columns: int, outputs: Mapping[str, str] | None = None) -> list[str]:
    """Return the table that `list` prints, with the commands of the runs or, if given, their outputs by run ID."""
    head = ["STATE", "EXIT", "TOOK", "STARTED", "RUN", "COMMAND" if outputs is None else "OUTPUTS"]
    last = {run.run_id: short(run.cmd) if outputs is None else outputs[run.run_id] for run in runs}
    rows = [
        [*_result(run), api.runs.local_start(run) or "-", f"{indent}{run.run_id}", last[run.run_id] + part_of(run)]
        for indent, run in nested(runs)
    ]
    return fitted_table(head, rows, columns, ("STARTED", "EXIT"))


def overview_lines(runs: Sequence[Run], notes: Mapping[str, str], columns: int) -> list[str]:
    """Return the table that `status` without REF prints: one line for each run, running ones first.

    notes: what to say of a run, by its run ID.
    """
    ordered = sorted(runs, key=lambda run: (not run.live, run.state == "queued"))
    labels = [run.label for run in runs]
    rows = [
        [
            *_result(run),
            _when(run),
            indent + (run.run_id if labels.count(run.label) > 1 else run.label),
            short(notes.get(run.run_id, "")),
        ]
        for indent, run in nested(ordered)
    ]
    progress = max((len(notes.get(run.run_id, "")) for run in runs if run.state == "running"), default=0)
    head = ["STATE", "EXIT", "TOOK", "STARTED", "LABEL", ""]
    return fitted_table(head, rows, columns, ("STARTED", "EXIT"), min(progress, _MOST_PROGRESS))


def _result(run: Run) -> list[str]:
    return [run.state, "-" if run.exit_code is None else str(run.exit_code), span(run.duration_s)]


def _when(run: Run) -> str:
    """Return when a run began: the time of today, or the date of another day."""
    date, _, at = api.runs.local_start(run).partition(" ")
    return at if at and date == time.strftime("%Y-%m-%d") else date or "-"
