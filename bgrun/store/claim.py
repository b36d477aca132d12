"""Claiming a run id: whoever creates the job script has it. A claim alone is no run yet."""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.store.paths import next_run_id
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.model import RunId
    from bgrun.store.store import Store

_MOST_AT_ONCE = 10_000


def claim_all(store: Store, wanted: Iterable[tuple[str, bytes]]) -> Iterator[RunId]:
    """Write each job script under a run id of its label that nobody else has, and give these ids.

    Raises:
        StorageError: a script cannot be written; nothing is left of it.
    """
    with store.claims() as claims:
        for label, script in wanted:
            claimed = _claim(store, label, script, claims.of(label))
            claims.note(claimed)
            yield claimed


def _claim(store: Store, label: str, script: bytes, newest: RunId | None) -> RunId:
    wanted = next_run_id(label, time.time(), newest)
    for _ in range(_MOST_AT_ONCE):
        at = store.run(str(wanted))
        if not os.path.lexists(at.meta) and _create(at.script, script):
            return wanted
        wanted = wanted._replace(serial=wanted.serial + 1)
    raise StorageError(f"{store.log_dir}/jobs is full of scripts of {label}", "remove those that belong to no run")


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
    """Remove what is left of runs that were claimed and never launched."""
    for run_id in run_ids:
        at = store.run(run_id)
        for path in (*at.all_visible, *at.all_hidden):
            files.remove(path)
