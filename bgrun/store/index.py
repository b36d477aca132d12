"""Find runs by the names of their files: all, those of a label, the newest of a label.

Two caches in `.logs/.cache/` save listing a large log directory. Without them all answers are the same.

`names`: the sorted names of all runs. Invalid as soon as the times of the log directory differ from those when it was
listed. Listing 10,000 runs takes 14 ms of CPU with it, 50 without.

`last.LABEL`: the newest claimed run ID of a label, written by each claim (see `claim.Claims`). Invalid if the job
scripts changed later and one of the label is newer. A start among 10,000 runs takes 17 ms with it, 22 without; a status
just after a change 12 instead of 28. Below some 500 runs it saves nothing and is not used.
"""

from __future__ import annotations

import os
import time

from bgrun.light import NamedTuple
from bgrun.store.paths import STAMP_LENGTH, newest_first, parse_run_id, split_run_id
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.model import RunId
    from bgrun.store.store import Store

QUIET_S = 2.0
"""The seconds for which a directory must be unchanged before its names are cached: two changes within the resolution of
the file system's clock (2 s at worst, on FAT) leave the same time."""
WORTH_KEEPING = 500
"""The number of runs from which on listing the directory costs more than reading the cached names."""
LARGE_BYTES = 1 << 14
"""The size of the directory of job scripts from which on it has many names: file systems use 20 to 60 bytes for one."""
LAST = "last."
"""The prefix of the cache entries with the newest claimed run ID of a label."""
_NAMES = "names"


class RunNames(NamedTuple):
    """Run IDs as blocks of text, one per line between line feeds: fast to store and to search.

    every: all runs, the newest first.
    latest: the newest run of each label.
    unfinished: the runs without an exit code.
    """

    every: str = "\n"
    latest: str = "\n"
    unfinished: str = "\n"

    def newest_of(self, label: str) -> str | None:
        """Return the newest run of exactly this label, or None."""
        return next(_lines_of(self.latest, label), None)

    def newest_first(self, label: str | None = None) -> Iterator[str]:
        """Yield the run IDs of one label, or of all, the newest first."""
        return _lines(self.every) if label is None else _lines_of(self.every, label)

    def newest_of_each(self) -> Iterator[str]:
        """Yield the newest run of each label."""
        return _lines(self.latest)

    def labels(self) -> list[str]:
        """Return the labels of all runs, sorted."""
        return sorted(_label(run_id) for run_id in _lines(self.latest))

    def without_exit(self) -> set[str]:
        """Return the runs without an exit code: they may be active, or never ran."""
        return set(_lines(self.unfinished))

    def unfinished_first(self, label: str | None = None) -> Iterator[str]:
        """Yield the runs without an exit code of one label, or of all, the newest first."""
        return _lines(self.unfinished) if label is None else _lines_of(self.unfinished, label)


def _lines(block: str) -> Iterator[str]:
    """Yield the lines of a block; lazy, since often only the first ones are needed."""
    begin = 1
    while (end := block.find("\n", begin)) >= 0:
        yield block[begin:end]
        begin = end + 1


def _lines_of(block: str, label: str) -> Iterator[str]:
    begin, at = f"\n{label}_", -1
    usual = len(label) + 1 + STAMP_LENGTH
    while (at := block.find(begin, at + 1)) >= 0:
        run_id = block[at + 1 : block.find("\n", at + 1)]
        # A run ID with an underscore there ends with a stamp, as nearly all do; that saves parsing it.
        if (len(run_id) == usual and run_id[-7] == "_") or _label(run_id) == label:
            yield run_id


def _label(run_id: str) -> str:
    parts = split_run_id(run_id)
    return parts[0] if parts else ""


def sort(names: Iterable[str]) -> RunNames:
    """Return the runs that these file names belong to. Pure."""
    known = list(names)
    ended = {name[:-5] for name in known if name.endswith(".exit")}
    run_ids = [name[:-5] for name in known if name.endswith(".meta") and name[0] != "."]
    found = [
        (parts[1], parts[2], parts[0], not parts[3], run_id) for run_id in run_ids if (parts := split_run_id(run_id))
    ]
    found.sort(reverse=True)
    latest: dict[str, str] = {}
    for _, _, label, _, run_id in found:
        latest.setdefault(label, run_id)
    every = [one[-1] for one in found]
    return RunNames(_block(every), _block(latest.values()), _block(one for one in every if one not in ended))


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["", *lines, ""])


def list_names(store: Store) -> RunNames:
    """Return the names of all runs, from the cache if it is valid.

    Raises:
        StorageError: the directory cannot be read.
    """
    if not store.exists():
        return RunNames()
    mark = _mark(store)
    if cached := _cached(store, mark):
        return cached
    found = sort(_listed(store.log_dir))
    if found.every.count("\n") > WORTH_KEEPING and _is_quiet(store) and _mark(store) == mark:
        store.cache.write(_NAMES, "\0".join([mark, *found]).encode("utf-8", "surrogateescape"))
    return found


