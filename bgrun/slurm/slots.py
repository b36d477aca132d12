"""Concurrency groups on a cluster: each slot is the name of a job, of which Slurm runs one at a time (`singleton`).

A run is bound to a slot when it is submitted, to the one with the fewest jobs. Slurm keeps the order of each slot.
"""

from __future__ import annotations

from bgrun import codec
from bgrun.slurm import calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.model import Concurrency, RunPlan
    from bgrun.store.store import Store


def lanes(store: Store, runs: Sequence[RunPlan]) -> dict[str, str]:
    """Return for each run of a concurrency group the name of the job of its slot."""
    grouped = {run.run_id: run.job.concurrency for run in runs if run.job.concurrency}
    if not grouped:
        return {}
    answer = calls.call(("squeue", "--me", "-r", "-h", "-o", "%j"), config=runs[0].job.slurm.config)
    names = answer.out.split("\n") if answer.code == 0 else []
    chosen: dict[str, str] = {}
    for run_id, wanted in grouped.items():
        chosen[run_id] = emptiest(slot_names(wanted, store.log_dir), [*names, *chosen.values()])
    return chosen


def slot_names(wanted: Concurrency, log_dir: str) -> list[str]:
    """Return the names of the slots of a concurrency group. Pure."""
    where = log_dir if wanted.scope == "project" else ""
    key = codec.digest(f"{wanted.group}\0{where}".encode("utf-8", "surrogateescape")).hex()[:16]
    return [f"bgrun-{key}-{place}" for place in range(wanted.limit)]


def emptiest(slots: Sequence[str], taken: Sequence[str]) -> str:
    """Return the slot with the fewest jobs, of several the first. Pure."""
    return min(slots, key=taken.count)
