"""Interpret runs: summaries, estimates, stalls, statistics."""

from __future__ import annotations

import time

from bgrun.api.references import resolve
from bgrun.api.runs import facts_of, members, moment
from bgrun.light import NamedTuple
from bgrun.store import record, state
from bgrun.store.paths import parse_run_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.logs.digest import Digest as Digest
    from bgrun.logs.history.comparison import Comparison as Comparison
    from bgrun.logs.outputs import OutputValue as OutputValue
    from bgrun.model import Run
    from bgrun.parsers.progress import Progress
    from bgrun.parsers.shape import Problem as Problem
    from bgrun.store import masking
    from bgrun.store.listing.history import Stats as Stats
    from bgrun.store.paths import RunPaths
    from bgrun.system.work_tree import Commit as Commit


MOST_PROBLEMS = 10
"""How many problems a summary lists."""

MOST_SEARCHED = 500
"""How many runs of a label are searched for the last one that succeeded."""
MOST_COMMITS = 20
"""How many commits are listed."""
SECTION_BYTES = 8 << 20
"""How many bytes at the end of a log are searched for the lines about a problem."""
MOST_NAMED = 20
"""How many problems an error names."""
LAST_LINE_BYTES = 4096
"""How many bytes of the end of a last line are read."""


class Estimate(NamedTuple):
    """The progress of a running run, the usual duration of runs like it, and its estimated seconds left.

    `last_line` is read only on request.
    """

    progress: Progress | None = None
    median_s: float | None = None
    eta_s: float | None = None
    last_line: str = ""


def stats(project: Project, label: str | None = None, since: str | None = None) -> list[Stats]:
    """Return the statistics of one label or of all; `since` is a duration or a time.

    Raises:
        UsageError: there is no such label, or `since` is invalid.
    """
    from bgrun.store.listing import filters, history

    first = moment(since)
    asked = [parsed.label for one in [resolve(project, label)] if (parsed := parse_run_id(one))] if label else []
    found = project.store.index()
    with project.store.results(found) as results:
        every = ((name, results.of(found.newest_first(name))) for name in asked or found.labels())
        return [history.summarize(name, filters.since(first, runs)) for name, runs in every]


def usual_of(project: Project, runs: Iterable[Run]) -> dict[str, float | None]:
    """Return the median duration of successful runs with the label and the arguments of each run, by its run ID.

    In seconds; None without such a run.
    """
    from bgrun.store.listing import history

    return history.usual_of(project.store, runs)


def usual_s(project: Project, label: str) -> float | None:
    """Return the median duration of the newest successful runs of a label, in seconds; None without any."""
    from bgrun.store.listing import history

    return history.usual_s(project.store, label)


def estimate_of(project: Project, run: Run) -> Estimate:
    """Return the progress of a run and its estimated time left; empty unless it is running."""
    return estimates(project, [run]).get(run.run_id, Estimate())


def estimates(project: Project, runs: Iterable[Run]) -> dict[str, Estimate]:
    """Return the estimates of the running ones of these runs, by their run IDs."""
    running = [run for run in runs if run.state == "running" and not run.service]
    if not running:
        return {}
    usual = usual_of(project, running)
    return {run.run_id: _estimate(project, run, usual[run.run_id]) for run in running}


def estimate_with(project: Project, run: Run, median_s: float | None) -> Estimate:
    """Return the estimate of a running run, given the usual duration of runs like it, with the last line of its log."""
    from bgrun.logs import stream

    last = stream.last_line(run.log, _marks(project, run), LAST_LINE_BYTES)
    return _estimate(project, run, median_s)._replace(last_line=last)


def _estimate(project: Project, run: Run, median_s: float | None) -> Estimate:
    from bgrun.logs import estimate
    from bgrun.store import facts

    at = project.store.run(run.run_id)
    seen = estimate.progress_of(at.log, facts.job_of(record.read_meta(at) or {}, ""))
    return Estimate(seen, median_s, estimate.left_s(run, seen, median_s))


def stalled(project: Project, run: Run) -> str | None:
    """Return why a running run, or a run of a group run, seems stalled, or None."""
    from bgrun.logs import stall

    for one in (run, *members(project, run)):
        if one.state != "running" or one.members or one.service:  # a service may be silent for as long as it likes
            continue
        if why := stall.reason(one.log, time.time(), _marks(project, one)):
            return why if one is run else f"{one.run_id}: {why}"
    return None


def digest(project: Project, run: Run, most: int = MOST_PROBLEMS, until: float | None = None) -> Digest:
    """Return the summary of a run; for a group run with those of its runs that did not succeed.

    For a run that was skipped because a dependency did not succeed, it summarizes the runs that did not. What is left
    out `until` a time of `time.monotonic`, since a log is very long, its note says.
    """
    from bgrun.logs import digest as digests
    from bgrun.logs.history import services

    group_run = run if run.members else _failed_group_of(project, run)
    if group_run is None:
        return services.noted(project.store, whole_digest(project, run, until).limited(most))
    every = members(project, group_run)
    bad = [one for one in every if not one.live and one.state not in ("succeeded", "skipped")]
    bad = [one for one in bad if not (one.service and state.is_waived(facts_of(project, one.run_id)))]
    return digests.of_group(
        run, [services.noted(project.store, whole_digest(project, one, until)) for one in bad], most
    )


def in_repository(project: Project, file: str) -> str:
    """Return a file of a problem relative to the repository that contains the project, for annotations of a commit."""
    import os

    from bgrun.system import git

    path = os.path.join(project.root, file)
    top = git.top_of(str(project.root))
    return os.path.relpath(path, top) if top and path.startswith(f"{top}/") else file


