"""Pack a plan into bytes for the supervisor that carries it out, and unpack it. Pure."""

from __future__ import annotations

from bgrun import codec
from bgrun.light import NamedTuple
from bgrun.plan import GroupPlan, RunPlan

LAUNCHED = b"ok\n"
"""The first line of the answer that a plan was launched."""
MOST_ANSWERED = 4096
"""The most bytes of an answer: a pipe takes as many at once (pipe(7), PIPE_BUF)."""


class Plan(NamedTuple):
    """The work of one supervisor.

    log_dir: the log directory when the plan was made. module_path: where psutil is, off Linux, and `regex` for checks
    of logs; else empty.
    """

    log_dir: str
    runs: tuple[RunPlan, ...]
    group: GroupPlan | None = None
    module_path: tuple[str, ...] = ()


codec.nest(Plan, runs=[RunPlan], group=GroupPlan)


def pack(plan: Plan) -> bytes:
    """Return a plan as bytes."""
    return codec.pack(plan)


def unpack(data: bytes) -> Plan:
    """Return the plan that `pack` was given."""
    return codec.restore(Plan, codec.unpack(data))


def launched(known: bytes) -> bytes:
    """Return the answer that a plan was launched, with the text of a meta if there is room for it."""
    return LAUNCHED + known if len(LAUNCHED + known) <= MOST_ANSWERED else LAUNCHED
