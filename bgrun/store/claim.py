"""Claim run IDs: a process owns an ID once it has created its job script. A claim is not yet a run."""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.store import index
from bgrun.store.paths import newest_first, newest_of_each, next_run_id
from bgrun.system import files, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from bgrun.model import RunId
    from bgrun.store.store import Store

MOST_ENTRIES = 20
"""Claims of more labels at once leave no cache entries: listing the directory once is cheaper."""
LOCK_WAIT_S = 1.0
"""How many seconds a claim waits for the lock; without it it deletes the cache entries instead of writing them."""
_MOST_AT_ONCE, _LOCK = 10_000, "claims"


class Claims:
    """A context in which run IDs are claimed, and which knows the newest run ID of each label.

    In a large log directory it holds a lock, so that one process at a time claims and writes the cache entries of its
    labels (see `index`). Without the lock it deletes those entries before the runs can start, so that none is outdated.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs = f"{store.log_dir}/jobs"
        self._large = index.is_large(store)
        self._lock_fd = -1
        self._names: list[str] = []
        self._newest: dict[str, RunId] | None = None
        self._claimed: dict[str, RunId] = {}
        self._changed = 0

    def __enter__(self) -> Claims:
        """Take the lock if there are cache entries to protect."""
        if self._large:
            self._lock_fd = self._take_lock()
            self._large = self._lock_fd >= 0
        return self

    def _take_lock(self) -> int:
        fd = self._store.cache.open_lock(_LOCK)
        try:
            if fd >= 0:
                lock.hold_within(fd, LOCK_WAIT_S)
        except OSError:
            os.close(fd)
            return -1
        return fd

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write or delete the cache entries of the claimed labels, also after an error, and release the lock."""
        try:
            # A process that got no lock may have claimed meanwhile, if this one was suspended for that long.
            undisturbed = self._large and self._mark() == self._changed
            is_locked = undisturbed and self._store.cache.is_open(_LOCK, self._lock_fd)
            writes = is_locked and len(self._claimed) <= MOST_ENTRIES
            for label, run_id in self._claimed.items():
                entry = f"{index.LAST}{label}"
                if not writes or not self._store.cache.write_link(entry, str(run_id)):
                    self._store.cache.remove(entry)
        finally:
            if self._lock_fd >= 0:
                os.close(self._lock_fd)

    def newest_of(self, label: str) -> RunId | None:
        """Return the newest run ID of a label, or None if it has none."""
        cached = index.last_claimed(self._store, label) if self._large else None
        return self._claimed.get(label) or cached or self._listed(label)

    def add(self, run_id: RunId) -> None:
        """Record that a run ID was claimed."""
        self._claimed[run_id.label] = run_id
        if self._large:
            self._changed = self._mark()

    def _mark(self) -> int:
        try:
            return os.stat(self._jobs).st_mtime_ns
        except OSError:
            return 0  # it was deleted: nothing can be cached either

    def _listed(self, label: str) -> RunId | None:
        """Return the newest script of a label, from one list of all; for a second label of those of every label."""
        if self._newest is not None:
            return self._newest.get(label)
        if self._names:
            self._newest = newest_of_each(self._names, ".sh")
            return self._newest.get(label)
        with files.storage(self._jobs, "list"):
            self._names = os.listdir(self._jobs)
        return next(newest_first(label, self._names, ".sh"), None)


def claim_all(store: Store, wanted: Iterable[tuple[str, bytes]]) -> Iterator[RunId]:
    """Write each job script under a new run ID of its label, and yield these IDs.

    Raises:
        StorageError: a script cannot be written; no part of it is left.
    """
    with store.claims() as claims:
        for label, script in wanted:
            claimed = _claim(store, label, script, claims.newest_of(label))
            claims.add(claimed)
            yield claimed


def _claim(store: Store, label: str, script: bytes, newest: RunId | None) -> RunId:
    wanted = next_run_id(label, time.time(), newest)
    for _ in range(_MOST_AT_ONCE):
        at = store.run(str(wanted))
        if not os.path.lexists(at.meta) and _create(at.script, script):
            return wanted
        wanted = wanted._replace(serial=wanted.serial + 1)
    raise StorageError(f"{store.log_dir}/jobs is full of scripts of {label}", "delete those that belong to no run")


def _create(path: str, script: bytes) -> bool:
    with files.storage(path, "write"):
        try:
            fd = files.create(path)
        except FileExistsError:
            return False
        try:
            files.write_all(fd, script)
            files.make_executable(fd)
        except OSError:
            files.remove(path)
            raise
        finally:
            os.close(fd)
    return True


def give_up(store: Store, run_ids: Iterable[str]) -> None:
    """Delete the files of runs that were claimed and never launched."""
    for run_id in run_ids:
        at = store.run(run_id)
        for path in (*at.all_visible, *at.all_hidden):
            files.remove(path)
