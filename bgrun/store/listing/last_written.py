"""Find the runs whose metas were written lately, by the times that are recorded with the names of the newest runs."""

from __future__ import annotations

from bgrun.light import suppress
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.store.index import Followed
    from bgrun.store.store import Store


def of_changed(store: Store, known: Followed) -> dict[str, float]:
    """Return when the metas of the runs were written that have changed since the names were listed; some are GONE."""
    return {run_id: reading.modified(store.run(run_id).meta) for run_id in known.changed}


def written_since(known: Followed, changed: Mapping[str, float], begin: str, moment: float) -> list[str] | None:
    """Return runs with at least those whose metas were written at or after a moment, or None if that is not known.

    Pure. Only runs with stamps from `begin` on count. A look at the newest runs would have to ask for the times of all
    runs of the last day, 5 µs each; of most of them these times are recorded with the names. changed: see
    `of_changed`.
    """
    first, *lines = known.written.split("\n")
    with suppress(ValueError):
        times = [(float(at), run_id) for at, _, run_id in (line.partition(" ") for line in lines)]
        if first <= begin and times and times[-1][0] < moment:
            again = [run_id for run_id, at in changed.items() if at >= moment]
            return again + [run_id for at, run_id in times if at >= moment and run_id not in changed]
    return None
