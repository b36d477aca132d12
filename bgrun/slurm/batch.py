"""Turn the runs of a plan into submissions: single jobs, arrays, and dependencies between them. Pure."""

from __future__ import annotations

from bgrun.light import NamedTuple
from bgrun.slurm import options, queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.plan import Condition, RunPlan

WARNING_S = 60
"""How long before the end of its time the launcher gets a signal; Slurm may send it half a minute earlier or later.
With a shorter time it is half of that."""


_TYPES: Mapping[Condition, str] = {"succeeded": "afterok", "completed": "afterany", "started": "after"}
"""Slurm's types of dependencies, by the condition; `ready` is of services, which are refused."""


class Batch(NamedTuple):
    """Runs that one call of sbatch submits: a single job, or an array with a task for each.

    needs: the run IDs that have to succeed before any of them, or to meet the one of `conditions` in the same place.
    at_once: how many tasks of an array may run at the same time; None is no limit.
    lane: the name of a job of which Slurm runs one at a time, or ''.
    after: the run IDs that have to end before any of them, in whatever way.
    place: of a single run that was submitted in an array before: its place there.
    """

    runs: tuple[RunPlan, ...]
    needs: tuple[str, ...] = ()
    at_once: int | None = None
    lane: str = ""
    place: str = ""
    after: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def is_array(self) -> bool:
        """Whether it is an array."""
        return len(self.runs) > 1

    @property
    def limit(self) -> int | None:
        """How many tasks may run at the same time, if that is fewer than there are."""
        return self.at_once if self.at_once and self.at_once < len(self.runs) else None


def batches(
    runs: Sequence[RunPlan], max_parallel: int | None = None, lane: str = "", slots: Mapping[str, str] | None = None
) -> list[Batch]:
    """Return the submissions of a plan, each after those that it depends on.

    Runs with the same dependencies and the same options become one array. If all of a plan do, Slurm keeps
    `max_parallel`; otherwise they are single jobs in as many lanes, each with a name from `lane`. `slots` has the lane
    of each run of a concurrency group; these are single jobs, too. A job has one name: in a plan with both, each run
    comes after the one before it in its lane.
    """
    alike: dict[tuple[object, ...], list[RunPlan]] = {}
    slots = slots or {}
    for run in runs:
        own = run.run_id if run.run_id in slots else ""
        alike.setdefault((own, run.needs, run.conditions, *options.words(run.job)), []).append(run)
    if len(alike) == 1 or max_parallel is None or max_parallel >= len(runs):
        # Each run comes after those that it needs, and so does the first of each array after all that the array needs.
        return [_batch(same, slots.get(same[0].run_id, ""))._replace(at_once=max_parallel) for same in alike.values()]
    if not slots:
        return [_batch([run], f"{lane}-{place % max_parallel}") for place, run in enumerate(runs)]
    before = ["" if place < max_parallel else runs[place - max_parallel].run_id for place in range(len(runs))]
    return [
        _batch([run], slots.get(run.run_id, ""))._replace(after=(previous,) if previous else ())
        for run, previous in zip(runs, before, strict=True)
    ]


def _batch(same: Sequence[RunPlan], lane: str) -> Batch:
    return Batch(tuple(same), same[0].needs, lane=lane, conditions=same[0].conditions)


def argv(batch: Batch, token: str, log_dir: str, launcher: str, jobs: Mapping[str, str], name: str) -> list[str]:
    """Return the command that submits a batch.

    Args:
        batch: what to submit.
        token: identifies this submission.
        log_dir: where the runs are recorded.
        launcher: the file to submit.
        jobs: the job ID of each run that was submitted before.
        name: of the job in Slurm.
    """
    first = batch.runs[0]
    log = options.pattern(f"{log_dir}/jobs/{first.run_id}.slurm.log")
    array = [f"--array={batch.place}"] if batch.place else []
    if batch.is_array:
        array = [f"--array=0-{len(batch.runs) - 1}{f'%{batch.limit}' if batch.limit else ''}"]
    return [
        "sbatch",
        "--parsable",
        f"--job-name={batch.lane or name}",
        f"--comment={queue.COMMENT}{token}",
        "--chdir=/",
        "--export=ALL",
        "--open-mode=append",
        f"--output={log}",
        f"--signal=B:USR2@{WARNING_S if options.time_of(first.job) != 1 else WARNING_S // 2}",
        *dependency(batch, jobs),
        *array,
        *options.words(first.job),
        launcher,
        log_dir,
        f"@{members_file(log_dir, first.run_id)}" if batch.is_array else first.run_id,
    ]


def lane_of(batch: Batch, place: int, token: str) -> str:
    """Return the lane of the run at a place in a batch should it be submitted once more, alone; '' if it has none.

    The tasks of an array with a limit then have as many lanes.
    """
    return f"bgrun-{token}-{place % batch.limit}" if batch.limit else batch.lane


def members_file(log_dir: str, first: str) -> str:
    """Return the file with the run IDs of an array, by that of its first task."""
    return f"{log_dir}/.{first}.members"


def dependency(batch: Batch, jobs: Mapping[str, str]) -> list[str]:
    """Return the options for what a batch depends on. Slurm never starts it if one of these fails."""
    waits: dict[str, list[str]] = {}
    plain: list[Condition] = ["succeeded"] * len(batch.needs)
    for need, condition in zip(batch.needs, batch.conditions or plain, strict=True):
        waits.setdefault(_TYPES[condition], []).append(need)
    if batch.after:
        waits.setdefault("afterany", []).extend(batch.after)
    terms = [f"{kind}:{':'.join(_short(needs, jobs))}" for kind, needs in waits.items()]
    terms += ["singleton"] if batch.lane else []
    return [f"--dependency={','.join(terms)}", "--kill-on-invalid-dep=yes"] if terms else []


def _short(needs: Iterable[str], jobs: Mapping[str, str]) -> list[str]:
    """Return the jobs of some runs; an array whose tasks are all among them by its own ID alone."""
    wanted = [jobs[run_id] for run_id in needs]
    given, all_of = _per_array(wanted), _per_array(jobs.values())
    whole = (array if given[array] == all_of[array] else job for job in wanted if (array := _array(job)))
    return list(dict.fromkeys(whole))


def _per_array(jobs: Iterable[str]) -> dict[str, int]:
    """Return how many of these jobs each array has; a single job is an array of one."""
    found: dict[str, int] = {}
    for job in jobs:
        found[_array(job)] = found.get(_array(job), 0) + 1
    return found


def _array(job: str) -> str:
    return job.partition("_")[0]


def job_of(answer: str) -> str:
    """Return the job ID in the answer to `sbatch --parsable`, which is `ID` or `ID;CLUSTER`; '' if there is none."""
    found = answer.strip().rpartition("\n")[2].partition(";")[0]
    return found if found.isascii() and found.isdigit() else ""


def is_unanswered(words: str) -> bool:
    """Return whether a failed sbatch may have submitted the job all the same, by its message."""
    return any(one in words for one in _NO_ANSWER)


_NO_ANSWER = (
    "timed out",
    "Unable to contact",
    "onnection",
    "Zero Bytes",
    "transmi",
    "temporarily",
    "Protocol authentication",
)
"""Parts of messages about a controller that did not answer (slurm_errno), not about one that refused."""