def _failed_group_of(project: Project, run: Run) -> Run | None:
    """Return the group run in which a run was skipped because a dependency did not succeed, or None."""
    if run.state != "skipped" or not run.group_run or state.is_waived(facts_of(project, run.run_id)):
        return None
    return project.store.read(run.group_run)


def whole_digest(project: Project, run: Run, until: float | None = None) -> Digest:
    """Return the summary of a single run with all problems that are kept; it is made once for a finished run.

    One that was made in a hurry is neither kept nor compared with others.
    """
    from bgrun.logs import digest as digests
    from bgrun.logs import digest_store
    from bgrun.logs.deadline import Deadline
    from bgrun.store import facts

    at = project.store.run(run.run_id)
    if kept := digest_store.read(at, run):
        return kept
    known = record.read_meta(at) or {}
    made = digests.of_run(at, run, facts.job_of(known, ""), known, deadline := Deadline(until))
    if "outputs" in known:
        made = made._replace(outputs=_outputs(at, run, known))
    if "only_failed" in known:
        made = made._replace(note="; ".join(filter(None, (known["only_failed"], made.note))))
    if deadline.is_over or made.hurried:
        return made
    if digest_store.is_kept(run):
        from bgrun.logs.history import earlier

        made = earlier.compared(project.store, made, known)
    digest_store.write(at, made)
    return made


def lines_about(project: Project, run: Run, named: str) -> list[str]:
    """Return the lines of the log about one problem of a run, such as the traceback of a test; masked, without escapes.

    named: the ID of a test or the end of it, or FILE:LINE: what a summary says. Of a group run, a problem of any job.

    Raises:
        UnknownNameError: the run has no such problem.
        UsageError: the log has no lines about it.
    """
    from bgrun.errors import UnknownNameError, UsageError
    from bgrun.parsers import section

    places: list[str] = []
    for part in members(project, run) or [run]:
        problems = whole_digest(project, part).problems
        if found := section.named(problems, named):
            if lines := section.section(_last_lines(project, part), found):
                return lines
            raise UsageError(
                f"the log of {part.run_id} has no lines about {named[:100]!r}", f"message: {found.message}"
            )
        places += [
            known.id or f"{known.file}:{known.line}" for known in problems[:MOST_NAMED] if known.id or known.file
        ]
    raise UnknownNameError("problem", named[:100], places, "" if places else f"{run.run_id} has no problems")


def _last_lines(project: Project, run: Run) -> list[str]:
    from bgrun.logs import pages
    from bgrun.parsers import terminal
    from bgrun.system import reading

    at = project.store.run(run.run_id)
    known = _marks(project, run)
    start = max(0, reading.size(at.log) - SECTION_BYTES)
    return [terminal.clean(terminal.decode(one.data)) for one in pages.lines_from(at.log, start, known)]


class SinceSuccess(NamedTuple):
    """What was committed since a run's job last succeeded.

    run: the newest comparable run that succeeded before, or None.
    commits: the newest commits since that one's, at most `MOST_COMMITS`.
    more: whether there are more.
    note: why there are no commits, or ''.
    """

    run: Run | None = None
    commits: tuple[Commit, ...] = ()
    more: bool = False
    note: str = ""


def since_success(project: Project, run: Run) -> SinceSuccess:
    """Return the commits since the last successful run with the same script and parameters as a run."""
    from bgrun.logs.history import earlier
    from bgrun.parsers import terminal
    from bgrun.system import work_tree

    known = facts_of(project, run.run_id)
    every = earlier.comparable(project.store, run, known, MOST_SEARCHED)
    good = next((one.run for one in every if one.run.succeeded), None)
    if good is None:
        return SinceSuccess(note="no earlier run with the same script and parameters succeeded")
    if not (good.git_sha and run.git_sha):
        return SinceSuccess(good, note="the commit of a run is not known")
    if good.git_sha == run.git_sha:
        return SinceSuccess(good, note="no commit since: both ran at the same one")
    found = work_tree.commits(project.root, good.git_sha, run.git_sha, MOST_COMMITS + 1)
    if found is None:
        return SinceSuccess(good, note="git does not know both commits")
    note = "" if found else f"{run.git_sha[:10]} has no commit that {good.git_sha[:10]} has not"
    shown = tuple(one._replace(subject=terminal.without_controls(one.subject)) for one in found[:MOST_COMMITS])
    return SinceSuccess(good, shown, len(found) > MOST_COMMITS, note)


def outputs(project: Project, run: Run) -> tuple[OutputValue, ...]:
    """Return what a finished run left of its declared outputs, without the rest of its summary."""
    from bgrun.logs import digest_store

    at = project.store.run(run.run_id)
    known = record.read_meta(at) or {}
    if "outputs" not in known:
        return ()
    kept = digest_store.read(at, run)
    return kept.outputs if kept else _outputs(at, run, known)


def _outputs(at: RunPaths, run: Run, known: Mapping[str, str]) -> tuple[OutputValue, ...]:
    from bgrun.logs import outputs
    from bgrun.store import facts, masking

    marks = masking.parse(known.get("secrets", ""))
    return outputs.outputs(at, run, facts.job_of(known, ""), known.get("repo_dir", ""), marks)


def _marks(project: Project, run: Run) -> Sequence[masking.Mark]:
    from bgrun.store import masking

    return masking.parse((project.store.facts(run.run_id) or {}).get("secrets", ""))