def _mark(store: Store) -> str:
    """Return text that changes whenever a name in the directory does: its times. No user can set its ctime back."""
    found = os.stat(store.log_dir)
    return f"2 {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_dev}"


def _is_quiet(store: Store) -> bool:
    return os.stat(store.log_dir).st_mtime < time.time() - QUIET_S


def _cached(store: Store, mark: str) -> RunNames | None:
    data = store.cache.read(_NAMES)
    if data is None or not data.startswith(mark.encode() + b"\0"):
        return None
    parts = data.decode("utf-8", "surrogateescape").split("\0")
    return RunNames(*parts[1:]) if len(parts) == 4 else None


def resolve(store: Store, ref: str) -> str | None:
    """Return the run ID that `ref` means: itself, or the newest run of exactly that label; None for neither.

    Raises:
        StorageError: the directory cannot be read.
    """
    return ref if is_run(store, ref) else newest(store, ref)


def is_run(store: Store, ref: str) -> bool:
    """Return whether `ref` is the run ID of a run that exists.

    Raises:
        StorageError: the directory must not be read.
    """
    is_there = bool(parse_run_id(ref)) and "/" not in ref and os.path.lexists(store.run(ref).meta)
    return is_there and store.exists()


def newest(store: Store, label: str) -> str | None:
    """Return the newest run of exactly this label, or None.

    Raises:
        StorageError: the directory cannot be read.
    """
    if not store.exists():
        return None
    found = newest_claimed(store, label)
    return str(found) if found else next(list_label(store, label), None)


class LabelRuns(NamedTuple):
    """The newest run of a label, and its runs without an exit code; every active run is one of the latter."""

    newest: str | None = None
    unfinished: tuple[str, ...] = ()


def find_label(store: Store, label: str) -> LabelRuns:
    """Return the newest run of exactly this label and its unfinished ones, the newest first.

    Raises:
        StorageError: the directory cannot be read.
    """
    if not store.exists():
        return LabelRuns()
    if _is_quiet(store):
        found = list_names(store)
        return LabelRuns(found.newest_of(label), tuple(found.unfinished_first(label)))
    own = [name for name in _listed(store.log_dir) if name.startswith(f"{label}_")]
    run_ids = list(map(str, newest_first(label, own, ".meta")))
    ended = {name for name in own if name.endswith(".exit")}
    return LabelRuns(next(iter(run_ids), None), tuple(one for one in run_ids if f"{one}.exit" not in ended))


def list_label(store: Store, label: str) -> Iterator[str]:
    """Yield the runs of exactly this label, the newest first, without sorting all others.

    Raises:
        StorageError: the directory cannot be read.
    """
    return _list_label(store, label, store.log_dir, ".meta")


def list_claimed(store: Store, label: str) -> Iterator[str]:
    """Yield the same from the job scripts, a quarter as many names; some of these runs may not exist.

    Raises:
        StorageError: the directory cannot be read.
    """
    jobs = f"{store.log_dir}/jobs"
    return _list_label(store, label, jobs, ".sh") if os.path.isdir(jobs) else list_label(store, label)


def _list_label(store: Store, label: str, directory: str, suffix: str) -> Iterator[str]:
    if not store.exists() or _is_quiet(store):
        yield from list_names(store).newest_first(label)
    else:
        yield from map(str, newest_first(label, _listed(directory), suffix))


def _listed(directory: str) -> list[str]:
    with files.storage(directory, "list"):
        return os.listdir(directory)


def stamp_of(run_id: str) -> str:
    """Return the time stamp in a run ID, or ''."""
    parts = split_run_id(run_id)
    return parts[1] if parts else ""


# --- the newest run of a label ----------------------------------------------------------------


def newest_claimed(store: Store, label: str) -> RunId | None:
    """Return the newest run of a label from the cache if the entry is valid and the run exists, else None."""
    found = last_claimed(store, label) if is_large(store) else None
    if found is None or not os.path.lexists(store.run(str(found)).meta):
        return None
    return found if _is_latest(store, found) else None


def last_claimed(store: Store, label: str) -> RunId | None:
    """Return the run ID in the cache entry of a label, or None; it may be outdated."""
    found = parse_run_id(store.cache.read_link(f"{LAST}{label}"))
    return found if found and found.label == label else None


def is_large(store: Store) -> bool:
    """Return whether listing the job scripts costs more than the cache entries of labels."""
    try:
        return os.stat(f"{store.log_dir}/jobs").st_size > LARGE_BYTES
    except OSError:
        return False


def _is_latest(store: Store, claimed: RunId) -> bool:
    """Return whether no job script of its label is newer: an older bgrun claims without an entry."""
    jobs = f"{store.log_dir}/jobs"
    try:
        entry = os.lstat(f"{store.cache.directory}/{LAST}{claimed.label}")
        if entry.st_mtime_ns >= os.stat(jobs).st_mtime_ns:
            return True
        return next(newest_first(claimed.label, os.listdir(jobs), ".sh"), None) == claimed
    except OSError:
        return False
