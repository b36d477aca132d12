"""Format lines and tables for people."""

from __future__ import annotations

import os
import sys
import time

from bgrun import api
from bgrun.model import STATES
from bgrun.wording import count, names, short, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bgrun.model import Run


_BARS = "▁▂▃▄▅▆▇█"
_COLORS = {"succeeded": "32", "running": "36", "queued": "36", "skipped": "33", "stopped": "33", "unknown": "35"}


def progress_text(estimate: api.insight.Estimate) -> str:
    """Return the progress of a run and the estimated time left as text, or ''."""
    seen, left, usual = estimate.progress, estimate.eta_s, estimate.median_s
    share = "" if seen is None else f"{seen.fraction:.0%}" + (f" ({seen.done}/{seen.total})" if seen.total else "")
    usually = "" if usual is None else f"usually {span(usual)}"
    ends = usually if left is None else "less than 1s left" if left < 1 else f"about {span(left)} left"
    return ", ".join(filter(None, (share, ends)))


def colored_state(state: str) -> str:
    """Return a state, in color on a terminal that supports it."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return state
    return f"\x1b[{_COLORS.get(state, '31')}m{state}\x1b[0m"


def path(full: str) -> str:
    """Return a path relative to the current directory where that is shorter."""
    try:
        here = os.getcwd()
    except OSError:
        return full
    return full[len(here) + 1 :] if full.startswith(f"{here}/") else full


def result_line(run: Run) -> str:
    """Return the one line with the result of a run."""
    code = "" if run.exit_code is None else f" exit={run.exit_code}"
    signal = f" ({run.signal})" if run.signal else ""
    why = f": {run.reason}" if run.reason else ""
    preposition = "for" if run.live else "in"
    took = f" {preposition} {span(run.duration_s)}" if run.duration_s is not None else ""
    return f"{colored_state(run.state)} {run.run_id}{code}{signal}{took}{_ready(run)}{why}{_part(run)}{_left(run)}"


def _ready(run: Run) -> str:
    """Return the words of a service that is up and was ready, with its address, or that never will be."""
    if run.is_never_ready:
        return ", never ready"
    return f", ready{f' at {run.url}' if run.url else ''}" if run.is_ready else ""


def _part(run: Run) -> str:
    """Return the words after the result of a run that was not its whole job or group."""
    return f"; only failed tests of {run.only_failed_of}" if run.only_failed_of else _part_of_group(run)


def _part_of_group(run: Run) -> str:
    return f"; only {names(run.only_jobs)} of {run.label}" if run.only_jobs else ""


def _left(run: Run) -> str:
    if not run.left_running:
        return ""
    processes = count(len(run.left_running), "process")
    return f"; left {processes} running (pid {names(run.left_running)}): bgrun stop {run.run_id}"


def status_lines(run: Run) -> list[str]:
    """Return the lines that `status` prints for a run: first those that scripts read."""
    alive = run.state.upper() if run.live else "NOT RUNNING"
    pid = "" if run.pid is None else run.pid
    job = f" job={run.engine_job} node={run.node}" if run.engine_job else ""
    lines = [f"{alive} label={run.label} pid={pid}{job}{_service_words(run)}"]
    if not run.live:
        at = path(os.path.splitext(run.meta)[0] + ".exit")
        lines.append(f"EXITCODE {run.exit_code} (file: {at})" if run.exit_code is not None else "EXITCODE none")
    lines.append(f"STATE {result_line(run)}")
    lines.append(log_line(run))
    return lines


def _service_words(run: Run) -> str:
    """Return what a script reads of a service that runs: whether it is ready, and its address."""
    if not run.service or run.state != "running":
        return ""
    return f"{' ready' if run.is_ready else ''}{f' url={run.url}' if run.url else ''}"


def log_line(run: Run) -> str:
    """Return the line with the log path of a run, or why it has none."""
    if os.path.lexists(run.log):
        return f"LOG {path(run.log)}"
    if run.started_at:
        return f"LOG {path(run.log)} (does not exist)"
    return "LOG none yet" if run.live else "LOG none: the run never started"


def _begun(run: Run) -> str:
    if run.pid is None:
        where = f" in {run.group_run}" if run.group_run else ""
        return f"{run.state.upper()} {run.run_id}{where}" + (f": {run.reason}" if run.reason else "")
    return f"STARTED {run.run_id} pid={run.pid}{f' url={run.url}' if run.url else ''}{_part_of_group(run)}"


def started_lines(run: Run, runs: Sequence[Run], *, joined: bool = False) -> list[str]:
    """Return what a starting command prints; `joined` if it attached to an active run."""
    alike = "" if run.service else " with the same command, parameters and git state"
    same = f"JOINED {run.run_id}: already {run.state}{alike}"
    lines = [same if joined else _begun(run)]
    lines += [f"  {one.state} {one.run_id}" for one in runs]
    never = not run.live and not run.started_at
    return [*lines, log_line(run) if never else f"LOG {path(run.log)}"]


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


_LEAST_ROOM = 20
_BELOW = "    "


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


_LEAST_LAST = 12
_MOST_PROGRESS = 32
"""How many columns progress gets in the overview, as `55% (110/200), about 3m07s left` needs."""


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


# --- runs as tables -------------------------------------------------------------------------------


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
        [*_result(run), api.runs.local_start(run) or "-", f"{indent}{run.run_id}", last[run.run_id] + _part(run)]
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


def remark(run: Run) -> str:
    """Return what there is to say of a run beyond its state, exit code and duration."""
    parts = (
        run.signal or "",
        _ready(run).removeprefix(", "),
        run.reason or "",
        _part(run).removeprefix("; "),
        _left(run).removeprefix("; "),
    )
    return "; ".join(filter(None, parts))


def _result(run: Run) -> list[str]:
    return [run.state, "-" if run.exit_code is None else str(run.exit_code), span(run.duration_s)]


def _when(run: Run) -> str:
    """Return when a run began: the time of today, or the date of another day."""
    date, _, at = api.runs.local_start(run).partition(" ")
    return at if at and date == time.strftime("%Y-%m-%d") else date or "-"
