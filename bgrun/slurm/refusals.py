"""What is refused of a plan: by the plan alone, and by sbatch, which can test options without submitting anything."""

from __future__ import annotations

from bgrun.engine import SLURM, unsupported
from bgrun.errors import UsageError
from bgrun.plan import Refusal, Trial
from bgrun.slurm import batch, calls, options, submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.plan import RenderedJob, RenderedPlan


def of(plan: RenderedPlan) -> list[Refusal]:
    """Return what Slurm, or a launcher on one of its nodes, cannot do of a plan. Pure."""
    return [refusal for node in plan.nodes for refusal in _of_job(node.job)]


def _of_job(job: RenderedJob) -> Iterator[Refusal]:
    if job.secrets and job.slurm.secrets != "file":
        message = f"the secrets of {job.label} would be in a file until its run on Slurm has finished"
        hint = "allow it with `slurm: {secrets: file}` in the job file, or remove `secrets`"
        yield Refusal("secrets", job.label, message, hint)
    for hook in job.hooks:
        if hook.notify:
            refused = unsupported(SLURM, "notify", job.label, f"on_{hook.when}")
            yield refused._replace(hint="a node has no desktop: use a command")


def trial(plan: RenderedPlan) -> Trial:
    """Return what Slurm would refuse of the jobs of a plan; jobs of one label are one array."""
    jobs: dict[str, RenderedJob] = {}
    counted: dict[str, int] = {}
    for node in plan.nodes:
        jobs.setdefault(node.job.label, node.job)
        counted[node.job.label] = counted.get(node.job.label, 0) + 1
    try:
        submit.check_cluster({job.slurm.config for job in jobs.values()})
    except UsageError as error:
        return Trial(note=f"partitions and limits were not checked: {error.message}")
    return _tested(jobs, counted)


def _tested(jobs: Mapping[str, RenderedJob], counted: Mapping[str, int]) -> Trial:
    known: dict[tuple[str, ...], str] = {}
    found: list[Refusal] = []
    for label, job in jobs.items():
        array = [f"--array=0-{counted[label] - 1}"] if counted[label] > 1 else []
        words = (*array, *options.words(job))
        if words not in known:
            argv = ("sbatch", "--test-only", "--chdir=/", "--output=/dev/null", *words, submit.LAUNCHER)
            answer = calls.submit(argv, job.slurm.config)
            if not answer.given or (answer.code != 0 and batch.is_unanswered(answer.words)):
                return Trial(tuple(found), f"partitions and limits were not all checked: {answer.words}")
            known[words] = answer.words if answer.code != 0 else ""
        if known[words]:
            hint = "see sinfo(1) for what the cluster has"
            found.append(Refusal("slurm", label, f"Slurm would refuse {label}: {known[words]}", hint))
    return Trial(tuple(found))
