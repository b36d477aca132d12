"""Interpret runs: summaries, estimates, stalls, statistics."""

from __future__ import annotations

import time

from bgrun.api.runs import Selection, facts_of, list_runs, members, moment, resolve
from bgrun.light import NamedTuple
from bgrun.store import record
from bgrun.store.paths import parse_run_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.jobfile.project import Project
    from bgrun.logs.digest import Digest as Digest
    from bgrun.model import Run
    from bgrun.parsers.problem_matchers import Problem as Problem
    from bgrun.parsers.progress import Progress
    from bgrun.store import masking
    from bgrun.store.history import Stats as Stats


MOST_PROBLEMS = 10
"""How many problems a digest names."""


LAST_LINE_BYTES = 4096
"""How much of the end of a last line is looked at."""


class Estimate(NamedTuple):
    """How far a running run is, what it usually takes, and in how many seconds it may end.

    `last_line` is told only where it was asked for.
    """

    progress: Progress | None = None
    median_s: float | None = None
    eta_s: float | None = None
    last_line: str = ""


def stats(project: Project, label: str | None = None, since: str | None = None) -> list[Stats]:
    """Return a label, or each of them, in numbers; `since` is a duration or a time.

    Raises:
        UsageError: there is no such label, or `since` is neither.
    """
    from bgrun.store import history

    wanted = Selection(since=moment(since))
    asked = [parsed.label for one in [resolve(project, label)] if (parsed := parse_run_id(one))] if label else []
    every = asked or project.store.index().labels()
    return [history.summarize(name, list_runs(project, name, wanted=wanted)) for name in every]


def usual_s(project: Project, label: str) -> float | None:
    """Return what a label's runs that succeeded usually take: their median, in seconds."""
    from bgrun.store import history

    return history.usual_s(project.store, label)


def outlook_on(project: Project, run: Run) -> Estimate:
    """Return what can be said of the rest of a run; nothing of one that does not run."""
    return _outlook(project, run, usual_s(project, run.label)) if run.state == "running" else Estimate()


def outlook_with(project: Project, run: Run, median_s: float | None) -> Estimate:
    """Return what can be said of a running run whose label usually takes `median_s`, its last line included."""
    from bgrun.logs import stream

    last = stream.last_line(run.log, _marks(project, run), LAST_LINE_BYTES)
    return _outlook(project, run, median_s)._replace(last_line=last)


def _outlook(project: Project, run: Run, median_s: float | None) -> Estimate:
    from bgrun.logs import estimate
    from bgrun.store import facts

    at = project.store.run(run.run_id)
    seen = estimate.progress_of(at.log, facts.job_of(record.read_meta(at) or {}, ""))
    return Estimate(seen, median_s, estimate.left_s(run, seen, median_s))


def stalled(project: Project, run: Run) -> str | None:
    """Return what makes a running run, or one of a group's runs, look as if it hung, or None."""
    from bgrun.logs import stall

    for one in (run, *members(project, run)):
        if one.state != "running" or one.members:
            continue
        if told := stall.told(one.log, time.time(), _marks(project, one)):
            return told if one is run else f"{one.run_id}: {told}"
    return None


def digest(project: Project, run: Run, most: int = MOST_PROBLEMS) -> Digest:
    """Return the digest of a run, of a group's run with those of its runs that did not succeed.

    That of a run which was skipped, since what it needs did not succeed, tells of what did not.
    """
    from bgrun.logs import digest as digests

    whole = run if run.members else _spoiled_by(project, run)
    if whole is None:
        return _digest(project, run, most)
    bad = [one for one in members(project, whole) if not one.live and one.state not in ("succeeded", "skipped")]
    return digests.of_group(run, [_digest(project, one, most) for one in bad], most)


def _spoiled_by(project: Project, run: Run) -> Run | None:
    """Return the run of the plan that a skipped run was skipped in for the sake of another."""
    if run.state != "skipped" or not run.group_run or record.is_waived(facts_of(project, run.run_id)):
        return None
    return project.store.read(run.group_run)


def _digest(project: Project, run: Run, most: int) -> Digest:
    from bgrun.logs import digest as digests
    from bgrun.logs import digest_store
    from bgrun.store import facts

    at = project.store.run(run.run_id)
    if most == MOST_PROBLEMS and (kept := digest_store.read(at, run)):
        return kept
    known = record.read_meta(at) or {}
    made = digests.of_run(at, run, facts.job_of(known, ""), known.get("secrets", ""), most)
    if most == MOST_PROBLEMS:
        digest_store.write(at, made)
    return made


def _marks(project: Project, run: Run) -> Sequence[masking.Mark]:
    from bgrun.store import masking

    return masking.parse((project.store.facts(run.run_id) or {}).get("secrets", ""))
