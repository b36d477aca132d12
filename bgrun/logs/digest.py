"""Make the digest of a run: counts and problems from its test reports and its log, and log lines.

It is limited in size, however large the log is.
"""

from __future__ import annotations

import os
import re
import time

from bgrun.light import NamedTuple
from bgrun.logs import combine, excerpt, reports, stall
from bgrun.logs import search as log_search
from bgrun.logs.deadline import NEVER, Deadline
from bgrun.logs.history.comparison import tools_of
from bgrun.logs.places import Places
from bgrun.parsers import closing
from bgrun.parsers.recognize import ATTEMPT, merged
from bgrun.parsers.shape import Problem
from bgrun.store import masking, state
from bgrun.wording import clipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgrun.logs.combine import Combined
    from bgrun.logs.history.comparison import Comparison, ToolRun
    from bgrun.logs.outputs import OutputValue
    from bgrun.model import Run
    from bgrun.plan import RenderedJob
    from bgrun.store.masking import Mark
    from bgrun.store.paths import RunPaths

MOST_KEPT = 1000
"""How many problems of a run are kept, for comparisons with other runs."""
_MOST_ELSE = 40
"""How many characters a line of the log has, besides those of a problem, that need not be shown with it."""
_TAIL, _SHORT_TAIL, _HEAD, _MOST_UNCLAIMED = 12, 3, 3, 5


