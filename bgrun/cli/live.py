"""Show runs live on a terminal, one line each. Rich draws them and is imported only here."""

from __future__ import annotations

import os
import time

from bgrun import api
from bgrun.cli import tables
from bgrun.errors import BgrunError, OutputError
from bgrun.light import NamedTuple, contextmanager
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

    from bgrun.api import Project
    from bgrun.model import Run

PER_SECOND = 4
_STYLES = {
    **{"succeeded": "green", "running": "cyan", "queued": "blue", "skipped": "yellow", "stopped": "yellow"},
    "unknown": "magenta",
}
_BAR = 20
_LEAST_LAST = 10
"""How many columns the last line of a log gets at least; with fewer it is left out."""
_LEAST_LABEL = 4


class Line(NamedTuple):
    """A run with its estimate, as the view shows it; `indent` if it is below its group run."""

    run: Run
    estimate: api.insight.Estimate
    indent: str = ""

    @property
    def label(self) -> str:
        """The label with its indentation."""
        return self.indent + self.run.label

    @property
    def progress(self) -> str:
        """The progress as a share, or ''."""
        return "" if self.estimate.progress is None else f"{self.estimate.progress.fraction:.0%}"

    @property
    def left(self) -> str:
        """The estimated time left, or ''."""
        eta_s = self.estimate.eta_s
        return "" if eta_s is None else "<1s left" if eta_s < 1 else f"~{span(eta_s)} left"

    @property
    def last(self) -> str:
        """The last line of the log of an active run, or why another is in its state."""
        return self.estimate.last_line or self.run.reason or ""


class View:
    """The current state of runs; the usual durations are read once."""

    def __init__(self, project: Project, run_ids: Sequence[str]) -> None:
        self.project = project
        self.run_ids = run_ids
        self.usual: dict[str, float | None] = {}

    def __call__(self) -> Text:
        """Draw the current state."""
        return draw(self.lines(), _size())

    def lines(self) -> list[Line]:
        """Return the runs to show, a group run above its jobs. Only those that fit get an estimate."""
        found = {run.run_id: run for run_id in self.run_ids for run in self._with_jobs(run_id)}
        runs = list(tables.nested(sorted(found.values(), key=in_view), in_view))
        height = _height(_size())
        shown = [run for _, run in runs[:height] if run.state == "running"]
        self.usual |= api.insight.usual_of(self.project, [run for run in shown if run.run_id not in self.usual])
        return [
            Line(run, self._estimate(run) if place < height else api.insight.Estimate(), indent)
            for place, (indent, run) in enumerate(runs)
        ]

    def _with_jobs(self, run_id: str) -> list[Run]:
        run = api.runs.read(self.project, run_id)
        return [run, *api.runs.members(self.project, run)]

    def _estimate(self, run: Run) -> api.insight.Estimate:
        if run.state != "running":
            return api.insight.Estimate()
        estimate = api.insight.estimate_with(self.project, run, self.usual[run.run_id])
        return estimate._replace(last_line="") if run.members else estimate


def _size() -> os.terminal_size:
    import shutil

    return shutil.get_terminal_size()


def _height(size: os.terminal_size) -> int:
    return max(1, size.lines - 3)


def in_view(run: Run) -> int:
    """Return the place of a run in the view: running ones first, then those that did not succeed."""
    return {"running": 0, "queued": 2, "succeeded": 3}.get(run.state, 1)


def draw(lines: Sequence[Line], size: os.terminal_size) -> Text:
    """Return the lines as text that fits a terminal of this size, with the number of those left out."""
    from collections import Counter

    from rich.text import Text

    height = _height(size)
    shown, rest = lines[:height], lines[height:]
    columns = _Columns(shown, size.columns)
    drawn = [columns.row(line) for line in shown]
    if rest:
        counts = Counter(line.run.state for line in rest)
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        drawn.append(_cut(f"… {len(rest)} more: {states}", size.columns))
    return Text("\n").join(drawn)


