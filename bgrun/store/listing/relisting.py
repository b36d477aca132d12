"""List the log directory anew, and record the names of its runs in the cache."""

from __future__ import annotations

import os
import time

from bgrun.light import islice
from bgrun.store.listing import entry
from bgrun.store.listing.names import RunNames, place_of, zones_before
from bgrun.store.paths import split_run_id
from bgrun.system import changes, files, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.store.store import Store

WORTH_KEEPING = 500
"""The number of runs from which on listing the directory costs more than reading the cached names."""


_MOST_SHOWN, _MOST_WRITTEN = 50, 100
"""How many of the newest runs may be shown for `written_since` to know of the others, and how many times are kept."""


def sort(names: Iterable[str]) -> RunNames:
    """Return the runs that these file names belong to. Pure."""
    known = list(names)
    ended = {name[:-5] for name in known if name.endswith(".exit")}
    run_ids = [name[:-5] for name in known if name.endswith(".meta") and name[0] != "."]
    found = [
        (parts[1], parts[2], parts[0], not parts[3], run_id) for run_id in run_ids if (parts := split_run_id(run_id))
    ]  # as `order`, which would split each once more
    found.sort(reverse=True)
    latest: dict[str, str] = {}
    for _, _, label, _, run_id in found:
        latest.setdefault(label, run_id)
    every = [one[-1] for one in found]
    return RunNames(_block(latest.values()), _block(one for one in every if one not in ended), _block(every))


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["", *lines, ""])


def list_anew(store: Store) -> RunNames:
    """Return the names of all runs, and record them where that is worth it and nothing changes meanwhile.

    Raises:
        StorageError: the directory cannot be read.
    """
    before = entry.mark_of(store)
    found = sort(listed(store.log_dir))
    if found.every.count("\n") > WORTH_KEEPING and entry.is_quiet(store):
        if changes.can_follow(store.log_dir):
            store.cache.write(changes.ENTRY, b"")
        written = _times_of(store, found)
        if entry.mark_of(store) == before:  # neither while it was listed, nor by the first entry of the cache
            entry.write(store, f"{before[1]} {before[0]} {time.time():.0f}", (written, *found))
    return found


def _times_of(store: Store, found: RunNames) -> str:
    """Return the newest times at which metas were written, each with its run, after the stamp from which on they are.

    A run without a name at the end says that no time is missing.
    """
    shown = [*islice(found.newest_first(), _MOST_SHOWN)]
    begin = zones_before(shown[-1])
    near = found.every[1 : place_of(found.every, (begin, 0, "", False), 1)].split("\n")[:-1]
    times = sorted(((reading.modified(f"{store.log_dir}/{run_id}.meta"), run_id) for run_id in near), reverse=True)
    ends = [(0.0, "")] if len(times) <= _MOST_WRITTEN else []
    return "\n".join([begin, *(f"{at!r} {run_id}" for at, run_id in (*times[:_MOST_WRITTEN], *ends))])


def listed(directory: str) -> list[str]:
    """Return the names of all files in a log directory.

    Raises:
        StorageError: it cannot be read.
    """
    with files.storage(directory, "list"):
        return os.listdir(directory)
