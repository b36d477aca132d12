"""Format the lines that are printed of one run."""

from __future__ import annotations

import os
import sys

from bgrun import api
from bgrun.wording import count, names, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.model import Run


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
    return f"{colored_state(run.state)} {run.run_id}{code}{signal}{took}{_ready(run)}{why}{part_of(run)}{_left(run)}"


def _ready(run: Run) -> str:
    """Return the words of a service that is up and was ready, with its address, or that never will be."""
    if run.is_never_ready:
        return ", never ready"
    return f", ready{f' at {run.url}' if run.url else ''}" if run.is_ready else ""


def part_of(run: Run) -> str:
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


def remark(run: Run) -> str:
    """Return what there is to say of a run beyond its state, exit code and duration."""
    parts = (
        run.signal or "",
        _ready(run).removeprefix(", "),
        run.reason or "",
        part_of(run).removeprefix("; "),
        _left(run).removeprefix("; "),
    )
    return "; ".join(filter(None, parts))
