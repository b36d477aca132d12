"""The command about the past: `stats`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK
from bgrun.store import history
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked
    from bgrun.store.history import Stats

_HEAD = ["LABEL", "RUNS", "GOOD", "MEDIAN", "P90", "NEWEST", "LAST FAILURE"]


def stats(project: Project, asked: Asked) -> int:
    """Handle `bgrun stats`."""
    found = api.insight.stats(project, asked.label, asked.since)
    if asked.json:
        output.document({"labels": [_fields(one) for one in found]})
        return EXIT_OK
    for line in format.table([_HEAD, *map(_row, found)]) if found else []:
        output.out(line)
    if not found:
        output.note(f"nothing ran here{f' under the label {asked.label}' if asked.label else ''} yet")
    return EXIT_OK


def _rate(one: Stats) -> float | None:
    return one.succeeded / one.runs if one.runs else None


def _row(one: Stats) -> list[str]:
    rate = _rate(one)
    good = "-" if rate is None else f"{rate:.0%}"
    bars = history.sparkline(one.durations_s) or "-"
    took = [span(one.median_s), span(one.p90_s)]
    return [one.label, str(one.runs), good, *took, bars, one.last_failure or "-"]


def _fields(one: Stats) -> dict[str, Any]:
    return {**one._asdict(), "success_rate": _rate(one), "durations_s": list(one.durations_s)}
