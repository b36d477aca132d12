"""Turn what a job asks for into words for sbatch and for its launcher. Pure."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.plan import RenderedJob

MARGIN_S = 120.0
"""How much longer than timeout, grace period and hooks Slurm leaves a job: the launcher's deadline comes first."""
_MINUTE_S, _MIB = 60, 1 << 20


def words(job: RenderedJob) -> list[str]:
    """Return the options of sbatch for the resources, limits and Slurm options of a job."""
    wanted, slurm = job.resources, job.slurm
    named = {
        "--cpus-per-task": wanted.cpus,
        "--mem": wanted.memory and f"{math.ceil(wanted.memory / _MIB)}M",
        "--gpus": wanted.gpus,
        "--partition": slurm.partition,
        "--account": slurm.account,
        "--qos": slurm.qos,
        "--time": time_of(job),
    }
    given = [f"{name}={value}" for name, value in named.items() if value]
    return ["--requeue" if slurm.requeue else "--no-requeue", *given, *slurm.options]


def time_of(job: RenderedJob) -> int | None:
    """Return the time limit of a job in minutes, as Slurm has it, or None for that of its partition."""
    limits, time_s = job.limits, job.slurm.time_s
    if time_s is None and limits.timeout_s is None:
        return None
    hooks_s = max((hook.timeout_s for hook in job.hooks), default=0.0)
    wanted = time_s if time_s is not None else (limits.timeout_s or 0) + limits.stop_grace_s + hooks_s + MARGIN_S
    return max(1, math.ceil(wanted / _MINUTE_S))


def besides(job: RenderedJob) -> str:
    """Return what a job declares besides its command, as variables for the functions of `besides.sh`; '' if nothing."""
    words = [word for hook in job.hooks for word in ("hook", hook.when, f"{hook.timeout_s:.3f}", hook.command)]
    words += ["junit", job.junit, "", ""] if job.junit else []
    words += [word for one in job.outputs for word in (one.kind, one.name, one.path, "")]
    if not words:
        return ""
    import shlex  # few jobs need it

    return f"bgrun_dir={shlex.quote(job.working_dir)}\nbgrun_declared=({shlex.join(words)})\n"


def pattern(path: str) -> str:
    """Return a path as `--output` takes it: there `%` begins a placeholder (sbatch(1), filename pattern)."""
    return path.replace("%", "%%")
