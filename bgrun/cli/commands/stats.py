"""The handler of `stats`: success rates and durations."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import output, tables
from bgrun.errors import EXIT_OK
from bgrun.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args

_HEAD = ["LABEL", "RUNS", "GOOD", "MEDIAN", "P90", "NEWEST", "LAST FAILURE"]


def stats(project: Project, args: Args) -> int:
    """Handle `bgrun stats`."""
    found = api.insight.stats(project, args.label, args.since)
    if args.json:
        output.document(api.documents.stats(found))
        return EXIT_OK
    rows = list(map(_row, found))
    for line in tables.fitted_table(_HEAD, rows, output.columns(), ("NEWEST", "P90", "RUNS", "MEDIAN")) if rows else []:
        output.out(line)
    if not found:
        output.note("no runs yet")
    return EXIT_OK


def _row(one: api.insight.Stats) -> list[str]:
    good = "-" if one.success_rate is None else f"{one.success_rate:.0%}"
    bars = tables.sparkline(one.durations_s) or "-"
    took = [span(one.median_s), span(one.p90_s)]
    return [one.label, str(one.runs), good, *took, bars, one.last_failure or "-"]
