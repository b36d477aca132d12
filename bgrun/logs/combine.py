"""Combine the test reports of a run with what its log says. Pure, except for finding files."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.parsers.recognize import merged
from bgrun.parsers.shape import WRAPPER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bgrun.logs.places import Places
    from bgrun.parsers.junit import Report
    from bgrun.parsers.recognize import Recognized
    from bgrun.parsers.shape import Findings, Problem


class Combined(NamedTuple):
    """The problems of a run, errors only where there are any, and its counts.

    tests: the counts of tests alone.
    missing: how many more problems the tools counted.
    source: `junit` if a report has problems, else `log`, or '' without problems.
    wrapped: whether the only problem is that a command failed.
    dropped: how many more problems were recognized.
    unclaimed: how many lines at the end of the log follow the output of the tools.
    """

    problems: tuple[Problem, ...]
    counts: Mapping[str, int]
    tests: Mapping[str, int]
    missing: int
    source: str
    wrapped: bool
    dropped: int
    unclaimed: int


def combined(report: Report | None, seen: Recognized, places: Places) -> Combined:
    """Return the problems of reports and log together.

    A report knows more about its tests than the log: what the log says of the same tests is left out.
    """
    reported = report.problems if report else ()
    counted: Mapping[str, int] = report.counts if report else {}
    if report and report.note and any(call.is_of_tests for call in seen.calls):
        counted = {}  # it is incomplete: the log has the totals
    calls = [call for call in seen.calls if not _is_covered(call, counted, reported)]
    logged = seen._replace(calls=tuple(call for call in calls if not (reported and call.certainty == WRAPPER)))
    ids = {_plain(one.id) for one in reported}
    found = [places.placed(one) for one in reported]
    found += [places.placed(one.problem, one.base) for one in logged.found if not _is_one_of(one.problem, ids)]
    worst = [one for one in found if not one.mild] or found
    return Combined(
        tuple(worst),
        merged([counted, logged.counts]),
        merged([counted, logged.tests]),
        logged.missing,
        "junit" if reported else "log" if worst else "",
        logged.wrapped and not reported,
        logged.dropped,
        seen.unclaimed,
    )


def _is_covered(call: Findings, counts: Mapping[str, int], reported: Sequence[Problem]) -> bool:
    """Return whether the tests of a call are those of the reports: they count no fewer, and name the same failures."""
    if not call.is_of_tests or not counts:
        return False
    ids = {_plain(one.id) for one in reported}
    fits = all(call.counts.get(what, 0) <= counts.get(what, 0) for what in ("failed", "errors", "passed"))
    return fits and (all(_is_one_of(one.problem, ids) for one in call.found) or len(call.found) == len(reported))


def _is_one_of(problem: Problem, ids: Collection[str]) -> bool:
    return problem.test and _plain(problem.id) in ids


def _plain(id: str | None) -> str:
    """Return the letters and digits of a test's name, which tools and reports separate in different ways."""
    return "".join(filter(str.isalnum, id or ""))
