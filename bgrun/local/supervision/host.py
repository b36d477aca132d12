"""Hold what the runs of a plan know of their supervisor."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bgrun.local.supervision.machine import Machine


class Host:
    """What a run knows of its supervisor.

    recorded: the path of the log directory when the plan was made; log_dir: how it is named from here.
    tell: adds an event to the log of the group. ask_for_writes: asks the kernel to report writes in the log directory;
    returns whether it will.
    alone: the plan has no other run. grouped: the plan has a run of its own, whose lock covers all runs.
    subreaper: orphaned descendants become children of the supervisor. facts: its lines of the meta; both are
    known once it is a process.
    helpers: children of the supervisor that belong to no run: inhibitors, hooks, processes that wait for a slot.
    leaders: the job scripts that run.
    """

    def __init__(
        self, log_dir: str, tell: Callable[[str], None], ask_for_writes: Callable[[], bool], machine: Machine
    ) -> None:
        self.log_dir = self.recorded = log_dir
        self.tell = tell
        self.ask_for_writes = ask_for_writes
        self.machine = machine
        self.alone = self.grouped = self.subreaper = False
        self.facts: dict[str, str] = {}
        self.helpers: set[int] = set()
        self.leaders: set[int] = set()
