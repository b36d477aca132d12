"""Read the results of many runs, most of them from one cache entry instead of a file each.

`results` in `.logs/.cache/` has a line for each run whose meta names its result, with the times and size of that meta.
A line counts only while those are still the same, so that the metas stay the only truth; a checksum rejects the entry
if it was damaged. Of 100,000 runs it saves four fifths of the time, and two thirds of the rest go to lstat(2). Few runs
are read without it.
"""

from __future__ import annotations

import itertools
import os
import time

from bgrun import codec
from bgrun.errors import StorageError
from bgrun.light import NamedTuple, contextmanager, suppress
from bgrun.store import index, meta, state
from bgrun.store.listing import entry
from bgrun.system import files, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from bgrun.model import Run, State
    from bgrun.store.listing.names import RunNames
    from bgrun.store.store import Store

    Line = tuple[int, int, int, State, str | None, str | None, float | None, bool, bool]
    """When a meta was written and when it was changed (ns), its size, and the fields of its result but for the ID."""

MOST_LINES = 200_000
"""How many runs the entry has lines of; the newest ones, some 140 bytes each."""
_USED = ("run_id", "state", "started_at", "ended_at", "duration_s", "only_failed_of", "only_jobs", "service")
_ENTRY = "results"
_MISSING, _MISSING_SHARE = 100, 50
"""The entry is written anew once more lines are missing, and more than one in so many: it costs as much as these."""


class Result(NamedTuple):
    """What the meta of a finished run says of its end: some fields of its `Run`, with the same values."""

    run_id: str
    state: State
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    is_partial: bool
    service: bool

    @property
    def live(self) -> bool:
        """Whether the run is active: it is not."""
        return False

    @property
    def succeeded(self) -> bool:
        """Whether its exit code is known and counts as success."""
        return self.state == "succeeded"


class Results:
    """A context in which results are read, and at whose end the cache entry is written if many lines are missing.

    found: the names of all runs, if they are known already.
    """

    def __init__(self, store: Store, found: RunNames | None = None) -> None:
        self._store = store
        self._found = found
        self._lines = _read_lines(store)
        self._new: dict[str, Line] = {}

    def __enter__(self) -> Results:
        """Begin the context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the cache entry if it is worth it."""
        if len(self._new) > max(_MISSING, len(self._lines) // _MISSING_SHARE):
            found = self._found or index.list_names(self._store)
            _write_lines(self._store, found, {**self._lines, **self._new})

    def of(self, run_ids: Iterable[str]) -> Iterator[Result | Run]:
        """Yield the result of each run that is finished, and what is known of any other one that can be read."""
        with _opened(self._store.log_dir) as directory:
            for run_id in run_ids:
                line = self._lines.get(run_id)
                if line and (known := _current(run_id, line, directory)):
                    yield known
                else:
                    yield from self._read(run_id)

    def _read(self, run_id: str) -> Iterator[Result | Run]:
        with suppress(StorageError):
            if found := reading.read_with_stat(self._store.run(run_id).meta, meta.MOST):
                data, seen = found
                if known := _closed(run_id, meta.pick(data, _USED)):
                    if _is_quiet(seen):
                        self._new[run_id] = (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, *known[1:])
                    yield known
                    return
        yield from self._store.readable((run_id,))


@contextmanager
def _opened(directory: str) -> Iterator[int]:
    """Open a directory, so that a file in it is found a fifth faster."""
    with files.storage(directory, "read"):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _closed(run_id: str, facts: Mapping[str, str]) -> Result | None:
    """Return the result that a meta names; None if the run may be active, or if other files tell its duration."""
    outcome = state.closing_state(facts) if "run_id" in facts else None
    duration_s = state.parse_float(facts.get("duration_s", ""))
    began = facts.get("started_at") or None
    if outcome is None or (duration_s is None and began):
        return None
    is_partial = bool(facts.get("only_failed_of") or facts.get("only_jobs", "").split())
    is_service = facts.get("service") == "true"
    return Result(run_id, outcome, began, facts.get("ended_at") or None, duration_s, is_partial, is_service)


# --- the lines of the entry -------------------------------------------------------------------


def _is_quiet(found: os.stat_result) -> bool:
    """Return whether a meta was changed so long ago that another change leaves other times."""
    return max(found.st_mtime, found.st_ctime) < time.time() - entry.QUIET_S


def _current(run_id: str, line: Line, directory: int) -> Result | None:
    """Return the result in a line, or None if the meta has changed since. No user can set the ctime of a file back."""
    try:
        found = os.lstat(f"{run_id}.meta", dir_fd=directory)
    except OSError:
        return None
    if found.st_ctime_ns != line[1] or found.st_mtime_ns != line[0] or found.st_size != line[2]:
        return None
    return tuple.__new__(Result, (run_id, *line[3:]))  # as `Result(…)`, which takes a twelfth more of many runs


def _read_lines(store: Store) -> dict[str, Line]:
    """Return the lines of the entry by their run IDs; none if it was damaged."""
    head, _, data = (store.cache.read(_ENTRY) or b"").partition(b"\n")
    lines: dict[str, Line] = codec.unpack(data) if head == _head(data) else {}
    return lines


def _write_lines(store: Store, found: RunNames, lines: Mapping[str, Line]) -> None:
    """Write the entry with the lines of the newest runs; those of deleted runs are dropped.

    The runs of a label are together, as they are read: lines that lie next to each other in memory are read faster, by
    a tenth of a look at 100,000 runs.
    """
    newest = set(itertools.islice((run_id for run_id in found.newest_first() if run_id in lines), MOST_LINES))
    in_order = (run_id for label in found.labels() for run_id in found.newest_first(label) if run_id in newest)
    data = codec.pack_plain({run_id: lines[run_id] for run_id in in_order})
    store.cache.write(_ENTRY, _head(data) + b"\n" + data)


def _head(data: bytes) -> bytes:
    """Return the first line of the entry: its form, and a checksum of the rest."""
    return f"results 4 {codec.mark(data)}".encode()
