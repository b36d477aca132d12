"""The names of runs as blocks of text, sorted: search them. Pure."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.store.paths import STAMP_LENGTH, split_run_id, stamp
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Order = tuple[str, int, str, bool]

ZONES_S = 27 * 3600
"""How far apart the local times of two time zones can be, plus an hour; in seconds."""


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
        return next(lines_of(self.latest, label), None)

    def newest_first(self, label: str | None = None) -> Iterator[str]:
        """Yield the run IDs of one label, or of all, the newest first."""
        return lines(self.every) if label is None else lines_of(self.every, label)

    def newest_of_each(self) -> Iterator[str]:
        """Yield the newest run of each label."""
        return lines(self.latest)

    def labels(self) -> list[str]:
        """Return the labels of all runs, sorted."""
        return sorted(label_of(run_id) for run_id in lines(self.latest))

    def without_exit(self) -> set[str]:
        """Return the runs without an exit code: they may be active, or never ran."""
        return set(lines(self.unfinished))

    def unfinished_first(self, label: str | None = None) -> Iterator[str]:
        """Yield the runs without an exit code of one label, or of all, the newest first."""
        return lines(self.unfinished) if label is None else lines_of(self.unfinished, label)


def order(run_id: str) -> Order:
    """Return the sort key of a run ID among those of all labels; the later run is greater."""
    label, ts, serial, dashed = split_run_id(run_id) or ("", "", 0, False)
    return ts, serial, label, not dashed


def lines(block: str) -> Iterator[str]:
    """Yield the lines of a block; lazy, since often only the first ones are needed."""
    begin = 1
    while (end := block.find("\n", begin)) >= 0:
        yield block[begin:end]
        begin = end + 1


def lines_of(block: str, label: str) -> Iterator[str]:
    """Yield the run IDs of exactly this label in a block."""
    begin, at = f"\n{label}_", -1
    usual = len(label) + 1 + STAMP_LENGTH
    while (at := block.find(begin, at + 1)) >= 0:
        run_id = block[at + 1 : block.find("\n", at + 1)]
        # A run ID with an underscore there ends with a stamp, as nearly all do; that saves parsing it.
        if (len(run_id) == usual and run_id[-7] == "_") or label_of(run_id) == label:
            yield run_id


def label_of(run_id: str) -> str:
    """Return the label of a run ID, or ''."""
    parts = split_run_id(run_id)
    return parts[0] if parts else ""


def zones_before(run_id: str) -> str:
    """Return the stamp from which on a run may have started later than this one, in whatever time zone it did."""
    return stamp((clock.of_stamp(stamp_of(run_id)) or 0.0) - ZONES_S)


def stamp_of(run_id: str) -> str:
    """Return the time stamp in a run ID, or ''."""
    parts = split_run_id(run_id)
    return parts[1] if parts else ""


def place_of(block: str, wanted: Order, low: int) -> int:
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
