"""The log directory of a project as an object: its runs, their names, run IDs to claim, and the cache."""

from __future__ import annotations

from bgrun.store.paths import RunPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.model import Run
    from bgrun.store.cache import Cache
    from bgrun.store.listing.names import RunNames
    from bgrun.store.listing.results import Results

MANY = 200
"""The number of runs from which on their results are read from one cache entry (see `results`)."""


class Store:
    """A log directory. It holds the path alone: each method reads the files as they are when it is called.

    What only some commands need is imported by the method that needs it.
    """

    __slots__ = ("log_dir",)

    def __init__(self, log_dir: str) -> None:
        self.log_dir = log_dir

    def make(self) -> None:
        """Create the directory, or take one that exists as it is.

        Raises:
            StorageError: it cannot be used, or others may write in it.
        """
        from bgrun.system import directories

        directories.ensure_log_dir(self.log_dir)

    def exists(self) -> bool:
        """Return whether the directory exists.

        Raises:
            StorageError: it must not be read: it is a symbolic link, or others may write in it.
        """
        from bgrun.system import directories

        return directories.check_log_dir(self.log_dir)

    def run(self, run_id: str) -> RunPaths:
        """Return the paths of a run, which need not exist."""
        return RunPaths(self.log_dir, run_id)

    def read(self, run_id: str) -> Run | None:
        """Return a run as it is now, or None if it does not exist.

        Raises:
            StorageError: one of its files is a symbolic link or cannot be read.
        """
        from bgrun.store import record

        return record.read_run(self.run(run_id))

    def existing(self, run_id: str) -> Run:
        """Return a run as it is now.

        Raises:
            UnknownNameError: it was deleted.
            StorageError: one of its files is a symbolic link or cannot be read.
        """
        from bgrun.store import record

        return record.existing(self.run(run_id))

    def readable(self, run_ids: Iterable[str]) -> Iterator[Run]:
        """Yield the runs that exist and can be read; `record.skipped` has the others."""
        from bgrun.store import record

        return record.readable(map(self.run, run_ids))

    def results(self, found: RunNames | None = None) -> Results:
        """Return a context in which the results of many runs are read; `found` is what `index` returned, if known."""
        from bgrun.store.listing.results import Results

        return Results(self, found)

    def unclosed(self, run_ids: Iterable[str]) -> list[str]:
        """Return those of some runs that may be active; of many, those whose metas name no result."""
        every = list(run_ids)
        if len(every) < MANY:
            return every
        with self.results() as results:
            closed = {one.run_id for one in results.of(every) if not one.live}
        return [run_id for run_id in every if run_id not in closed]

    def facts(self, run_id: str) -> dict[str, str] | None:
        """Return the lines of a run's meta, or None if it does not exist.

        Raises:
            StorageError: the meta is a symbolic link or cannot be read.
        """
        from bgrun.store import record

        return record.read_meta(self.run(run_id))

    def index(self) -> RunNames:
        """Return the names of all runs, sorted.

        Raises:
            StorageError: the directory cannot be read.
        """
        from bgrun.store import index

        return index.list_names(self)

    @property
    def cache(self) -> Cache:
        """What is kept next to the runs only to save time."""
        from bgrun.store.cache import Cache

        return Cache(self.log_dir)
