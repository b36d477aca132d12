"""A plan: runs with their order, as it is handed to the supervisor; pure pack and unpack."""

from __future__ import annotations

from bgrun import codec
from bgrun.light import NamedTuple
from bgrun.model import RenderedJob, Retention

LAUNCHED = b"ok\n"
"""The first line of the answer that a plan was launched."""
MOST_ANSWERED = 4096
"""The most bytes of an answer: a pipe takes as many at once (pipe(7), PIPE_BUF)."""


class RunPlan(NamedTuple):
    """One run to launch.

    job: what it is made of; of what only its job script or its meta has, nothing. facts: the lines of its meta that
    are known before it starts. needs: the run IDs that have to succeed first, each of an earlier run of the plan.
    skip: why it is not to run, or ''.
    """

    run_id: str
    job: RenderedJob
    facts: dict[str, str]
    needs: tuple[str, ...] = ()
    skip: str = ""


class GroupPlan(NamedTuple):
    """The group's own run, whose log is the schedule's events and whose exit is the verdict."""

    run_id: str
    label: str
    facts: dict[str, str]
    max_parallel: int | None = None
    fail_fast: bool = False
    retention: Retention = Retention()


class Plan(NamedTuple):
    """What one supervisor is to do. `module_path` is where it may import psutil from, off Linux."""

    log_dir: str
    runs: tuple[RunPlan, ...]
    group: GroupPlan | None = None
    module_path: tuple[str, ...] = ()


codec.nest(RunPlan, job=RenderedJob)
codec.nest(GroupPlan, retention=Retention)
codec.nest(Plan, runs=[RunPlan], group=GroupPlan)


def pack(plan: Plan) -> bytes:
    """Return a plan as bytes for the supervisor."""
    return codec.pack(plan)


def launched(known: bytes) -> bytes:
    """Return the answer that a plan was launched, with the text of a meta if there is room for it."""
    return LAUNCHED + known if len(LAUNCHED + known) <= MOST_ANSWERED else LAUNCHED


def unpack(data: bytes) -> Plan:
    """Return the plan that `pack` was given."""
    return codec.restore(Plan, codec.unpack(data))
