"""Read the results of many runs, most of them from one cache entry instead of a file each.

`results` in `.logs/.cache/` has a line for each run whose meta names its result, with the times and size of that meta.
A line counts only while those are still the same, so that the metas stay the only truth; a checksum rejects the entry
if it was damaged. Of 100,000 runs it saves four fifths of the time: 5 µs for each instead of 25. Few runs are read
without it.
"""

from __future__ import annotations

import itertools
import os
import time

from bgrun import codec
from bgrun.errors import StorageError
from bgrun.light import NamedTuple, contextmanager, suppress
from bgrun.store import index, meta, state
from bgrun.system import files, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Any

    from bgrun.model import Run, State
    from bgrun.store.store import Store

MOST_LINES = 200_000
"""How many runs the entry has lines of; the newest ones, some 110 bytes each."""
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
    """A context in which results are read, and at whose end the cache entry is written if many lines are missing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lines = _read_lines(store)
        self._new: dict[str, str] = {}

    def __enter__(self) -> Results:
        """Begin the context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the cache entry if it is worth it."""
        if len(self._new) > max(_MISSING, len(self._lines) // _MISSING_SHARE):
            _write_lines(self._store, {**self._lines, **self._new})

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
                if known := _closed(run_id, meta.unpack(data)):
                    if line := _line(known, seen):
                        self._new[run_id] = line
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
    verdict = state.closing_words(facts) if "run_id" in facts else None
    duration_s = state.parse_float(facts.get("duration_s", ""))
    if verdict is None or (duration_s is None and facts.get("started_at")):
        return None
    began, ended = (facts.get(key) or None for key in ("started_at", "ended_at"))
    is_partial = bool(facts.get("only_failed_of") or facts.get("only_jobs", "").split())
    is_service = facts.get("service") == "true"
    return Result(run_id, verdict.state, began, ended, duration_s, is_partial, is_service)


# --- the lines of the entry -------------------------------------------------------------------


def _line(known: Result, found: os.stat_result) -> str:
    """Return the line of a result, or '' for one that is not kept.

    Its meta was changed so recently that another change might leave the same times (`index.QUIET_S`), or it has text
    that no line can hold.
    """
    parts = ["" if value is None else str(value) for value in known]
    is_quiet = max(found.st_mtime, found.st_ctime) < time.time() - index.QUIET_S
    return _mark(found) + "\t".join(parts[1:]) if is_quiet and "".join(parts).isprintable() else ""


def _current(run_id: str, line: str, directory: int) -> Result | None:
    """Return the result in a line, or None if the meta has changed since. Half of its time goes to lstat(2)."""
    try:
        mark = _mark(os.lstat(f"{run_id}.meta", dir_fd=directory))
    except OSError:
        return None
    if not line.startswith(mark):
        return None
    parts: Any = line[len(mark) :].split("\t")
    outcome, started_at, ended_at, took, is_partial, is_service = parts
    duration_s = float(took) if took else None
    ends = (started_at or None, ended_at or None, duration_s)
    fields = (run_id, outcome, *ends, is_partial == "True", is_service == "True")
    return tuple.__new__(Result, fields)  # as `Result(*fields)`, which takes a twelfth more of a look at many runs


def _mark(found: os.stat_result) -> str:
    """Return how the line of a run begins until its meta changes. No user can set the ctime of a file back."""
    return f"{found.st_mtime_ns}\t{found.st_ctime_ns}\t{found.st_size}\t"


def _read_lines(store: Store) -> dict[str, str]:
    """Return the lines of the entry by their run IDs; none if it was damaged."""
    head, _, data = (store.cache.read(_ENTRY) or b"").partition(b"\n")
    if head != _head(data):
        return {}
    lines = iter(data.decode().split("\n"))
    return dict(zip(lines, lines, strict=False))  # each run has two: its ID, and the rest


def _write_lines(store: Store, lines: Mapping[str, str]) -> None:
    """Write the entry with the lines of the newest runs; those of deleted runs are dropped."""
    existing = (run_id for run_id in index.list_names(store).newest_first() if run_id in lines)
    data = "".join(f"{run_id}\n{lines[run_id]}\n" for run_id in itertools.islice(existing, MOST_LINES)).encode()
    store.cache.write(_ENTRY, _head(data) + b"\n" + data)


def _head(data: bytes) -> bytes:
    """Return the first line of the entry: its form, and a checksum of the rest."""
    return b"results 3 " + codec.digest(data).hex().encode()
