"""Gather what the files of a run on Slurm and its queue say, in the order that the end of a run cannot overtake.

The queue comes first and the files last, since the launcher records the end of a run before its job ends. What proves
itself final is recorded once, by whoever looks: Slurm forgets a job within minutes.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.light import suppress
from bgrun.slurm import closing, queue, verdict
from bgrun.slurm.verdict import Seen
from bgrun.store import index, record, state, stop_request
from bgrun.store.state import Evidence
from bgrun.store.store import Store
from bgrun.system import clock, files, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bgrun.slurm.queue import Queue
    from bgrun.store.paths import RunPaths

MOST_LAST_WORDS = 200
_ends: dict[str, tuple[float, dict[str, str]]] = {}
"""How the runs of a log directory have ended, and since when this process has read that: see `_ends_here`."""


def gather(at: RunPaths, recorded: Mapping[str, str]) -> Evidence | None:
    """Return the evidence about a run whose meta has no result, with its verdict; None if it was deleted meanwhile."""
    if record.is_group(recorded):
        from bgrun.slurm import group

        return Evidence(recorded, judged=group.derive(at, recorded))
    code = _published(at)
    if code not in (None, verdict.ASKS) and not _is_terminated(recorded):
        return _judged(at, None)
    need = "" if state.has_started(recorded) else failed_need(at, recorded)
    if need and code is None:
        return _judged(at, None, need)
    return _judged(at, queue.look(at.log_dir, config=queue.config_of(recorded)))


def _judged(at: RunPaths, found: Queue | None, need: str = "") -> Evidence | None:
    """Read the files, after the queue if that is asked, and judge."""
    facts = record.read_meta(at)
    if facts is None:
        return None
    if state.closing_words(facts) is not None:
        return Evidence(facts)  # it finished meanwhile
    request = stop_request.read_stop(at)
    submitted = clock.epoch(facts.get("submitted_at", ""))
    seen = Seen(
        facts,
        time.time(),
        exit_code=_published(at),
        stop_reason=request.reason if request else "",
        carried_out=bool(request and request.carried_out),
        need=need,
        claimed=os.path.isdir(at.claim(1)),
        answered=bool(found and found.answered),
        job=found.of(facts) if found else None,
        submitted=submitted,
        job_id=facts.get("engine_job") or record.read_job(at, facts),
    )
    if found and found.answered and found.asked_at < (submitted or 0.0):
        seen = seen._replace(submitted=seen.now)  # that answer is older than the run
    if seen.job and not os.path.lexists(at.job):
        _confirm(at, seen.job.job_id)
    if found and verdict.needs_word(seen):
        seen = _after_its_job(at, seen, found)
    elif seen.job and not seen.job.live:
        # What made Slurm cancel it may have ended after the files were read.
        seen = seen._replace(last_words=_last_words(at), need=need or failed_need(at, facts, {}))
    judged = verdict.judge(seen)
    if judged.is_final:
        closing.close(at, seen, judged.verdict)
    return Evidence(facts, judged=judged.verdict)


def _after_its_job(at: RunPaths, seen: Seen, found: Queue) -> Seen:
    """Complete what is seen of a run whose job Slurm has forgotten: the fallback of its job script counts, too."""
    config = queue.config_of(seen.facts)
    word = queue.accounted(seen.job_id, seen.submitted, config, lambda: _forgotten(at.log_dir, found, config))
    code = record.seen_exit(at)
    if code is not None:
        record.publish_exit(at)
    return seen._replace(word=word, exit_code=code, last_words=_last_words(at))


def _forgotten(log_dir: str, found: Queue, config: str) -> Iterator[str]:
    """Yield the jobs of all runs without a result that Slurm did not know when it answered: a look may be at many."""
    store = Store(log_dir)
    for run_id in index.list_newest(store).newest_first():
        at = store.run(run_id)
        if not os.path.lexists(at.job):
            continue
        with suppress(StorageError):
            facts = store.facts(run_id) or {}
            is_open = state.closing_words(facts) is None and queue.config_of(facts) == config
            since = clock.epoch(facts.get("submitted_at", ""))
            if is_open and since and since < found.asked_at - verdict.LAG_S and not found.of(facts):
                yield record.read_job(at, facts)


def why(facts: Mapping[str, str]) -> str | None:
    """Return why Slurm has not started a queued run, if it says so."""
    job = queue.look(facts.get("log_dir", ""), config=queue.config_of(facts)).of(facts)
    return job.reason or None if job else None


def _is_terminated(facts: Mapping[str, str]) -> bool:
    return facts.get("terminated") == "true"


def _published(at: RunPaths) -> int | None:
    """Return the published exit code: the one that a job script has written may be that of an earlier attempt."""
    data = reading.head(at.exit, 64)
    return None if data is None else state.parse_int(data.decode("ascii", "replace"))


def failed_need(at: RunPaths, facts: Mapping[str, str], known: dict[str, str] | None = None) -> str:
    """Return why a dependency keeps a run from starting, or '', by files alone.

    A waived dependency is left to the launcher. `known`: how runs have ended; None is what was read a moment ago.
    """
    found = _ended_as(at, _needs(facts), _ends_here(at.log_dir) if known is None else known)
    need = _first_failed(_needs(facts), found)
    return f"dependency {need} {state.ENDED.get(found[need], found[need])}" if need else ""


def _needs(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the dependencies of a run that may keep it from starting, each with its condition."""
    needs = facts.get("needs", "").split()
    conditions = facts.get("conditions", "").split() or ["succeeded"] * len(needs)
    return [(one, condition) for one, condition in zip(needs, conditions, strict=False) if condition != "completed"]


