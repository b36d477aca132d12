"""Find runs by the names of their files: all, those of a label, the newest of a label.

The entry `names` in `.logs/.cache/` has the sorted names of all runs, which saves listing a large log directory: of
20,000 runs that takes 60 ms of CPU, and reading the entry 1. It is used while the log directory has the time of change
at which it was listed, or has changed since by nothing but runs that are known (see `system.changes`): then these alone
are looked up. In any other case, and once a minute after a change, the directory is listed. Without the entry all
answers are the same.

With the names it has the times at which the metas of the newest runs were written (see `written_since`).
"""

from __future__ import annotations

import os
import time

from bgrun import codec
from bgrun.light import NamedTuple, islice, suppress
from bgrun.store.paths import STAMP_LENGTH, newest_first, parse_run_id, split_run_id, stamp
from bgrun.system import changes, clock, files, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bgrun.store.store import Store

    Order = tuple[str, int, str, bool]

QUIET_S, LOCAL_QUIET_S = 2.0, 0.05
"""The seconds for which a directory must be unchanged before its names are cached: two changes within the resolution of
the file system's clock (2 s at worst, on FAT; 10 ms on Linux) leave the same time."""
WORTH_KEEPING = 500
"""The number of runs from which on listing the directory costs more than reading the cached names."""
RENEW_S, MOST_CHANGED = 60.0, 200
"""After how many seconds the names are listed anew, if anything has changed since, and after how many changed runs."""
ZONES_S = 27 * 3600
"""How far apart the local times of two time zones can be, plus an hour; in seconds."""
_NAMES, _VERSION = "names", "names-5"
_MOST_SHOWN, _MOST_WRITTEN = 50, 100
"""How many of the newest runs may be shown for `written_since` to know of the others, and how many times are kept."""
_HEAD_BYTES = 1 << 16
"""How much of the entry is read first: in most projects the newest run of each label, and the unfinished ones."""
_CHECKSUM = len(codec.mark(b""))


class RunNames(NamedTuple):
    """Run IDs as blocks of text, one per line between line feeds: fast to store and to search.

    latest: the newest run of each label.
    unfinished: the runs without an exit code.
    every: all runs. Each begins with the newest.
    """

    latest: str = "\n"
    unfinished: str = "\n"
    every: str = "\n"

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

    def updated(self, seen: Mapping[str, str], *, is_cut: bool = False) -> RunNames:
        """Return the names with some runs as they are seen now: `finished`, `unfinished`, or `gone`. Pure.

        is_cut: the oldest runs may be missing in `every`, and still are; then none of `seen` is gone.
        """
        there = {run_id: state != "gone" for run_id, state in seen.items()}
        every = _edited(self.every, there, is_cut=is_cut)
        unfinished = _edited(self.unfinished, {run_id: state == "unfinished" for run_id, state in seen.items()})
        latest = self.latest
        for label in {_label(run_id) for run_id in seen}:
            before = next(_lines_of(latest, label), "")
            if there.get(before, True):
                own = [run_id for run_id, is_there in there.items() if is_there and _label(run_id) == label]
                now = max((*own, *filter(None, (before,))), key=order, default="")
            else:
                now = next(_lines_of(every, label), "")
            if before != now:
                latest = _edited(latest, {one: one == now for one in (before, now) if one})
        return RunNames(latest, unfinished, every)


def _edited(block: str, wanted: Mapping[str, bool], *, is_cut: bool = False) -> str:
    """Return a block with or without each of these run IDs; it is copied once, however many they are.

    is_cut: more follows the block; what belongs after its last run is left out.
    """
    parts, at = [], 1
    begun = 0
    for wanted_at, run_id in sorted(((order(run_id), run_id) for run_id in wanted), reverse=True):
        at = _place(block, wanted_at, at)
        if is_cut and at >= len(block):
            break
        is_in = block.startswith(f"{run_id}\n", at)
        if is_in != wanted[run_id]:
            parts += [block[begun:at], "" if is_in else f"{run_id}\n"]
            begun = at + len(run_id) + 1 if is_in else at
    return "".join((*parts, block[begun:])) if parts else block


def _place(block: str, wanted: Order, low: int) -> int:
    """Return where in a block, from `low` on, the run of this order begins or would begin; by halves: it is sorted."""
    high = len(block)
    middle = low  # most runs that have changed are newer than all others
    while low < high:
        begin = block.rfind("\n", 0, middle) + 1
        end = block.find("\n", begin)
        if order(block[begin:end]) > wanted:
            low = end + 1
        else:
            high = begin
        middle = (low + high) // 2
    return low


