"""What many jobs cost: as a batch with slots, beside the peers, and as the plan of one start."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import peers
import project
import timing
from peers import Batch, Supervisord
from timing import Row

if TYPE_CHECKING:
    from pathlib import Path

    from workbench import Figure, Options, Workbench

TRUES, NAPS = Batch("true", 200, 8), Batch("sleep 1", 8, 4)
PLANS = (1, 10, 100)


def measure(bench: Workbench, options: Options) -> list[Figure]:
    """Measure batches in turns."""
    folder = project.make(bench, "batches", job_file())
    rows = [timing.floor(bench)]
    for group, batch in (("trues", TRUES), ("naps", NAPS)):
        rows += [*peer_batches(bench, batch), own_batch(bench, folder, group, batch)]
    return timing.measure(bench, rows, options.seldom, warm_up=False)


def measure_plans(bench: Workbench, options: Options) -> list[Figure]:
    """Measure starts of one job and of many in turns."""
    folder = project.make(bench, "plans", job_file())
    rows = [timing.floor(bench), *(row for count in PLANS for row in own_plan(bench, folder, count))]
    return timing.measure(bench, rows, options.half)


def job_file() -> str:
    """Return the job file: a matrix job for each batch and each plan."""
    jobs = {"many_trues": (TRUES.command, TRUES.times), "many_naps": (NAPS.command, NAPS.times)}
    jobs |= {f"plan_{count}": ("true", count) for count in PLANS}
    lines = [f"  {name}: {{command: '{command}'{_matrix(times)}}}" for name, (command, times) in jobs.items()]
    groups = [
        f"  trues: {{jobs: [many_trues], max_parallel: {TRUES.slots}}}",
        f"  naps: {{jobs: [many_naps], max_parallel: {NAPS.slots}}}",
    ]
    return "\n".join(["defaults: {inhibit_sleep: false}", "jobs:", *lines, "groups:", *groups, ""])


def _matrix(times: int) -> str:
    """Return what makes a job so many; a matrix of one would only change its label."""
    return f", matrix: {{n: {list(range(times))}}}" if times > 1 else ""


def _title(batch: Batch) -> str:
    return f"{batch.times} x {batch.command} at {batch.slots}"


def peer_batches(bench: Workbench, batch: Batch) -> list[Row]:
    """Return a batch as each peer that is here does it."""
    folder = bench.folder / f"batch_{batch.times}"
    folder.mkdir()
    rows = [
        Row(f"{_title(batch)}: {what}", partial(bench.call, ["bash", "-c", script], folder))
        for what, script in peers.batch_scripts(batch).values()
    ]
    if peers.here("supervisord"):
        daemon = Supervisord(bench, folder, batch.command, batch.times)
        what = f"{_title(batch)}: supervisord"
        rows.append(Row(what, daemon.run, daemon.end, "all at once: it has no slots; its own start to the last exit"))
    return rows


def own_batch(bench: Workbench, folder: Path, group: str, batch: Batch) -> Row:
    """Return a batch as a group of bgrun does it."""
    command = [bench.bgrun, "group", group, "--wait"]
    return Row(f"{_title(batch)}: bgrun group --wait", partial(bench.call, command, folder), ours=True)


def own_plan(bench: Workbench, folder: Path, count: int) -> list[Row]:
    """Return one start of so many jobs: until it has returned, and until every verdict is known."""
    job = f"plan_{count}"
    title = f"bgrun start, {count} job{'s' if count != 1 else ''} of true"
    start = [bench.bgrun, "start", job]
    settle = partial(bench.call, [bench.bgrun, "wait", job, "-q"], folder)
    return [
        Row(f"{title}: returned", partial(bench.call, start, folder), settle, ours=True),
        Row(f"{title}: --wait", partial(bench.call, [*start, "--wait"], folder), ours=True),
    ]
