"""The command about the past: `stats`."""

from __future__ import annotations

from bgrun import runner
from bgrun.cli import show
from bgrun.errors import EXIT_OK
from bgrun.runs import history

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.cli.call import Asked
    from bgrun.jobfile.find import Project
    from bgrun.runs.history import Stats

_HEAD = ["LABEL", "RUNS", "GOOD", "MEDIAN", "P90", "NEWEST", "LAST FAILURE"]


def stats(project: Project, asked: Asked) -> int:
    """Handle `bgrun stats`."""
    found = runner.stats(project, asked.label, asked.since)
    if asked.json:
        show.document({"labels": [_fields(one) for one in found]})
        return EXIT_OK
    for line in show.table([_HEAD, *map(_row, found)]) if found else []:
        show.out(line)
    if not found:
        show.note(f"nothing ran here{f' under the label {asked.label}' if asked.label else ''} yet")
    return EXIT_OK


def _rate(one: Stats) -> float | None:
    return one.succeeded / one.runs if one.runs else None


def _row(one: Stats) -> list[str]:
    rate = _rate(one)
    good = "-" if rate is None else f"{rate:.0%}"
    bars = history.sparkline(one.durations_s) or "-"
    took = [show.span(one.median_s), show.span(one.p90_s)]
    return [one.label, str(one.runs), good, *took, bars, one.last_failure or "-"]


def _fields(one: Stats) -> dict[str, Any]:
    return {**one._asdict(), "success_rate": _rate(one), "durations_s": list(one.durations_s)}