def _ends_here(log_dir: str) -> dict[str, str]:
    """Return how runs have ended by what this process has just read, for it to add to.

    The runs of a chain are read one after the other, and each of them leads to all before it.
    """
    began, found = _ends.get(log_dir, (float("-inf"), {}))
    if not 0 <= time.monotonic() - began <= queue.HERE_S:
        found = {}
        _ends[log_dir] = (time.monotonic(), found)
    return found


def _ended_as(at: RunPaths, needs: Sequence[tuple[str, str]], found: dict[str, str]) -> dict[str, str]:
    """Return how runs and what they depend on have finished or will: a state, `waived`, or '' if no file says.

    Each that is not in `found` is read once, and judged after its own dependencies: of these there may be a long chain.
    """
    before: dict[str, list[tuple[str, str]]] = {}
    left = [need for need, _ in needs]
    while left:
        need = left[-1]
        if need not in found and need not in before:
            facts = record.read_meta(at.other(need))
            closed = state.closing_words(facts) if facts else None
            if facts and not closed and not state.has_started(facts):
                before[need] = _needs(facts)
                left += [one for one, _ in before[need]]
                continue
            found[need] = "" if not facts or not closed else "waived" if state.is_waived(facts) else closed.state
        left.pop()
        if need not in found:
            found[need] = "skipped" if _first_failed(before[need], found) else ""
    return found


def _first_failed(needs: Iterable[tuple[str, str]], found: Mapping[str, str]) -> str:
    """Return the first dependency that keeps a run from starting, or ''."""
    for need, condition in needs:
        ended = found.get(need, "")
        if ended == "skipped" or (condition != "started" and ended not in ("", "succeeded", "waived")):
            return need
    return ""


def _last_words(at: RunPaths) -> str:
    """Return the last line that Slurm or the launcher wrote about a job, or ''."""
    with suppress(OSError):
        fd = os.open(at.cluster_log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = os.pread(fd, 4096, max(0, os.fstat(fd).st_size - 4096))
        finally:
            os.close(fd)
        lines = data.decode("utf-8", "replace").split("\n")
        return next((line.strip()[:MOST_LAST_WORDS] for line in reversed(lines) if line.strip()), "")
    return ""


def _confirm(at: RunPaths, job_id: str) -> None:
    """Write down the job ID of a run whose submission got no answer, once Slurm lists it."""
    with suppress(OSError):
        files.create_whole(at.job, files.unique(at.job), f"{job_id}\n".encode())
