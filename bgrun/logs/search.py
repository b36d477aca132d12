"""Search the log of a run for problems: by the tools that printed it, or by the problem matchers of the job."""

from __future__ import annotations

import math
import re
import sys

from bgrun.light import NamedTuple
from bgrun.logs import excerpt, masked
from bgrun.logs.deadline import NEVER, Deadline
from bgrun.parsers import bounded_regex, problem_matchers, terminal
from bgrun.parsers.notes.sole_runner import SoleRunner, sole_runner, sole_runners
from bgrun.parsers.recognize import Recognized, Recognizer
from bgrun.parsers.shape import LIKELY, WRAPPER, Findings, Found, counted
from bgrun.parsers.sifting import sieve
from bgrun.store import masking
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from bgrun.plan import RenderedJob
    from bgrun.store.masking import Mark

SEARCH_S, END_S = 5.0, 1.0
"""How many seconds of processor time a log is searched from its beginning, then its end."""
MATCH_S, LEAST_MATCH_S = 3.0, 0.1
"""How many seconds a log is searched with the expressions of a job, and at least if a caller waits."""
END_BYTES = 8 << 20
"""How many bytes at the end of a log that end is; with the expressions of a job only these are searched."""
LAST_BYTES = 256 << 10
"""How many bytes at the end of a log are searched however long it takes."""
_WRAPPED = re.compile(r"(?:\w+=[\w./:-]* +)*(?:\S*/)?(?:npm|pnpm|tox|python[\d.]* +-m +tox)(?= |$)[^;&|<>`$()\n]*$")
"""A command that names those that it runs."""


class Seen(NamedTuple):
    """What was recognized in a log, and notes on what was not searched."""

    recognized: Recognized = Recognized()
    notes: tuple[str, ...] = ()


def search(path: str, known: Sequence[Mark], job: RenderedJob, attempts: int = 1, deadline: Deadline = NEVER) -> Seen:
    """Return the problems in a log and the counts of the tools. The time it takes is limited.

    Args:
        path: the log.
        known: the marks of its secrets.
        job: its job; `problems` names the tools to look for, or has matchers; without it all tools are. If its command
            is a test runner alone, or if npm or tox ran nothing else, lines as other tools print them are what a test
            printed.
        attempts: how many attempts the run made; only the log of the last one counts.
        deadline: when a caller needs the result; then only the end of the log is searched any more.
    """
    names = [one for one in job.problems if isinstance(one, str)]
    documents = [one for one in job.problems if not isinstance(one, str)]
    if not job.problems and (sole := sole_runner(job.cmd)):
        seen = _recognized(path, known, (*sole.tools, *sole.beside), attempts, deadline)
        return seen if _has_run(seen.recognized) else _recognized(path, known, (), attempts, deadline)
    seen = _recognized(path, known, names, attempts, deadline) if names or not documents else Seen()
    if not job.problems and _WRAPPED.match(job.cmd.strip()) and (runners := _runners(seen.recognized)):
        own = _recognized(path, known, (*runners.tools, *runners.beside), attempts, deadline)
        calls = own.recognized.calls
        return own if _has_run(own.recognized) and any(call.is_of_tests and call.found for call in calls) else seen
    if not documents:
        return seen
    matched = _matched(path, known, documents, deadline)
    named = [call for call in seen.recognized.calls if call.certainty > WRAPPER or not matched.recognized.calls]
    return Seen(Recognized((*named, *matched.recognized.calls)), seen.notes + matched.notes)


def _runners(seen: Recognized) -> SoleRunner | None:
    """Return the test runners, if commands were named, all of them are ones, and other tools were recognized, too."""
    sole = sole_runners(seen.commands)
    own = (*sole.tools, *sole.beside) if sole else ()
    return sole if any(call.certainty > WRAPPER and call.tool not in own for call in seen.calls) else None


def _has_run(seen: Recognized) -> bool:
    """Return whether a test runner got as far as to run tests: what failed to build is another tool's to report."""
    return bool(seen.calls) and not any(one.problem.phase == "build" for one in seen.found)


def _recognized(path: str, known: Sequence[Mark], names: Sequence[str], attempts: int, deadline: Deadline) -> Seen:
    held = max(sieve.MOST_BYTES, 4 * sieve.LONGEST_LINE + masked.ahead(known))
    recognizer = Recognizer(
        lambda raw: masking.shown(terminal.decode(raw), known), names, retried=attempts > 1, held=held
    )
    skipped = reached = 0
    for most, seconds in ((sys.maxsize, SEARCH_S), (END_BYTES, END_S), (LAST_BYTES, math.inf)):
        size = reading.size(path)
        start = max(reached, size - most)
        is_incomplete = start > reached  # the first line
        if is_incomplete:
            recognizer.jump()
            skipped += start - reached
        reached, end_s = start, recognizer.used_s + seconds
        for piece in masked.read_from(path, start, known):
            if size - reached > LAST_BYTES and (recognizer.used_s > end_s or deadline.is_over):
                break
            recognizer.feed(piece.data.partition(b"\n")[2] if is_incomplete else piece.data)
            is_incomplete = is_incomplete and b"\n" not in piece.data
            reached = piece.end
        else:
            break
    mebibytes = (skipped >> 20) + 1
    note = f"{mebibytes} MiB in the middle of the log {'was' if mebibytes == 1 else 'were'} not searched"
    return Seen(recognizer.result(), (note,) if skipped else ())


def _matched(path: str, known: Sequence[Mark], documents: Sequence[Any], deadline: Deadline) -> Seen:
    seconds = deadline.left_s(MATCH_S, LEAST_MATCH_S)
    limit = bounded_regex.Clock(seconds)
    lines = excerpt.tail(path, known, END_BYTES)
    every = problem_matchers.find(lines, problem_matchers.parse(documents), limit)
    found = list({one._replace(column=None): one for one in every}.values())
    notes = [f"the search for problems stopped after {seconds:.2g}s"] if limit.is_up else []
    if limit.is_up and seconds < MATCH_S:
        deadline.was_missed = True
    if reading.size(path) > END_BYTES:
        notes.append(f"only the last {END_BYTES >> 20} MiB of the log were searched")
    counts = counted([Found(one, 0) for one in found])
    call = Findings("", LIKELY, 0, 0, tuple(Found(one, at) for at, one in enumerate(found)), counts)
    return Seen(Recognized((call,) if found else ()), tuple(notes))
