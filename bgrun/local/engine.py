"""The engine of this machine, by which those above it reach this room."""

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


class LocalEngine:
    """Fulfills `engine.Engine`; see there. Each method imports what it needs: a look loads nothing of a start."""

    name = "local"

    @property
    def supports(self) -> frozenset[str]:
        """Every option."""
        from bgrun.engine import OPTIONS

        return OPTIONS

    def refusals(self, plan: RenderedPlan) -> Sequence[Refusal]:  # noqa: ARG002 - as the protocol says
        """Return none."""
        return ()

    def trial(self, plan: RenderedPlan) -> Trial:  # noqa: ARG002 - as the protocol says
        """Refuse nothing."""
        from bgrun.plan import Trial

        return Trial()

    def submit(self, store: Store, root: str, plan: RenderedPlan, title: Title | None = None) -> Submitted:
        """Claim run IDs and hand the plan to a supervisor."""
        from bgrun.local.launch import submit

        return submit.launch(store, root, plan, title)

    def expect_submission(self) -> None:
        """Fork a supervisor that waits for the plan."""
        from bgrun.local.launch import standby

        standby.prepare()

    def expect_nothing(self) -> None:
        """End the supervisor that waits for a plan."""
        from bgrun.local.launch import standby

        standby.dismiss()

    def submit_again(self, store: Store, run_id: str) -> None:  # noqa: ARG002 - as the protocol says
        """Refuse it: a run of this machine has begun, or there is no record of it."""
        from bgrun.errors import UsageError

        raise UsageError("--same is for runs on a cluster", f"rerun it as a new run with 'bgrun rerun {run_id}'")

    def single_flight(self, store: Store, wanted: Concurrency) -> AbstractContextManager[None]:
        """Lock a file of the concurrency group."""
        from bgrun.local.concurrency import slots

        return slots.single_flight(slots.place_of(store.log_dir, wanted))

    def evidence(self, run: RunPaths, facts: Mapping[str, str]) -> Evidence | None:
        """Look at the lock, the process and the files of a run."""
        from bgrun.local import evidence

        return evidence.gather(run, facts)

    def why(self, facts: Mapping[str, str]) -> str | None:
        """Return what the supervisor recorded."""
        return facts.get("waiting")

    def request_stop(self, store: Store, run_id: str, reason: str, *, now: bool = False) -> None:
        """Record the request and wake the supervisor."""
        from bgrun.local.stopping import request

        request.request(store, run_id, reason, now=now)

    def stop(self, store: Store, run_id: str, *, now: bool = False) -> Run | None:
        """Stop a run through its supervisor, or directly if that was killed."""
        from bgrun.local.stopping import request

        return request.stop_run(store, run_id, 0.0 if now else None)

    def refuse_own_stop(self, store: Store, run: Run) -> None:
        """Look for the caller among the processes of the run."""
        from bgrun.local.stopping import request

        request.spare_caller(store, run)

    def wait(self, store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
        """Sleep on the lock of the supervisor, or on the process."""
        from bgrun.local import wait

        return wait.wait_run(store, run_id, timeout_s)

    def left_running(self, facts: Mapping[str, str]) -> Sequence[int]:
        """Compare the processes that the supervisor recorded with those that exist."""
        from bgrun.local import evidence

        return [pid for pid, _ in evidence.left_running(facts)]

    def may_be_running(self, facts: Mapping[str, str]) -> bool:
        """Return whether it was started on another host or in another PID namespace."""
        from bgrun.local import evidence

        return evidence.is_elsewhere(facts)


ENGINE: Engine = LocalEngine()
