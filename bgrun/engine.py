"""The protocol that an engine fulfills, and which engine a run belongs to.

An engine carries out plans and knows how its runs are doing. What it writes into the log directory is the same for
every engine, so that reading runs needs an engine only while they are not finished. The meta of a run names its
engine (`engine=`; without it, this machine's). Engines are imported by name when they are first needed: this module is
below all of them.
"""

from __future__ import annotations

import os

from bgrun.errors import StorageError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from bgrun.model import Run
    from bgrun.plan import Concurrency, Refusal, RenderedPlan, Submitted, Title, Trial
    from bgrun.store.paths import RunPaths
    from bgrun.store.state import Evidence
    from bgrun.store.store import Store

    class Engine(Protocol):
        """Carries out plans."""

        @property
        def name(self) -> str:
            """The name of it in a meta."""

        @property
        def supports(self) -> frozenset[str]:
            """Those of the `OPTIONS` that it honors; a start that uses another one is refused."""

        def refusals(self, plan: RenderedPlan) -> Sequence[Refusal]:
            """Return what else of a plan it does not carry out, by the plan alone."""

        def trial(self, plan: RenderedPlan) -> Trial:
            """Return what it would refuse now of jobs of a plan, without starting anything."""

        def submit(self, store: Store, root: str, plan: RenderedPlan, title: Title | None = None) -> Submitted:
            """Record the runs of a plan and have them carried out; return before they finish.

            Raises:
                LaunchError: nothing was started, and no record of it is left.
            """

        def expect_submission(self) -> None:
            """Prepare for a plan that this process will probably submit, beside what it does until then."""

        def expect_nothing(self) -> None:
            """Drop what was prepared for a plan that was not submitted after all."""

        def submit_again(self, store: Store, run_id: str) -> None:
            """Submit a run that never began once more, as the same run.

            Raises:
                UsageError: it has begun, or the engine has no runs that can get lost before they begin.
                LaunchError: it was refused.
            """

        def single_flight(self, store: Store, wanted: Concurrency) -> AbstractContextManager[None]:
            """Return a context in which no other start of the same concurrency group looks for a run to join."""

        def evidence(self, run: RunPaths, facts: Mapping[str, str]) -> Evidence | None:
            """Return what is known of a run whose meta names no result; None if it was deleted meanwhile."""

        def why(self, facts: Mapping[str, str]) -> str | None:
            """Return why a queued run is waiting, if it is known."""

        def request_stop(self, store: Store, run_id: str, reason: str, *, now: bool = False) -> None:
            """Request that a run stops, and return at once; `now` skips the grace period."""

        def stop(self, store: Store, run_id: str, *, now: bool = False) -> Run | None:
            """Stop a run with all its processes and return it as it is then; None if it was deleted.

            Raises:
                StopError: one of its processes is still alive.
            """

        def refuse_own_stop(self, store: Store, run: Run) -> None:
            """Check that the caller is no process of a run that is to be stopped.

            Raises:
                UsageError: it is one.
            """

        def wait(self, store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
            """Return a run once it has finished, or as it is after the timeout; None if it was deleted."""

        def left_running(self, facts: Mapping[str, str]) -> Sequence[int]:
            """Return the PIDs of processes that a finished run left running and that still run."""

        def may_be_running(self, facts: Mapping[str, str]) -> bool:
            """Return whether a run that counts as lost may still be running where it cannot be seen from here."""


LOCAL, SLURM = "local", "slurm"
DEFAULT = LOCAL
"""The engine of a start that names none."""
OPTIONS = frozenset(
    {
        "concurrency",
        "condition",
        "depends_on",
        "fail_fast",
        "hooks",
        "junit",
        "log.max_size",
        "max_parallel",
        "outputs",
        "secrets",
        "services",
        "timeout",
    }
)
"""What a plan can ask for and not every engine need honor."""
_ROOMS = {LOCAL: "bgrun.local.engine", SLURM: "bgrun.slurm"}
_engines: dict[str, Engine] = {}


def register(one: Engine) -> None:
    """Make an engine known by its name."""
    _engines[one.name] = one


def named(name: str) -> Engine:
    """Return the engine of this name.

    Raises:
        StorageError: this version of bgrun has no such engine.
    """
    if name not in _engines:
        if name not in _ROOMS:
            raise StorageError(f"unknown engine {name!r}", "use the version of bgrun that started the run")
        register(__import__(_ROOMS[name], fromlist=["ENGINE"]).ENGINE)
    return _engines[name]


def default() -> Engine:
    """Return the engine of a start that names none."""
    return named(DEFAULT)


def chosen(plan: RenderedPlan, on: str = "") -> Engine:
    """Return the engine for a plan: `on`, or else that of the variable `BGRUN_ENGINE`, or else that of its jobs.

    Raises:
        UsageError: there is no such engine, or its jobs want several.
    """
    name = on or os.environ.get("BGRUN_ENGINE", "")
    if not name:
        wanted = {node.job.engine or DEFAULT for node in plan.nodes}
        if len(wanted) > 1:
            raise UsageError(
                f"the jobs of this plan want several engines: {', '.join(sorted(wanted))}",
                "start them separately, or choose one with --on",
            )
        name = wanted.pop() if wanted else DEFAULT
    return known(name, "--on" if on else "BGRUN_ENGINE")


def known(name: str, where: str = "--on") -> Engine:
    """Return the engine of a name that a user gave.

    Raises:
        UsageError: there is no such engine; the message says `where` it was given.
    """
    if name not in _ROOMS and name not in _engines:
        raise UsageError(f"invalid {where} {name!r}: unknown engine", f"choose {' or '.join(_ROOMS)}")
    return named(name)


def of(facts: Mapping[str, str]) -> Engine:
    """Return the engine of the run with this meta.

    Raises:
        StorageError: this version of bgrun has no such engine.
    """
    return named(facts.get("engine") or LOCAL)


def refusals(one: Engine, plan: RenderedPlan) -> list[Refusal]:
    """Return all that an engine does not carry out of a plan."""
    if one.supports >= OPTIONS:
        return []
    from bgrun.plan import used_options  # loaded by whoever has a plan

    absent = [unsupported(one.name, *used) for used in used_options(plan) if used[0] not in one.supports]
    return [*absent, *one.refusals(plan)]


def unsupported(name: str, option: str, label: str, key: str = "") -> Refusal:
    """Return the refusal of an option that an engine does not support; `key`: where it is, if that has another name."""
    from bgrun.plan import Refusal

    message = f"the engine {name!r} does not support `{option}`, which {label} uses"
    return Refusal(key or option, label, message, f"remove it, or run that job with '--on {LOCAL}'")
