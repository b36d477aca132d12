"""The last run of each label that was claimed in a log folder.

In a folder so large that listing it would take longer than all else in a start or a look, each claim leaves
word of itself, and the folder is listed only where there is no word.
"""

from __future__ import annotations

import os

from bgrun.store.paths import newest_first, parse_run_id
from bgrun.system import files, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from bgrun.model import RunId
    from bgrun.store.store import Store

LARGE = 1 << 14
"""From how many bytes on the folder of job scripts has many names; file systems count some 20 to 60 for each."""
MOST_WORDS = 20
"""Of how many labels at once word is left; to list the folder once takes less than more of them."""
TURN_S = 1.0
"""How long a claim waits for its turn: without one it leaves no word, and takes away what there is."""
_WORD, _LOCK = "last.", "claims"


def of_word(store: Store, label: str) -> RunId | None:
    """Return the last run of a label that was claimed, if it exists, where there is word of it."""
    found = _word(store, label) if _is_large(store) else None
    if found is None or not os.path.lexists(store.run(str(found)).meta):
        return None
    return found if _is_latest(store, found) else None


def _is_latest(store: Store, claimed: RunId) -> bool:
    """Whether no job script of its label has come since, which one might without a word."""
    jobs = f"{store.log_dir}/jobs"
    try:
        left = os.lstat(f"{store.cache.folder}/{_WORD}{claimed.label}")
        if left.st_mtime_ns >= os.stat(jobs).st_mtime_ns:
            return True
        return next(newest_first(claimed.label, os.listdir(jobs), ".sh"), None) == claimed
    except OSError:
        return False


def _word(store: Store, label: str) -> RunId | None:
    found = parse_run_id(store.cache.read_word(f"{_WORD}{label}"))
    return found if found and found.label == label else None


def _is_large(store: Store) -> bool:
    try:
        return os.stat(f"{store.log_dir}/jobs").st_size > LARGE
    except OSError:
        return False


class Claims:
    """The last claims, which the next one must not sort before; a block in which to add to them.

    Where words are left, only one process at a time is in the block, so that the word is of the last one
    indeed. Where none are, an old one is taken away before the run that it does not know of can begin.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs = f"{store.log_dir}/jobs"
        self._large = _is_large(store)
        self._lock_fd = -1
        self._names: list[str] | None = None
        self._claimed: dict[str, RunId] = {}
        self._changed = 0

    def __enter__(self) -> Claims:
        """Begin to claim."""
        if self._large:
            self._lock_fd = self._take_turn()
            self._large = self._lock_fd >= 0
        return self

    def _take_turn(self) -> int:
        fd = self._store.cache.open_lock(_LOCK)
        try:
            if fd >= 0:
                lock.hold_within(fd, TURN_S)
        except OSError:
            os.close(fd)
            return -1
        return fd

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave word of what was claimed, whatever came of it."""
        try:
            # One that waited in vain has claimed meanwhile, if this one was suspended for so long.
            undisturbed = self._large and self._mark() == self._changed
            has_turn = undisturbed and self._store.cache.is_open(_LOCK, self._lock_fd)
            leaves = has_turn and len(self._claimed) <= MOST_WORDS
            for label, run_id in self._claimed.items():
                word = f"{_WORD}{label}"
                if not leaves or not self._store.cache.write_word(word, str(run_id)):
                    self._store.cache.remove(word)
        finally:
            if self._lock_fd >= 0:
                os.close(self._lock_fd)

    def of(self, label: str) -> RunId | None:
        """Return the last run of a label, or None where there is none."""
        word = _word(self._store, label) if self._large else None
        return self._claimed.get(label) or word or next(newest_first(label, self._listed(), ".sh"), None)

    def note(self, run_id: RunId) -> None:
        """Take note of a run that was claimed."""
        self._claimed[run_id.label] = run_id
        if self._large:
            self._changed = self._mark()

    def _mark(self) -> int:
        try:
            return os.stat(self._jobs).st_mtime_ns
        except OSError:
            return 0  # somebody has removed it: nothing can be kept either

    def _listed(self) -> list[str]:
        if self._names is None:
            with files.storage(self._jobs, "list"):
                self._names = os.listdir(self._jobs)
        return self._names