def order(run_id: str) -> Order:
    """Return the sort key of a run ID among those of all labels; the later run is greater."""
    label, ts, serial, dashed = split_run_id(run_id) or ("", "", 0, False)
    return ts, serial, label, not dashed


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
    ]  # as `order`, which would split each once more
    found.sort(reverse=True)
    latest: dict[str, str] = {}
    for _, _, label, _, run_id in found:
        latest.setdefault(label, run_id)
    every = [one[-1] for one in found]
    return RunNames(_block(latest.values()), _block(one for one in every if one not in ended), _block(every))


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["", *lines, ""])


def list_names(store: Store) -> RunNames:
    """Return the names of all runs, from the cache if it is valid.

    Raises:
        StorageError: the directory cannot be read.
    """
    if not store.exists():
        return RunNames()
    return _recorded(store) or _list_anew(store)


def list_newest(store: Store) -> RunNames:
    """Return the same, of which `every` may lack the oldest runs: a tenth of the entry is read in a large directory.

    Raises:
        StorageError: the directory cannot be read.
    """
    return recorded_newest(store) or list_names(store)


def newest_run_ids(store: Store) -> Iterator[str]:
    """Yield all runs, the newest first; the names of the oldest ones are read only once they are needed.

    Raises:
        StorageError: the directory cannot be read.
    """
    found, last = recorded_newest(store), ""
    for last in found.newest_first() if found else ():
        yield last
    rest = list_names(store).newest_first()
    if last:
        from itertools import dropwhile  # not on the way of a list that is short

        rest = dropwhile(lambda run_id: order(run_id) >= order(last), rest)
    yield from rest


def _list_anew(store: Store) -> RunNames:
    before = _mark(store)
    found = sort(_listed(store.log_dir))
    if found.every.count("\n") > WORTH_KEEPING and _is_quiet(store):
        if changes.can_follow(store.log_dir):
            store.cache.write(changes.ENTRY, b"")
        written = _written(store, found)
        if _mark(store) == before:  # neither while it was listed, nor by the first entry of the cache
            mark = f"{_VERSION} {before[1]} {before[0]} {time.time():.0f}"
            blocks = "\0".join((written, *found)).encode("utf-8", "surrogateescape")
            store.cache.write(_NAMES, _sealed(mark, blocks))
    return found


def _written(store: Store, found: RunNames) -> str:
    """Return the newest times at which metas were written, each with its run, after the stamp from which on they are.

    A run without a name at the end says that no time is missing.
    """
    shown = [*islice(found.newest_first(), _MOST_SHOWN)]
    begin = zones_before(shown[-1])
    near = found.every[1 : _place(found.every, (begin, 0, "", False), 1)].split("\n")[:-1]
    times = sorted(((reading.modified(f"{store.log_dir}/{run_id}.meta"), run_id) for run_id in near), reverse=True)
    ends = [(0.0, "")] if len(times) <= _MOST_WRITTEN else []
    return "\n".join([begin, *(f"{at!r} {run_id}" for at, run_id in (*times[:_MOST_WRITTEN], *ends))])


def zones_before(run_id: str) -> str:
    """Return the stamp from which on a run may have started later than this one, in whatever time zone it did."""
    return stamp((clock.of_stamp(stamp_of(run_id)) or 0.0) - ZONES_S)


def written_since(store: Store, begin: str, moment: float) -> list[str] | None:
    """Return runs with at least those whose metas were written at or after a moment, or None if that is not known.

    Only runs with stamps from `begin` on count. A look at the newest runs would have to ask for the times of all runs
    of the last day, 5 µs each; of most of them these times are recorded with the names.
    """
    found = _followed(store, head=True)
    if found is None:
        return None
    (written, *_), changed = found
    first, *lines = written.split("\n")
    with suppress(ValueError):
        times = [(float(at), run_id) for at, _, run_id in (line.partition(" ") for line in lines)]
        if first <= begin and times and times[-1][0] < moment:
            again = [run_id for run_id in changed if reading.modified(store.run(run_id).meta) >= moment]
            return again + [run_id for at, run_id in times if at >= moment and run_id not in changed]
    return None


def _mark(store: Store) -> tuple[str, str]:
    """Return when a name in the directory changed last, which no user can set back, and which directory it is."""
    found = os.stat(store.log_dir)
    return str(found.st_ctime_ns), f"{found.st_dev}:{found.st_ino}"


