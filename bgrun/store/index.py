"""Find runs by the names of their files: all, those of a label, the newest of a label.

The entry `names` in `.logs/.cache/` has the sorted names of all runs, which saves listing a large log directory: of
20,000 runs that takes 60 ms of CPU, and reading the entry 1. It is used while the log directory has the time of change
at which it was listed, or has changed since by nothing but runs that are known (see `system.changes`): then these alone
are looked up. In any other case, and once a minute after a change, the directory is listed. Without the entry all
answers are the same.

With the names it has the times at which the metas of the newest runs were written (see `listing.last_written`).
"""

from __future__ import annotations

import os
import time

from bgrun.light import NamedTuple
from bgrun.store.listing import entry
from bgrun.store.listing.names import RunNames, lines, order
from bgrun.store.paths import newest_first, parse_run_id
from bgrun.system import changes
from bgrun.system.reading import GONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.store.store import Store

RENEW_S, MOST_CHANGED = 60.0, 200
"""After how many seconds the names are listed anew, if anything has changed since, and after how many changed runs."""


def list_names(store: Store) -> RunNames:
    """Return the names of all runs, from the cache if it is valid.

    Raises:
        StorageError: the directory cannot be read.
    """
    if not store.exists():
        return RunNames()
    return _recorded(store) or _list_anew(store)


def list_newest(store: Store) -> RunNames:
    """Return the same, of which `every` may lack the oldest runs: of a large entry only the beginning is read.

    Raises:
        StorageError: the directory cannot be read.
    """
    return recorded_newest(store) or list_names(store)


def newest_run_ids(store: Store, known: Followed | None, written: Mapping[str, float]) -> Iterator[str]:
    """Yield all runs, the newest first; the names of the oldest ones are read only once they are needed.

    Args:
        store: where.
        known: what `followed` has of the newest ones; None to list them all.
        written: when the metas of those were written that have changed since (see `last_written.of_changed`).

    Raises:
        StorageError: the directory cannot be read.
    """
    every, last = known.blocks[-1] if known and GONE not in written.values() else "", ""
    if every and written:
        from bgrun.store.listing.updating import with_runs

        every = with_runs(every, written)
    for last in lines(every):
        yield last
    rest = list_names(store).newest_first()
    if last:
        from itertools import dropwhile  # not on the way of a list that is short

        rest = dropwhile(lambda run_id: order(run_id) >= order(last), rest)
    yield from rest


def _recorded(store: Store, *, head: bool = False, label: str = "") -> RunNames | None:
    """Return the names by the cache, or None if they are to be listed.

    head: only the newest run of each label and the unfinished ones are needed; `every` may lack the oldest runs.
    label: only the runs of this label are needed; what else has changed is not looked up.
    """
    found = followed(store, head=head)
    return _by(store, found, head=head, label=label) if found else None


def _by(store: Store, known: Followed, *, head: bool, label: str = "") -> RunNames | None:
    """Return the names by what is known of them; None if they are to be listed after all."""
    begin = label and f"{label}_"
    seen = {run_id: _seen(store, run_id) for run_id in known.changed if run_id.startswith(begin)}
    if head and "gone" in seen.values():
        return _recorded(store, label=label)  # the run before it may be any
    names = RunNames(*known.blocks)
    if not seen:
        return names
    from bgrun.store.listing.updating import updated

    return updated(names, seen, is_cut=head)


class Followed(NamedTuple):
    """What the entry says: when metas were written (see `listing.last_written`), and the names; what has changed since.

    blocks: the fields of `RunNames`. changed: run IDs.
    """

    written: str
    blocks: tuple[str, ...]
    changed: tuple[str, ...]


def followed(store: Store, *, head: bool) -> Followed | None:
    """Return what the entry says, or None if the names are to be listed; all of it, or what its `head` says."""
    if not store.exists():
        return None
    mark, *blocks = entry.read(store, head=head)
    words = mark.split(" ")
    now, here = entry.mark_of(store)
    if len(blocks) != 4 or len(words) != 4 or words[:2] != [entry.VERSION, here] or not "".join(words[2:]).isdecimal():
        return None
    begun, listed_at = words[2:]
    changed = changes.since(None if begun == now else store.cache.read(changes.ENTRY), int(begun), int(now))
    if changed is None or (changed and _is_due(store, int(listed_at), len(changed))):
        return None
    return Followed(blocks[0], tuple(blocks[1:]), tuple(changed))


def _is_due(store: Store, listed_at: int, changed: int) -> bool:
    """Return whether names are to be listed anew, though they are known: often it costs more to list them."""
    is_old = abs(time.time() - listed_at) > RENEW_S
    return (is_old or changed > MOST_CHANGED) and entry.is_quiet(store)


def _seen(store: Store, run_id: str) -> str:
    at = store.run(run_id)
    if not os.path.lexists(at.meta):
        return "gone"
    return "finished" if os.path.lexists(at.exit) else "unfinished"


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
    if found := recorded_newest(store, label):
        return found.newest_of(label)
    return next(list_label(store, label), None)


def recorded_newest(store: Store, label: str = "") -> RunNames | None:
    """Return names with the newest run of each label, or of one, or None if the directory would have to be listed."""
    return _recorded(store, head=True, label=label)


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
    found = _recorded(store, head=True, label=label) or (_list_anew(store) if entry.is_quiet(store) else None)
    if found:
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
    if not store.exists():
        return
    found = _recorded(store, label=label) or (_list_anew(store) if entry.is_quiet(store) else None)
    yield from found.newest_first(label) if found else map(str, newest_first(label, _listed(store.log_dir), ".meta"))


def _list_anew(store: Store) -> RunNames:
    from bgrun.store.listing import relisting  # a start claims its names without it

    return relisting.list_anew(store)


def _listed(directory: str) -> list[str]:
    from bgrun.store.listing import relisting

    return relisting.listed(directory)
