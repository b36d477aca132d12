"""Show runs live on a terminal, one line each. Rich draws them and is imported only here."""

from __future__ import annotations

import os
import time

from bgrun import api
from bgrun.errors import OutputError
from bgrun.light import NamedTuple, contextmanager
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType
    from rich.table import Table

    from bgrun.api import Project
    from bgrun.model import Run

PER_SECOND = 4
_STYLES = {"succeeded": "green", "running": "cyan", "queued": "blue", "skipped": "yellow", "stopped": "yellow"}
_BAR = 20
_LEAST_WIDTH = 60


class Line(NamedTuple):
    """A run with its estimate, as the view shows it."""

    run: Run
    estimate: api.insight.Estimate


class View:
    """The current state of runs; the usual durations of their labels are read once."""

    def __init__(self, project: Project, run_ids: Sequence[str]) -> None:
        self.project = project
        self.run_ids = run_ids
        self.usual: dict[str, float | None] = {}

    def __rich__(self) -> RenderableType:
        """Draw the current state; show an error of reading it, and read again the next time."""
        from bgrun.errors import BgrunError

        try:
            return draw(self.lines(), _size())
        except BgrunError as error:
            from rich.text import Text

            return Text(error.message)

    def lines(self) -> list[Line]:
        """Return the runs to show, for a group run its jobs. Only those that fit get an estimate."""
        found = {run.run_id: run for run_id in self.run_ids for run in self._expanded(run_id)}
        runs = in_view(list(found.values()))
        height = _height(_size())
        return [
            Line(run, self._estimate(run) if place < height else api.insight.Estimate())
            for place, run in enumerate(runs)
        ]

    def _expanded(self, run_id: str) -> list[Run]:
        run = api.runs.latest(self.project, run_id)
        return api.runs.members(self.project, run) or [run]

    def _estimate(self, run: Run) -> api.insight.Estimate:
        if run.state != "running":
            return api.insight.Estimate()
        if run.label not in self.usual:
            self.usual[run.label] = api.insight.usual_s(self.project, run.label)
        return api.insight.estimate_with(self.project, run, self.usual[run.label])


def _size() -> os.terminal_size:
    import shutil

    return shutil.get_terminal_size()


def _height(size: os.terminal_size) -> int:
    return max(1, size.lines - 3)


def in_view(runs: Sequence[Run]) -> list[Run]:
    """Return the runs, active ones first, then those that did not succeed."""
    order = {"running": 0, "queued": 2, "succeeded": 3}
    return sorted(runs, key=lambda run: order.get(run.state, 1))


def draw(lines: Sequence[Line], size: os.terminal_size) -> Table:
    """Return the lines as a table that fits a terminal of this size, with the number of those left out."""
    from collections import Counter

    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1), expand=False)
    height = _height(size)
    wide = size.columns >= _LEAST_WIDTH
    bars = any(line.estimate.progress for line in lines[:height])
    rows = [_cells(line, size.columns, bars=bars) for line in lines[:height]]
    long = max((len(line.run.label) for line in lines[:height]), default=0) > size.columns // 3
    for place in range(len(rows[0]) if rows and wide else 2):
        # Rich shortens columns that may wrap first: the last one, whose texts do not wrap, and long labels.
        flexible = wide and ((place == 1 and long) or place == len(rows[0]) - 1)
        table.add_column(no_wrap=not flexible, overflow="ellipsis")
    for cells in rows:
        table.add_row(*(cells if wide else cells[:2]))
    if rest := lines[height:]:
        counts = Counter(line.run.state for line in rest)
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        table.add_row(Text("…"), Text(f"{len(rest)} more: {states}", no_wrap=True, overflow="ellipsis"))
    return table


def _cells(line: Line, columns: int, *, bars: bool) -> list[RenderableType]:
    from rich.text import Text

    run, estimate = line
    left = "" if estimate.eta_s is None else f"~{span(estimate.eta_s)} left"
    remark = estimate.last_line if run.live else (run.reason or "")
    return [
        Text(run.state, style=_STYLES.get(run.state, "red")),
        Text(run.label, no_wrap=True, overflow="ellipsis"),
        *([_bar(estimate)] if bars else []),
        Text(span(run.duration_s), justify="right"),
        Text(left, style="dim"),
        Text(remark[:columns], style="dim", no_wrap=True, overflow="ellipsis"),
    ]


def _bar(estimate: api.insight.Estimate) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    if not estimate.progress:
        return Text(" " * _BAR)
    return ProgressBar(total=1.0, completed=estimate.progress.fraction, width=_BAR)


@contextmanager
def view(project: Project, run_ids: Sequence[str]) -> Iterator[Console]:
    """Show runs live until the block ends; lines printed on the console appear above the view."""
    from rich.console import Console
    from rich.live import Live

    _ignore_output_errors()
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    seen = View(project, run_ids)
    with Live(get_renderable=seen.__rich__, console=console, refresh_per_second=PER_SECOND, transient=True):
        yield console


def _ignore_output_errors() -> None:
    """Ignore output errors in the thread that draws: the next printed line raises them."""
    import threading

    usual = threading.excepthook

    def hook(failed: threading.ExceptHookArgs) -> None:
        if not isinstance(failed.exc_value, OutputError):
            usual(failed)

    threading.excepthook = hook


def watch(project: Project, run_ids: Sequence[str]) -> None:
    """Show runs live until all of them have finished."""
    with view(project, run_ids):
        while any(api.runs.latest(project, run_id).live for run_id in run_ids):
            time.sleep(1 / PER_SECOND)


def snapshot(project: Project, run_ids: Sequence[str]) -> None:
    """Show runs once, as they are now."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    console.print(View(project, run_ids))
