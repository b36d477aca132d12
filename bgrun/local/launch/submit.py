"""Hand a plan to a supervisor of this machine, once its run IDs are claimed."""

from __future__ import annotations

from bgrun.local.launch import spawn
from bgrun.local.launch.manifest import Plan
from bgrun.plan import Submitted
from bgrun.store import submission

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.plan import RenderedPlan, RunPlan, Title
    from bgrun.store.store import Store


def launch(store: Store, root: str, plan: RenderedPlan, title: Title | None = None) -> Submitted:
    """Launch a plan; one of a single job has no run of its own and needs no title.

    Raises:
        StorageError: the log directory cannot be used.
        UsageError: the record of a run would be too large.
        LaunchError: nothing runs, and no record of it is left.
    """
    with submission.claimed(store, root, plan, title) as claimed:
        runs = tuple(map(_for_supervisor, claimed.runs))
        known = spawn.hand_over(Plan(store.log_dir, runs, claimed.group, spawn.module_path(runs)))
    return Submitted(tuple(run.run_id for run in runs), claimed.group.run_id if claimed.group else "", known)


def _for_supervisor(run: RunPlan) -> RunPlan:
    """Return a run without what a supervisor never needs, since it stays in memory as long as its job."""
    job = run.job._replace(script="", cmd="", params=(), progress=(), problems=(), only_failed="")
    return run._replace(job=job)
