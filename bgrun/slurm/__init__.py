"""The engine of a Slurm cluster, through its plain command line. Loaded only for runs of such a cluster."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from bgrun.engine import Engine
    from bgrun.model import Run
    from bgrun.plan import Concurrency, Refusal, RenderedPlan, Submitted, Title, Trial
    from bgrun.store.paths import RunPaths
    from bgrun.store.state import Evidence
    from bgrun.store.store import Store


class SlurmEngine:
    """Fulfills `engine.Engine`; see there. Each method imports what it needs: a look loads nothing of a start."""

    name = "slurm"
    supports = frozenset(
        {
            *("concurrency", "condition", "depends_on", "fail_fast", "hooks", "junit", "log.max_size"),
            *("max_parallel", "outputs", "secrets", "timeout"),
        }
    )

    def refusals(self, plan: RenderedPlan) -> Sequence[Refusal]:
        """Refuse what Slurm or a launcher on a node cannot do."""
        from bgrun.slurm import refusals

        return refusals.of(plan)

    def trial(self, plan: RenderedPlan) -> Trial:
        """Let sbatch test the options of each job."""
        from bgrun.slurm import refusals

        return refusals.trial(plan)

    def submit(self, store: Store, root: str, plan: RenderedPlan, title: Title | None = None) -> Submitted:
        """Record the runs of a plan and submit them."""
        from bgrun.slurm import submit

        return submit.launch(store, root, plan, title)

    def expect_submission(self) -> None:
        """Do nothing: sbatch needs the plan."""

    def expect_nothing(self) -> None:
        """Do nothing: nothing was prepared."""

    def submit_again(self, store: Store, run_id: str) -> None:
        """Submit it under its token: whichever job claims the run carries it out."""
        from bgrun.slurm import again

        again.submit_again(store, run_id)

    def single_flight(self, store: Store, wanted: Concurrency) -> AbstractContextManager[None]:
        """Lock the file that starts on this machine lock: every start is made on a login node."""
        from bgrun import engine

        return engine.named(engine.LOCAL).single_flight(store, wanted)

    def evidence(self, run: RunPaths, facts: Mapping[str, str]) -> Evidence | None:
        """Look at the files of a run, and then at the queue."""
        from bgrun.slurm import evidence

        return evidence.gather(run, facts)

    def why(self, facts: Mapping[str, str]) -> str | None:
        """Return Slurm's reason."""
        from bgrun.slurm import evidence

        return evidence.why(facts)

    def request_stop(self, store: Store, run_id: str, reason: str, *, now: bool = False) -> None:
        """Record the request, and signal the launcher or cancel the job."""
        from bgrun.slurm import stop

        stop.request(store, run_id, reason, now=now)

    def stop(self, store: Store, run_id: str, *, now: bool = False) -> Run | None:
        """Request the stop, and wait until the launcher has carried it out."""
        from bgrun.slurm import stop

        return stop.stop_run(store, run_id, now=now)

    def refuse_own_stop(self, store: Store, run: Run) -> None:
        """Check that the caller is no process of the job, by the variables that the launcher sets."""
        from bgrun.slurm import stop

        stop.spare_caller(store, run)

    def wait(self, store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
        """Look at the files of the run, and now and then at the queue."""
        from bgrun.slurm import wait

        return wait.wait_run(store, run_id, timeout_s)

    def left_running(self, facts: Mapping[str, str]) -> Sequence[int]:  # noqa: ARG002 - as the protocol says
        """Return none: they are on another machine, and Slurm ends what a job leaves."""
        return ()

    def may_be_running(self, facts: Mapping[str, str]) -> bool:
        """Return whether it ever started: a launcher that was lost may have left its command."""
        return bool(facts.get("started_at"))


ENGINE: Engine = SlurmEngine()