def _is_quiet(store: Store) -> bool:
    """Return whether the directory was at rest for so long that another change leaves another time."""
    found = os.stat(store.log_dir)
    rest_s = time.time() - found.st_mtime
    is_fine = rest_s > LOCAL_QUIET_S and not changes.is_coarse(found.st_ctime_ns)
    return rest_s > QUIET_S or (is_fine and changes.can_follow(store.log_dir))


def _recorded(store: Store, *, head: bool = False, label: str = "") -> RunNames | None:
    """Return the names by the cache, or None if they are to be listed.

    head: only the newest run of each label and the unfinished ones are needed; `every` may lack the oldest runs.
    label: only the runs of this label are needed; what else has changed is not looked up.
    """
    found = _followed(store, head=head)
    if found is None:
        return None
    (_, *blocks), changed = found
    begin = label and f"{label}_"
    seen = {run_id: _seen(store, run_id) for run_id in changed if run_id.startswith(begin)}
    if head and "gone" in seen.values():
        return _recorded(store, label=label)  # the run before it may be any
    names = RunNames(*blocks)
    return names.updated(seen, is_cut=head) if seen else names


def _followed(store: Store, *, head: bool) -> tuple[list[str], list[str]] | None:
    """Return the blocks of the entry, and the runs that have changed since; None if the names are to be listed."""
    mark, *blocks = _cached(store, head=head)
    words = mark.split(" ")
    now, here = _mark(store)
    if len(blocks) != 4 or len(words) != 4 or words[:2] != [_VERSION, here] or not "".join(words[2:]).isdecimal():
        return None
    begun, listed_at = words[2:]
    changed = changes.since(None if begun == now else store.cache.read(changes.ENTRY), int(begun), int(now))
    if changed is None or (changed and _is_due(store, int(listed_at), len(changed))):
        return None
    return blocks, changed


def _is_due(store: Store, listed_at: int, changed: int) -> bool:
    """Return whether names are to be listed anew, though they are known: often it costs more to list them."""
    is_old = abs(time.time() - listed_at) > RENEW_S
    return (is_old or changed > MOST_CHANGED) and _is_quiet(store)


def _seen(store: Store, run_id: str) -> str:
    at = store.run(run_id)
    if not os.path.lexists(at.meta):
        return "gone"
    return "finished" if os.path.lexists(at.exit) else "unfinished"


def _cached(store: Store, *, head: bool) -> list[str]:
    """Return mark, times and the names of the entry; of all runs some if that is the `head` of it."""
    data = store.cache.read(_NAMES, _HEAD_BYTES if head else None) or b""
    if head and data.count(b"\0") < 4:
        data = store.cache.read(_NAMES) or b""
    line, _, blocks = data.partition(b"\0")
    mark, checksums = line[: -2 * _CHECKSUM], line[-2 * _CHECKSUM :]
    own = checksums[:_CHECKSUM] if len(data) == _HEAD_BYTES else checksums[_CHECKSUM:]
    if codec.mark(blocks).encode() != own:
        return [""]
    return [
        mark.decode().rstrip(" "),
        *blocks[: blocks.rfind(b"\n") + 1].decode("utf-8", "surrogateescape").split("\0"),
    ]


def _sealed(mark: str, blocks: bytes) -> bytes:
    """Return an entry whose mark has two checksums: of what is read first of a large one, and of all.

    Without them runs would be missed of which the names were lost.
    """
    begin = len(mark) + 1 + 2 * _CHECKSUM + 1
    checksums = codec.mark(blocks[: _HEAD_BYTES - begin]), codec.mark(blocks)
    return f"{mark} {checksums[0]}{checksums[1]}".encode() + b"\0" + blocks


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
    return _recorded(store, head=True, label=label) if store.exists() else None


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
    found = _recorded(store, head=True, label=label) or (_list_anew(store) if _is_quiet(store) else None)
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
    found = _recorded(store, label=label) or (_list_anew(store) if _is_quiet(store) else None)
    yield from found.newest_first(label) if found else map(str, newest_first(label, _listed(store.log_dir), ".meta"))


def _listed(directory: str) -> list[str]:
    with files.storage(directory, "list"):
        return os.listdir(directory)


def stamp_of(run_id: str) -> str:
    """Return the time stamp in a run ID, or ''."""
    parts = split_run_id(run_id)
    return parts[1] if parts else ""
