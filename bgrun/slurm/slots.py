"""Concurrency groups on a cluster: each slot is the name of a job, of which Slurm runs one at a time (`singleton`).

A run is bound to a slot when it is submitted, to the one with the fewest jobs. Slurm keeps the order of each slot. What
a start does if the group is full is decided on the login node, by Slurm's queue and the metas of the runs in it, while
no other start of the group does the same.
"""

from __future__ import annotations

import os

from bgrun import codec, engine
from bgrun.errors import BgrunError, BusyError, LaunchError
from bgrun.light import NamedTuple, contextmanager, suppress
from bgrun.slurm import calls, queue, stop
from bgrun.store import record, state
from bgrun.store.paths import RunPaths
from bgrun.store.store import Store
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bgrun.plan import Concurrency, RenderedPlan, RunPlan

_SQUEUE = ("squeue", "--me", "-r", "-h", "-o", "%T|%k|%j|%o")
_LAUNCHER = "/launcher.sh "


class Holder(NamedTuple):
    """A job of the user that has a slot, or waits for it.

    name: that of the job. run: the run that it carries out, whose meta names its token; None if that is unknown.
    is_running: whether it has begun.
    """

    name: str
    run: RunPaths | None = None
    is_running: bool = False


class Holders(NamedTuple):
    """The holders of all slots; `answered`: whether Slurm answered at all."""

    answered: bool = False
    every: tuple[Holder, ...] = ()

    def of(self, wanted: Concurrency, log_dir: str) -> list[Holder]:
        """Return those of one concurrency group, whatever limits they were submitted with."""
        stem = _stem(wanted, log_dir)
        return [one for one in self.every if one.name.rpartition("-")[0] == stem]


@contextmanager
def admitted(store: Store, plan: RenderedPlan) -> Iterator[Holders]:
    """Yield the holders of slots for a block that submits a plan; afterwards stop those that the plan replaces.

    Raises:
        BusyError: a group is full, and one of its runs must not wait.
        LaunchError: Slurm does not say whether it is.
    """
    wanted = {node.job.concurrency: node.job.slurm.config for node in plan.nodes if node.job.concurrency}
    strict = sorted(one for one in wanted if one.when_busy in ("reject", "replace"))
    if strict:
        store.make()
    with _alone(store, strict):
        found = look(next(iter(wanted.values()))) if wanted else Holders()
        if strict and not found.answered:
            message = f"Slurm does not answer: it is unknown whether concurrency group '{strict[0].group}' is full"
            raise LaunchError(message, "try again")
        for one in strict:
            if one.when_busy == "reject":
                _refuse_full(one, found.of(one, store.log_dir))
        yield found


@contextmanager
def _alone(store: Store, groups: Sequence[Concurrency]) -> Iterator[None]:
    """Let no other start on this machine decide about one of these groups; each has its turn in the same order."""
    if not groups:
        yield
        return
    first = groups[0]._replace(group=f"{groups[0].group}.slurm")  # the group itself may be locked by this start
    with engine.named(engine.LOCAL).single_flight(store, first), _alone(store, groups[1:]):
        yield


def _refuse_full(wanted: Concurrency, holders: Sequence[Holder]) -> None:
    if len(holders) < wanted.limit:
        return
    ahead = [one for one in holders if one.is_running] or holders
    named = [one.run.run_id for one in ahead if one.run]
    verb, doing = "are" if len(named) > 1 else "is", "running" if ahead[0].is_running else "queued"
    who = names(named, 3) or "another run"
    hint = f"bgrun wait {named[0]}" if named else ""
    raise BusyError(f"concurrency group '{wanted.group}' is full (limit {wanted.limit}): {who} {verb} {doing}", hint)


def look(config: str = "") -> Holders:
    """Ask Slurm for the holders of all slots, without those whose run has finished: their jobs are about to end."""
    answer = calls.call(_SQUEUE, config=config)
    if answer.code != 0:
        return Holders()
    found = (_holder(line) for line in answer.out.splitlines() if "|bgrun-" in line)
    return Holders(True, tuple(filter(None, found)))


def _holder(line: str) -> Holder | None:
    """Return the holder in a line of squeue: state, comment, name, and the launcher with its arguments."""
    word, _, rest = line.partition("|")
    comment, _, rest = rest.partition("|")
    name, _, command = rest.partition("|")
    if not comment.startswith(queue.COMMENT):
        return None
    log_dir, _, run_id = command.partition(_LAUNCHER)[2].rpartition(" ")
    at, known = RunPaths(log_dir, run_id), _meta(log_dir, run_id)
    is_known = known.get("token") == comment.removeprefix(queue.COMMENT).strip()
    if is_known and state.closing_words(known) is not None:
        return None
    return Holder(name, at if is_known else None, word not in ("PENDING", "REQUEUED", "REQUEUE_HOLD"))


def _meta(log_dir: str, run_id: str) -> Mapping[str, str]:
    with suppress(BgrunError):
        if log_dir.startswith("/") and "/" not in run_id:
            return record.read_meta(RunPaths(log_dir, run_id)) or {}
    return {}


def replace(store: Store, runs: Iterable[RunPlan], found: Holders) -> None:
    """Stop the runs that were in the concurrency groups of submitted runs before and are replaced by these.

    A run whose submission Slurm has not confirmed replaces none. One that cannot be stopped keeps its slot, and Slurm
    lets its successor wait for it.
    """
    for run in runs:
        wanted = run.job.concurrency
        if wanted and wanted.when_busy == "replace" and os.path.exists(store.run(run.run_id).job):
            for one in found.of(wanted, store.log_dir):
                with suppress(BgrunError, OSError):
                    if one.run:
                        stop.request(Store(one.run.log_dir), one.run.run_id, state.replaced_by(run.run_id))


def lanes(store: Store, runs: Sequence[RunPlan], found: Holders) -> dict[str, str]:
    """Return for each run of a concurrency group the name of the job of its slot."""
    grouped = {run.run_id: run.job.concurrency for run in runs if run.job.concurrency}
    taken = [one.name for one in found.every]
    chosen: dict[str, str] = {}
    for run_id, wanted in grouped.items():
        chosen[run_id] = emptiest(slot_names(wanted, store.log_dir), [*taken, *chosen.values()])
    return chosen


def slot_names(wanted: Concurrency, log_dir: str) -> list[str]:
    """Return the names of the slots of a concurrency group. Pure."""
    return [f"{_stem(wanted, log_dir)}-{place}" for place in range(wanted.limit)]


def _stem(wanted: Concurrency, log_dir: str) -> str:
    where = log_dir if wanted.scope == "project" else ""
    key = codec.digest(f"{wanted.group}\0{where}".encode("utf-8", "surrogateescape")).hex()[:16]
    return f"bgrun-{key}"


def emptiest(slots: Sequence[str], taken: Sequence[str]) -> str:
    """Return the slot with the fewest jobs, of several the first. Pure."""
    return min(slots, key=taken.count)
