"""Decide which finished runs exceed their retention, and delete runs."""

from __future__ import annotations

import os
import time

from bgrun import engine
from bgrun.errors import StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.store import record
from bgrun.store.listing.names import RunNames, stamp_of
from bgrun.store.paths import parse_run_id
from bgrun.system import clock, directories, files, reading
from bgrun.system.changes import Change
from bgrun.wording import count, limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from bgrun.model import Run
    from bgrun.plan import Retention
    from bgrun.store.listing.results import Result
    from bgrun.store.paths import RunPaths
    from bgrun.store.store import Store

MOST_ATTEMPTS = 1000
STRAY_S = 3600.0
DAY_S = 86400.0
ELSEWHERE_S = 7 * DAY_S
"""The seconds for which a lost run that may be active elsewhere is kept after the last write to its files."""
_FAILURES = ("failed", "timed_out", "lost")


class Expired(NamedTuple):
    """A run that exceeds its retention, with the reason."""

    run_id: str
    why: str


def expired(runs: Iterable[Run | Result], policy: Retention, now: float) -> list[Expired]:
    """Return which runs of one label, given newest first, exceed its retention. Pure.

    Active runs are kept, and so is the newest failed run: its log is still to be read.
    """
    found: list[Expired] = []
    is_failure_kept = False
    for place, run in enumerate(runs, start=1):
        if run.state in _FAILURES and not is_failure_kept:
            is_failure_kept = True
        elif not run.live and (why := _why(run, place, policy, now)):
            found.append(Expired(run.run_id, why))
    return found


def _why(run: Run | Result, place: int, policy: Retention, now: float) -> str:
    if policy.max_runs is not None and place > policy.max_runs:
        return f"more than {count(policy.max_runs, 'run')}"
    if policy.max_age_s is not None:
        ended = clock.epoch(run.ended_at or run.started_at or "")
        if ended is not None and now - ended > policy.max_age_s:
            return f"older than {limit(policy.max_age_s)}"
    return ""


def runs_of(store: Store, found: RunNames, label: str) -> list[Run]:
    """Return the runs of one label that can be read, the newest first."""
    return list(store.readable(found.newest_first(label)))


def apply(store: Store, policies: Mapping[str, Retention], spared: Container[str] = ()) -> list[Expired]:
    """Delete the runs of these labels that exceed the retention of theirs, and return them.

    `spared` are runs that have only just finished: whoever waits for one is still to read its result.

    Runs of the old script do not count. The log directory is listed once, and runs are read only of a label that has
    too many, or one that began long ago.
    """
    limited = {label: policy for label, policy in policies.items() if policy != (None, None)}
    found = store.index() if limited else RunNames()
    now = time.time()
    gone: list[Expired] = []
    for label, policy in limited.items():
        with suppress(StorageError, OSError):  # the next start of the label tries again
            if _may_exceed(list(found.newest_first(label)), policy, now):
                runs = [run for run in runs_of(store, found, label) if not _is_foreign(store, run.run_id)]
                old = [one for one in expired(runs, policy, now) if one.run_id not in spared]
                gone += [one for one in old if remove_run(store, one.run_id)]
    return gone


def _may_exceed(run_ids: Sequence[str], policy: Retention, now: float) -> bool:
    """Return whether any run of a label, the newest first, may exceed its retention, by their IDs alone. Pure.

    A stamp is local time, which may have been that of another time zone, or of a clock that was ahead.
    """
    if policy.max_runs is not None and len(run_ids) > policy.max_runs:
        return True
    if policy.max_age_s is None or not run_ids:
        return False
    began = clock.of_stamp(stamp_of(run_ids[-1]))
    return began is None or began > now or now - began > policy.max_age_s - DAY_S


def _is_foreign(store: Store, run_id: str) -> bool:
    facts = store.facts(run_id)
    return facts is None or record.is_foreign(facts)


def policy_of(store: Store, run_ids: Iterable[str]) -> Retention | None:
    """Return the retention of a label, from the newest of its runs that bgrun started; None if there is none."""
    from bgrun.store import facts

    for run_id in run_ids:
        with suppress(StorageError):
            known = store.facts(run_id)
            if known is not None and not record.is_foreign(known):
                return facts.retention_of(known)
    return None


def may_go(store: Store, run_id: str) -> bool:
    """Return whether a run exists and has finished, as far as this machine can determine.

    A run whose supervisor was lost on another host or in a container may still be active there: it counts as finished
    once its files have not been written to for `ELSEWHERE_S`.
    """
    run = store.read(run_id)
    if run is None or run.live:
        return False
    if run.group_run and run.engine != engine.LOCAL and (own := store.read(run.group_run)) and own.live:
        return False  # the result of its group is derived from its members, by the first look after all have finished
    at = store.run(run_id)
    if run.state != "lost" or not _may_be_running(record.read_meta(at) or {}):
        return True
    written = (reading.modified(path) for path in (at.meta, at.log) if os.path.lexists(path))
    return time.time() - max(written, default=0.0) > ELSEWHERE_S


def _may_be_running(facts: Mapping[str, str]) -> bool:
    return engine.of(facts).may_be_running(facts)


def remove_run(store: Store, run_id: str) -> bool:
    """Delete every file of a finished run, its meta first, and return whether it was deleted.

    A run that is or may be active is kept.
    """
    at = store.run(run_id)
    if not may_go(store, run_id):
        return False
    with Change(at.log_dir, at.run_id):
        for path in (*at.all_visible, *at.all_hidden):
            files.remove(path)
    for path in (*at.all_directories, *_claims(at)):
        directories.remove(path)
    return True


def _claims(at: RunPaths) -> Iterator[str]:
    """Yield the directories with which a launcher claimed a run."""
    for attempt in range(1, MOST_ATTEMPTS):
        if not os.path.lexists(at.claim(attempt)):
            return
        yield at.claim(attempt)


def sweep(store: Store) -> None:
    """Delete the leftovers of killed bgrun processes: scripts without a run, hidden files without an active run.

    Only files that are old enough not to be in use; never a log.
    """
    old = time.time() - STRAY_S
    own = (".sh", ".hooks.log", ".digest.json", ".reports")
    top, jobs = store.log_dir, f"{store.log_dir}/jobs"
    scripts = [f"{jobs}/{name}" for name in _names(jobs) if name.endswith(own)]
    hidden = [f"{top}/{name}" for name in _names(top) if name.startswith(".") and name != ".gitignore"]
    for path in (*scripts, *hidden):
        run_id = _run_id_in(path)
        if run_id and reading.modified(path) < old and _is_stray(store, run_id, path):
            directories.remove(path) if os.path.isdir(path) else files.remove(path)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _run_id_in(path: str) -> str:
    """Return the run ID in a file name such as `.RUN_ID.kind` or `RUN_ID.sh`, or ''."""
    name = os.path.basename(path).lstrip(".")
    while name and parse_run_id(name) is None:
        name = name.rpartition(".")[0]
    return name


def _is_stray(store: Store, run_id: str, path: str) -> bool:
    try:
        run = store.read(run_id)
    except StorageError:
        return False  # it may be active
    is_hidden = os.path.basename(path).startswith(".")
    return run is None or (is_hidden and may_go(store, run_id))