class Digest(NamedTuple):
    """The summary of a run.

    counts: tests or problems by outcome, or None.
    problems: the first problems, errors before warnings; of a limited digest new ones before others. Of a run that
        succeeded they are warnings: what looks like an error did not fail it, and is left out with all others.
    more: how many problems there are beyond those.
    head, tail: lines of the log; `head` only if no problem explains the result.
    source: where the problems are from: `junit`, `log` or ''.
    note: which attempt it is of, and what could not be used or read, or None.
    stall: why an active run seems stalled, or None.
    parts: the digests of a group's runs that did not succeed.
    unrecognized: how many problems the tools counted beyond those that were recognized.
    wrapped: whether the only problem is that a command failed, such as make's own error: the log lines tell more.
    outputs: what the run left of its declared outputs.
    tools: the tools that were recognized, with the number of their tests.
    silent: the problems of a run that succeeded, shown or not, for comparisons.
    complete: whether all of the log was searched, and each problem recognized and kept.
    clean: whether the work tree is known to have been clean during the run.
    made_by: a mark of the code that made this: another one may recognize other problems.
    comparison: how the problems differ from those of an earlier run, or None.
    flaky: the places of problems that are flaky, each with a run in which the test passed.
    unclaimed: how many lines of the tail follow the output of the tools: another command printed them.
    hurried: whether something was left out since a caller needed the digest: a later look completes it.
    services: of a run that did not succeed, the services that it needed and that failed before it ended, in words.
    """

    run: Run
    counts: Mapping[str, int] | None = None
    problems: tuple[Problem, ...] = ()
    more: int = 0
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    source: str = ""
    note: str | None = None
    stall: str | None = None
    parts: tuple[Digest, ...] = ()
    unrecognized: int = 0
    wrapped: bool = False
    outputs: tuple[OutputValue, ...] = ()
    tools: tuple[ToolRun, ...] = ()
    silent: tuple[Problem, ...] = ()
    complete: bool = False
    clean: bool = False
    made_by: str = ""
    comparison: Comparison | None = None
    flaky: tuple[tuple[int, str], ...] = ()
    unclaimed: int = 0
    hurried: bool = False
    services: tuple[str, ...] = ()

    @property
    def needs_lines(self) -> bool:
        """Whether lines of the log are shown: the run did not succeed, and no error explains it."""
        return not self.run.succeeded and (self.wrapped or all(one.mild for one in self.problems))

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of the log that are shown: those that no tool printed may tell the cause.

        A line that is a problem already is not repeated, nor is what only says that a command failed.
        """
        if self.needs_lines:
            return tuple(line for line in self.tail if not (self.wrapped and _is_known(line, self.problems)))
        rest = self.tail[-self.unclaimed :] if self.unclaimed and not self.run.succeeded else ()
        return tuple(line for line in rest if not closing.is_of_wrapper(line))

    def limited(self, most: int) -> Digest:
        """Return it with at most so many problems: the new ones first, then in the order of the log."""
        fresh = set(self.comparison.new) if self.comparison else set()
        order = sorted(range(len(self.problems)), key=lambda place: place not in fresh)
        cut = tuple(self.problems[place] for place in order[:most])
        found = self._replace(problems=cut, more=self.more + len(order) - len(cut))
        if not self.comparison:
            return found
        to = {place: number for number, place in enumerate(order)}
        new = tuple(sorted(to.get(place, place) for place in fresh))
        flaky = tuple(sorted((to.get(place, place), run_id) for place, run_id in self.flaky))
        return found._replace(comparison=self.comparison._replace(new=new), flaky=flaky)


def _is_known(line: str, problems: Sequence[Problem]) -> bool:
    """Return whether a line of the log says what one of the problems does, and hardly more."""
    return any(
        one.message and all(part in line for part in parts) and len(line) <= sum(map(len, parts)) + _MOST_ELSE
        for one in problems
        for parts in [[*filter(None, (one.message, one.id, os.path.basename(one.file or ""), str(one.line or "")))]]
    )


def of_run(at: RunPaths, run: Run, job: RenderedJob, facts: Mapping[str, str], deadline: Deadline = NEVER) -> Digest:
    """Return the digest of a single run, with up to `MOST_KEPT` problems.

    Args:
        at: its files.
        run: the run.
        job: its job, which declares problem matchers and reports.
        facts: its meta: the marks of its secrets, which are masked, its project and its attempts.
        deadline: when a caller needs it.
    """
    known = masking.parse(facts.get("secrets", ""))
    report, note = reports.reports(at, run, job, known, deadline)
    attempts = state.parse_int(facts.get("attempts", "")) or 1
    seen, unsearched = log_search.search(at.log, known, job, attempts, deadline)
    found = combine.combined(report, seen, Places(facts.get("repo_dir", ""), job.working_dir, job.cmd))
    tried, *lines = _excerpts(at, known, attempts)
    head, tail = (closing.without_advertisements(some) for some in lines)
    if seen.attempt.startswith(f"{tried} of "):
        tried = seen.attempt  # its beginning is too far from the end of the log to be read for the last lines
    is_partial = bool(unsearched) and (not run.succeeded or bool(found.tests))
    later = f"for more of it: 'bgrun report {run.run_id}'" if deadline.was_missed else ""
    notes = [tried, note or "", *(unsearched if is_partial else ()), later if is_partial or note else ""]
    shown = _of_success(found) if run.succeeded else found
    made = Digest(
        run=run,
        counts=shown.counts or None,
        problems=shown.problems,
        source=shown.source,
        note=masking.shown("; ".join(filter(None, notes)), known) or None,
        stall=stall.reason(at.log, time.time(), known) if run.state == "running" else None,
        more=shown.dropped,
        unrecognized=shown.missing,
        wrapped=shown.wrapped,
        tools=tools_of(seen, report.counts if report else {}),
        silent=found.problems[:MOST_KEPT] if run.succeeded else (),
        complete=not (note or unsearched or found.missing or len(found.problems) > MOST_KEPT),
        unclaimed=0 if run.succeeded else min(found.unclaimed, _MOST_UNCLAIMED),
        hurried=deadline.was_missed,
    )
    is_bare = made.needs_lines and (made.wrapped or not made.problems)
    most = _TAIL if is_bare else _MOST_UNCLAIMED if made.needs_lines else max(_SHORT_TAIL, made.unclaimed)
    first = head[:_HEAD] if is_bare and len(tail) > _TAIL else ()
    return made.limited(MOST_KEPT)._replace(head=_shown(first, run.run_id), tail=_shown(tail[-most:], run.run_id))


def _of_success(found: Combined) -> Combined:
    """Return what is shown of a run that succeeded: its tests, and its warnings if nothing looks like an error."""
    if not found.problems or found.dropped or not all(one.mild for one in found.problems):
        return found._replace(problems=(), counts=found.tests, missing=0, source="", wrapped=False, dropped=0)
    warnings = found.counts.get("warnings", 0) - found.tests.get("warnings", 0)
    dropped = max(0, warnings - len(found.problems) - found.missing)
    return found._replace(counts=merged([found.tests, {"warnings": warnings}]), wrapped=False, dropped=dropped)


def _excerpts(at: RunPaths, known: Sequence[Mark], attempts: int) -> tuple[str, list[str], list[str]]:
    """Return the number of the last attempt, '' of a single one, and its first and last lines.

    It has no first lines if it is longer than what is read of the end of a log.
    """
    tail = excerpt.tail(at.log, known)
    if attempts < 2:
        return "", excerpt.head(at.log, known), tail
    for place in range(len(tail) - 1, -1, -1):
        if found := ATTEMPT.match(tail[place]):
            return found[1], tail[place + 1 :], tail[place + 1 :]
    return f"attempt {attempts}", [], tail


def of_group(run: Run, parts: Sequence[Digest], most: int) -> Digest:
    """Return the digest of a group run from those of its runs that did not succeed; `most` is for all together."""
    kept: list[Digest] = []
    for part in parts:
        kept.append(part.limited(max(0, most - sum(len(one.problems) for one in kept))))
    return Digest(run, parts=tuple(kept))


def _shown(lines: Sequence[str], run_id: str) -> tuple[str, ...]:
    """Return lines that are not empty; what the shell of the job script says is as if bgrun said it."""
    ours = re.compile(rf".*/jobs/{re.escape(run_id)}\.sh: (?:line )?[0-9]+: ")
    return tuple(clipped(ours.sub("bgrun: ", line, count=1)) for line in lines if line.strip())
