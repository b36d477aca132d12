"""Update the names of runs with those that have changed, instead of listing them anew. Pure."""

from __future__ import annotations

from bgrun.store.listing.names import RunNames, lines_of, order, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgrun.store.listing.names import Order


def updated(names: RunNames, seen: Mapping[str, str], *, is_cut: bool = False) -> RunNames:
    """Return the names with some runs as they are seen now: `finished`, `unfinished`, or `gone`.

    is_cut: the oldest runs may be missing in `every`, and still are; then none of `seen` is gone.
    """
    there = {run_id: state != "gone" for run_id, state in seen.items()}
    ordered = _newest_first(seen)
    every = _edited(names.every, ordered, there, is_cut=is_cut)
    unfinished = _edited(names.unfinished, ordered, {run_id: state == "unfinished" for run_id, state in seen.items()})
    newest: dict[str, tuple[Order, str]] = {}
    for one in ordered:
        if there[one[1]]:
            newest.setdefault(_label(one), one)
    latest = names.latest
    for label in {_label(one) for one in ordered}:
        before = next(lines_of(latest, label), "")
        if there.get(before, True):
            now = max((newest.get(label, _NONE), (order(before), before) if before else _NONE))[1]
        else:
            now = next(lines_of(every, label), "")
        if before != now:
            wanted = {one: one == now for one in (before, now) if one}
            latest = _edited(latest, _newest_first(wanted), wanted)
    return RunNames(latest, unfinished, every)


def with_runs(every: str, run_ids: Iterable[str]) -> str:
    """Return all names with those of some runs, of which the oldest may be missing, and still are."""
    ordered = _newest_first(run_ids)
    return _edited(every, ordered, dict.fromkeys((run_id for _, run_id in ordered), True), is_cut=True)


_NONE: tuple[Order, str] = ("", 0, "", False), ""


def _newest_first(run_ids: Iterable[str]) -> list[tuple[Order, str]]:
    """Return run IDs in order, each with what it is ordered by: to find that takes longer than all else here."""
    return sorted(((order(run_id), run_id) for run_id in run_ids), reverse=True)


def _label(one: tuple[Order, str]) -> str:
    return one[0][2]


def _edited(
    block: str, ordered: Iterable[tuple[Order, str]], wanted: Mapping[str, bool], *, is_cut: bool = False
) -> str:
    """Return a block with or without each of these run IDs; it is copied once, however many they are.

    is_cut: more follows the block; what belongs after its last run is left out.
    """
    parts, at = [], 1
    begun = 0
    first = order(block[1 : block.find("\n", 1)])
    for wanted_at, run_id in ordered:
        # Most runs that have changed are newer than all others.
        at = place_of(block, wanted_at, at) if at > 1 or wanted_at <= first else 1
        if is_cut and at >= len(block):
            break
        is_in = block.startswith(f"{run_id}\n", at)
        if is_in != wanted[run_id]:
            parts += [block[begun:at], "" if is_in else f"{run_id}\n"]
            begun = at + len(run_id) + 1 if is_in else at
    return "".join((*parts, block[begun:])) if parts else block
