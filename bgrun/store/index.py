"""The runs in a log folder by their names alone, and what a person names; the names of the files are the index.

Listing a folder of 10,000 runs takes longer than all else that a look does. So the sorted names are
kept, and used for as long as the folder has the time of change that it had when they were read.
"""

from __future__ import annotations

import os
import time

from bgrun.light import NamedTuple
from bgrun.store import newest as newest_ids
from bgrun.store.paths import newest_first, parse_run_id, split_run_id
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.store.store import Store

QUIET_S = 2.0
"""For how long a folder must not have changed before its names are kept: two changes within one tick of the
file system's clock (2 s at worst, on FAT) leave the same time of change."""
WORTH_KEEPING = 500
"""From how many runs on listing the folder costs more than reading the kept names."""
_KEPT = "names"


class RunNames(NamedTuple):
    """Run ids as blocks of text, each on a line of its own between line feeds, which is quick to keep and to search.

    `every` has them all, the newest first; `latest` the newest of each label; `unfinished` those without
    an exit code.
    """

    every: str = "\n"
    latest: str = "\n"
    unfinished: str = "\n"

    def newest_of(self, label: str) -> str | None:
        """Return the newest run of exactly this label, never of one that only begins like it."""
        return next(_lines_of(self.latest, label), None)

    def newest_first(self, label: str | None = None) -> Iterator[str]:
        """Give the run ids of one label, or of all, the newest first."""
        return _lines(self.every) if label is None else _lines_of(self.every, label)

    def newest_of_each(self) -> Iterator[str]:
        """Give the newest run of every label."""
        return _lines(self.latest)

    def labels(self) -> list[str]:
        """Return the labels that runs are filed under, sorted."""
        return sorted(_label(run_id) for run_id in _lines(self.latest))

    def without_exit(self) -> set[str]:
        """Return the runs whose exit code is not there: those that may still go on, or never ran."""
        return set(_lines(self.unfinished))

    def unfinished_first(self, label: str | None = None) -> Iterator[str]:
        """Give the runs without an exit code of one label, or of all, the newest first."""
        return _lines(self.unfinished) if label is None else _lines_of(self.unfinished, label)


def _lines(block: str) -> Iterator[str]:
    """Give the lines of a block, no more of them than are asked for."""
    begin = 1
    while (end := block.find("\n", begin)) >= 0:
        yield block[begin:end]
        begin = end + 1


def _lines_of(block: str, label: str) -> Iterator[str]:
    at = -1
    while (at := block.find(f"\n{label}_", at + 1)) >= 0:
        run_id = block[at + 1 : block.find("\n", at + 1)]
        if _label(run_id) == label:
            yield run_id


def _label(run_id: str) -> str:
    parts = split_run_id(run_id)
    return parts[0] if parts else ""


def sort(names: Iterable[str]) -> RunNames:
    """Return the runs that are named by the names of files; pure."""
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
    """Return the runs in a log folder, from the names alone.

    Raises:
        StorageError: the folder cannot be read.
    """
    if not store.exists():
        return RunNames()
    mark = _mark(store)
    if kept := _kept(store, mark):
        return kept
    found = sort(_listed(store.log_dir))
    if found.every.count("\n") > WORTH_KEEPING and _is_quiet(store) and _mark(store) == mark:
        store.cache.write(_KEPT, "\0".join([mark, *found]).encode("utf-8", "surrogateescape"))
    return found


def _mark(store: Store) -> str:
    """Return what changes whenever a name in the folder does: its times, of which nobody can set back the last one."""
    found = os.stat(store.log_dir)
    return f"2 {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_dev}"


def _is_quiet(store: Store) -> bool:
    return os.stat(store.log_dir).st_mtime < time.time() - QUIET_S


def _kept(store: Store, mark: str) -> RunNames | None:
    data = store.cache.read(_KEPT)
    if data is None or not data.startswith(mark.encode() + b"\0"):
        return None
    parts = data.decode("utf-8", "surrogateescape").split("\0")
    return RunNames(*parts[1:]) if len(parts) == 4 else None


def resolve(store: Store, ref: str) -> str | None:
    """Return the run id that `ref` means: itself, or the newest run of exactly that label.

    Raises:
        StorageError: the folder cannot be read.
    """
    return ref if is_run(store, ref) else newest(store, ref)


def is_run(store: Store, ref: str) -> bool:
    """Return whether `ref` is the run id of a run here.

    Raises:
        StorageError: the folder is one that is not to be looked at.
    """
    is_there = bool(parse_run_id(ref)) and "/" not in ref and os.path.lexists(store.run(ref).meta)
    return is_there and store.exists()


def newest(store: Store, label: str) -> str | None:
    """Return the newest run of exactly this label, if there is one.

    Raises:
        StorageError: the folder cannot be read.
    """
    if not store.exists():
        return None
    found = newest_ids.of_word(store, label)
    return str(found) if found else next(of_label(store, label), None)


class OfLabel(NamedTuple):
    """What is known of a label by name: its newest run, and those without an exit code, each live one among them."""

    newest: str | None = None
    unfinished: tuple[str, ...] = ()


def look_up(store: Store, label: str) -> OfLabel:
    """Return the newest run of exactly this label and its unfinished ones, the newest first, at one look.

    Raises:
        StorageError: the folder cannot be read.
    """
    if not store.exists():
        return OfLabel()
    if _is_quiet(store):
        found = list_names(store)
        return OfLabel(found.newest_of(label), tuple(found.unfinished_first(label)))
    own = [name for name in _listed(store.log_dir) if name.startswith(f"{label}_")]
    run_ids = list(map(str, newest_first(label, own, ".meta")))
    ended = {name for name in own if name.endswith(".exit")}
    return OfLabel(next(iter(run_ids), None), tuple(one for one in run_ids if f"{one}.exit" not in ended))


def of_label(store: Store, label: str) -> Iterator[str]:
    """Give the runs of exactly this label, the newest first, without sorting all others.

    Raises:
        StorageError: the folder cannot be read.
    """
    return _of_label(store, label, store.log_dir, ".meta")


def claimed_of_label(store: Store, label: str) -> Iterator[str]:
    """Give the same from the job scripts, a quarter of the names: some may be gone, or never have run.

    Raises:
        StorageError: the folder cannot be read.
    """
    jobs = f"{store.log_dir}/jobs"
    return _of_label(store, label, jobs, ".sh") if os.path.isdir(jobs) else of_label(store, label)


def _of_label(store: Store, label: str, folder: str, suffix: str) -> Iterator[str]:
    if not store.exists() or _is_quiet(store):
        yield from list_names(store).newest_first(label)
    else:
        yield from map(str, newest_first(label, _listed(folder), suffix))


def _listed(folder: str) -> list[str]:
    with files.storage(folder, "list"):
        return os.listdir(folder)


def stamp_of(run_id: str) -> str:
    """Return the time stamp in a run id."""
    parts = split_run_id(run_id)
    return parts[1] if parts else ""
