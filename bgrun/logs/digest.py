"""Make the digest of a run: counts and problems from its test reports or its log, and log lines.

It is limited in size, however large the log is.
"""

from __future__ import annotations

import time

from bgrun.light import NamedTuple
from bgrun.logs import masked, reader, reports, stall
from bgrun.parsers import bounded_regex, pytest_log, terminal
from bgrun.parsers import problem_matchers as tool_problems
from bgrun.parsers.problem_matchers import Problem
from bgrun.store import masking
from bgrun.system import files
from bgrun.wording import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bgrun.logs.outputs import OutputValue
    from bgrun.model import RenderedJob, Run
    from bgrun.store.masking import Mark
    from bgrun.store.paths import RunPaths

MOST_PROBLEMS = 10
HEAD_BYTES = 64 << 10
TAIL_BYTES = 8 << 20
"""How many bytes of a log are read at its beginning and at its end."""
SEARCH_S = 3.0
"""How many seconds a log is searched for problems."""
_TAIL, _SHORT_TAIL, _HEAD = 12, 3, 3


class Digest(NamedTuple):
    """The summary of a run.

    counts: tests or problems by outcome, or None.
    problems: the first problems, errors before warnings.
    more: how many problems there are beyond those.
    head, tail: lines of the log; `head` only if no problem was recognized.
    source: where the problems are from: `junit`, `log` or ''.
    note: what could not be used or read, or None.
    stall: why an active run seems stalled, or None.
    parts: the digests of a group's runs that did not succeed.
    settled: whether the digest cannot change any more.
    outputs: what the run left of its declared outputs.
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
    settled: bool = True
    outputs: tuple[OutputValue, ...] = ()


def of_run(at: RunPaths, run: Run, job: RenderedJob, secrets: str, most: int = MOST_PROBLEMS) -> Digest:
    """Return the digest of a single run.

    Args:
        at: its files.
        run: the run.
        job: its job, which declares problem matchers and reports.
        secrets: the marks of its secrets, as in its meta; they are masked.
        most: how many problems it lists at most.
    """
    known = masking.parse(secrets)
    report, note = reports.reports(at, run, job, known)
    text = _Log(at.log, known)
    lines = text.tail()
    names = _matcher_names(job)
    found: Sequence[Problem] = report.problems if report else ()
    source, late = "junit" if found else "", None
    if not found and not run.succeeded:
        found, late = _search(lines, job, names)
        source = "log" if found else ""
        note = "; ".join(filter(None, (note, late, text.unread()))) or None
    worst = [one for one in found if not one.mild] or list(found)
    counts = report.counts if report else _counts(lines, found, names)
    shown = () if run.succeeded else tuple(worst[:most])
    return Digest(
        run=run,
        counts=counts,
        problems=shown,
        more=0 if run.succeeded else len(worst) - len(shown),
        head=() if shown or run.succeeded or len(lines) <= _TAIL else _shown(text.head()[:_HEAD]),
        tail=_shown(lines[-(_SHORT_TAIL if shown or run.succeeded else _TAIL) :]),
        source=source,
        note=masking.shown(note, known) if note else None,
        stall=stall.reason(at.log, time.time(), known) if run.state == "running" else None,
        settled=not late,
    )


def of_group(run: Run, parts: Sequence[Digest], most: int = MOST_PROBLEMS) -> Digest:
    """Return the digest of a group run from those of its runs that did not succeed; `most` is for all together."""
    kept: list[Digest] = []
    for part in parts:
        left = most - sum(len(one.problems) for one in kept)
        cut = part.problems[: max(left, 0)]
        kept.append(part._replace(problems=cut, more=part.more + len(part.problems) - len(cut)))
    return Digest(run, parts=tuple(kept))


# --- the log ----------------------------------------------------------------------------------


class _Log:
    """Reads the beginning and the end of a log as clean lines, its secrets masked."""

    def __init__(self, path: str, known: Sequence[Mark]) -> None:
        self.path = path
        self.known = known
        self.size = files.size(path)

    def head(self) -> list[str]:
        end = min(HEAD_BYTES, self.size)
        # A line that is cut here may end with a part of a secret: keep only its beginning.
        return [line[: bounded_regex.LONGEST_LINE] for line in self._lines(0, end)]

    def tail(self) -> list[str]:
        start = max(0, self.size - TAIL_BYTES)
        lines = self._lines(start, self.size)
        return lines[1:] if start else lines  # the first line is incomplete

    def unread(self) -> str | None:
        skipped = self.size - TAIL_BYTES
        return f"only the last {TAIL_BYTES >> 20} MiB of the log were searched" if skipped > 0 else None

    def _lines(self, start: int, end: int) -> list[str]:
        lines = [terminal.clean(line) for line in reader.lines_of(self._blocks(start, end))]
        # All lines at once take a tenth of the time; no secret extends over a line feed.
        return masking.hide("\n".join(lines), self.known).split("\n") if self.known and lines else lines

    def _blocks(self, start: int, end: int) -> Iterator[bytes]:
        for data, reached in masked.read_from(self.path, start, self.known):
            yield data
            if reached >= end:
                break


def _matcher_names(job: RenderedJob) -> list[str]:
    """Return the names of the built-in matchers to use: the declared ones, or those of the tools in the command."""
    declared = [one for one in job.problems if isinstance(one, str)]
    return declared if job.problems else tool_problems.known_in(job.cmd)


def _search(lines: Sequence[str], job: RenderedJob, names: Sequence[str]) -> tuple[list[Problem], str | None]:
    """Return the problems in a log, each once, and a note if the search took too long."""
    documents = [one for name in names for one in tool_problems.built_in().get(name, ())]
    documents += [one for one in job.problems if not isinstance(one, str)]
    if not documents:
        return [], None
    limit = bounded_regex.Clock(SEARCH_S)
    found = list(dict.fromkeys(tool_problems.find(lines, tool_problems.parse(documents), limit)))
    late = f"the search for problems stopped after {SEARCH_S:g}s" if limit.is_up else None
    return (pytest_log.located(found, lines) if "pytest" in names else found), late


def _counts(lines: Sequence[str], found: Sequence[Problem], names: Sequence[str]) -> Mapping[str, int] | None:
    tests = pytest_log.counts(reversed(lines)) if "pytest" in names else None
    mild = sum(one.mild for one in found)
    listed = {"errors": len(found) - mild, "warnings": mild}
    return tests or {what: count for what, count in listed.items() if count} or None


def _shown(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(short(line) for line in lines if line.strip())