class _Columns:
    """The widths of the columns. State, label and time come first; the last line of the log gets what is left.

    In a narrow terminal a percentage replaces the bar, then the last line and the time left go. A label that would
    take both from all lines takes them from its own only. It is cut where it would not fit even so.
    """

    def __init__(self, lines: Sequence[Line], columns: int) -> None:
        from rich.cells import cell_len

        self.columns = columns
        self.state = max((len(line.run.state) for line in lines), default=0)
        self.time = max((len(span(line.run.duration_s)) for line in lines), default=0)
        self.room = max(_LEAST_LABEL, columns - self.state - self.time - 2)
        labels = [cell_len(line.label) for line in lines]
        more = 5 * any(line.progress for line in lines) + max(
            (len(line.left) + 1 for line in lines if line.left), default=0
        )
        fitting = [one for one in labels if one <= self.room - more]
        self.label = max(_LEAST_LABEL, min(max(fitting or labels, default=0), self.room))
        left = columns - self.state - self.label - self.time - 2
        self.left, left = _taken(max((len(line.left) for line in lines), default=0), left)
        bars = any(line.progress for line in lines)
        self.bar, left = _taken(_BAR if bars and left > _BAR + _LEAST_LAST else 4 * bars, left)
        self.last = left - 1 if left > _LEAST_LAST else 0

    def row(self, line: Line) -> Text:
        """Return a run as a line."""
        from rich.cells import cell_len
        from rich.text import Text

        state = Text(line.run.state.ljust(self.state), style=_STYLES.get(line.run.state, "red"))
        if cell_len(line.label) > self.label:
            return self._long_row(line, state)
        cells = [state, _cut(line.label, self.label, fill=True)]
        if self.bar:
            cells.append(_bar(line) if self.bar == _BAR else Text(line.progress.rjust(self.bar)))
        cells.append(Text(span(line.run.duration_s).rjust(self.time)))
        if self.left:
            cells.append(Text(line.left.ljust(self.left), style="dim"))
        if self.last:
            cells.append(_cut(line.last, self.last, style="dim"))
        text = Text(" ").join(cells)
        text.rstrip()
        text.truncate(self.columns)
        return text

    def _long_row(self, line: Line, state: Text) -> Text:
        """Return a run as a line whose label is longer than its column."""
        from rich.text import Text

        time, more = span(line.run.duration_s).rjust(self.time), f" {line.left}" * bool(line.left)
        text = Text(" ").join([state, _cut(line.label, self.room), Text(time)])
        if text.cell_len + len(more) <= self.columns:
            text.append(more, style="dim")
        text.truncate(self.columns)
        return text


def _taken(width: int, left: int) -> tuple[int, int]:
    """Return the width of a column, 0 if it does not fit with its blank, and how many columns are left then."""
    return (width, left - width - 1) if 0 < width < left else (0, left)


def _cut(text: str, width: int, *, fill: bool = False, style: str = "") -> Text:
    """Return text cut to so many columns of the terminal, or filled up to them."""
    from rich.text import Text

    cut = Text(text, style=style, no_wrap=True)
    cut.truncate(width, overflow="ellipsis", pad=fill)
    return cut


def _bar(line: Line) -> Text:
    """Return the progress as a bar; blanks if it is unknown."""
    from rich.text import Text

    if line.estimate.progress is None:
        return Text(" " * _BAR)
    done = round(min(1.0, line.estimate.progress.fraction) * _BAR)
    return Text("━" * done, style="cyan") + Text("─" * (_BAR - done), style="dim")


_INTERRUPTED = "^C"
"""What a terminal prints after the last line when Ctrl-C is typed; in a full line it would take a row more."""


class _Before:
    """What the last drawing left on the terminal: the width of each line."""

    def __init__(self) -> None:
        self.widths: list[int] = []

    def more_rows(self, columns: int) -> int:
        """Return how many rows more it takes in a terminal of so many columns, which broke its lines."""
        return sum(max(0, width - 1) // columns for width in self.widths) if _breaks_lines() else 0


def _breaks_lines() -> bool:
    """Return whether the terminal breaks lines that no longer fit, as all but a few do; others cut them off."""
    names = os.environ
    return names.get("TERM") != "linux" and "XTERM_VERSION" not in names and ("STY" not in names or "TMUX" in names)


class _Redrawn(NamedTuple):
    """A text in place of what was drawn before. Rich erases one row for each line; the rows beyond are erased here."""

    text: Text
    before: _Before

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it for the terminal as it is now, which may have become narrower since it was made."""
        from rich.control import Control
        from rich.segment import ControlType
        from rich.text import Text

        columns = max(1, options.max_width)
        more = self.before.more_rows(columns)
        yield Control(*((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * more)
        lines = self.text.wrap(console, columns)
        if lines and lines[-1].cell_len > columns - len(_INTERRUPTED):
            lines.append(Text())
        self.before.widths = [line.cell_len for line in lines]
        yield Text("\n").join(lines)


@contextmanager
def view(project: Project, run_ids: Sequence[str]) -> Iterator[Console]:
    """Show runs live until the block ends; lines printed on the console appear above the view."""
    with _shown(View(project, run_ids)) as console:
        yield console


@contextmanager
def _shown(draw: Callable[[], Text]) -> Iterator[Console]:
    """Show what a function returns, again and again; an error of reading is shown until the next time."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    before = _Before()

    def drawn() -> RenderableType:
        try:
            return _Redrawn(draw(), before)
        except BgrunError as error:
            return _Redrawn(Text(error.message), before)

    _ignore_output_errors()
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    with Live(get_renderable=drawn, console=console, refresh_per_second=PER_SECOND, transient=True):
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
        while any(api.runs.read(project, run_id).live for run_id in run_ids):
            time.sleep(1 / PER_SECOND)


def watch_list(lines: Callable[[], Sequence[str]], is_over: Callable[[], bool]) -> None:
    """Show lines live, with their colors, until it is over."""
    from rich.text import Text

    with _shown(lambda: Text.from_ansi("\n".join(lines()), no_wrap=True)):
        while not is_over():
            time.sleep(1 / PER_SECOND)


def snapshot(project: Project, run_ids: Sequence[str]) -> None:
    """Show runs once, as they are now."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    console.print(View(project, run_ids)())
