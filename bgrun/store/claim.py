"""Claim run IDs: a process owns an ID once it has created its job script. A claim is not yet a run."""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.store import index
from bgrun.store.paths import newest_first, newest_of_each, next_run_id, parse_run_id
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from bgrun.model import RunId
    from bgrun.store.listing.names import RunNames
    from bgrun.store.store import Store

_MOST_AT_ONCE = 10_000


class _Newest:
    """The newest run ID of each label: of the runs, if their names are known, or else of the job scripts.

    A script that was created meanwhile need not be known: whoever finds its run ID taken tries the next one.
    """

    def __init__(self, store: Store, labels: set[str]) -> None:
        self._jobs = f"{store.log_dir}/jobs"
        only = next(iter(labels)) if len(labels) == 1 else ""
        self._recorded: RunNames | None = index.recorded_newest(store, only)
        self._names: list[str] = []
        self._of_each: dict[str, RunId] | None = None

    def of(self, label: str) -> RunId | None:
        """Return the newest run ID of a label, or None if it has none."""
        if self._recorded:
            return parse_run_id(self._recorded.newest_of(label) or "")
        if self._of_each is None and self._names:
            self._of_each = newest_of_each(self._names, ".sh")
        if self._of_each is not None:
            return self._of_each.get(label)
        with files.storage(self._jobs, "list"):
            self._names = os.listdir(self._jobs)
        return next(newest_first(label, self._names, ".sh"), None)


def claim_all(store: Store, wanted: Collection[tuple[str, bytes]]) -> Iterator[RunId]:
    """Write each job script under a new run ID of its label, and yield these IDs.

    Raises:
        StorageError: a script cannot be written; no part of it is left.
    """
    newest = _Newest(store, {label for label, _ in wanted})
    claimed: dict[str, RunId] = {}
    for label, script in wanted:
        claimed[label] = _claim(store, label, script, claimed.get(label) or newest.of(label))
        yield claimed[label]


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
            fd = files.create(path, mode=files.SCRIPT_MODE)
        except FileExistsError:
            return False
        try:
            files.write_all(fd, script)
        except OSError:
            files.remove(path)
            raise
        finally:
            os.close(fd)
    return True


def give_up(store: Store, run_ids: Iterable[str]) -> None:
    """Delete the files of runs that were claimed and never launched.

    The job script is the last: without it another process may claim the run ID, and has files of that name.
    """
    named = list(run_ids)
    clear(store, named)
    for run_id in named:
        files.remove(store.run(run_id).script)


def clear(store: Store, run_ids: Iterable[str]) -> None:
    """Delete the files of runs that were never launched, apart from what claims them."""
    for run_id in run_ids:
        at = store.run(run_id)
        for path in (*at.all_visible, *at.all_hidden):
            if path != at.script:
                files.remove(path)
