"""Hold what the runs of a plan share: their supervisor, its log directory, and the record of their group."""

from __future__ import annotations

import os

from bgrun.light import signal, suppress
from bgrun.local.recording import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.local.recording.group_journal import GroupJournal
    from bgrun.local.supervision.log_limit import WriteNotifier
    from bgrun.local.supervision.machine import Machine
    from bgrun.store.paths import RunPaths


class Host:
    """What a run knows of its supervisor.

    log_dir: the log directory by the path that leads there from here; recorded: its path when the plan was made.
    group: the record of the plan's own run, whose lock covers all runs. alone: the plan has no other run.
    subreaper: orphaned descendants become children of the supervisor. facts: its lines of the meta; both are
    known once it is a process.
    helpers: children of the supervisor that belong to no run: inhibitors, hooks, processes that wait for a slot.
    leaders: the job scripts that run. port_fds: the locks on the ports of services that have not ended.
    """

    def __init__(self, log_dir: str, machine: Machine, recorded: str = "", group: GroupJournal | None = None) -> None:
        self.log_dir = log_dir
        self.machine = machine
        self.recorded = recorded or log_dir
        self.group = group
        self.alone = self.subreaper = False
        self.facts: dict[str, str] = {}
        self.helpers: set[int] = set()
        self.leaders: set[int] = set()
        self.port_fds: dict[str, int] = {}
        self._write_notifier: WriteNotifier | None = None

    def report(self, event: str) -> None:
        """Add an event to the log of the group."""
        if self.group:
            self.group.log(event)

    def stop_requested(self, at: RunPaths) -> str:
        """Return why a run, or its whole group, was requested to stop, or ''."""
        return (self.group.stop_requested() if self.group else "") or journal.stop_requested(at)

    def stop_is_urgent(self, at: RunPaths) -> bool:
        """Return whether a run, or its whole group, is to stop without a grace period."""
        return journal.stop_is_urgent(at) or bool(self.group and journal.stop_is_urgent(self.group.at))

    def end_helper(self, pid: int) -> None:
        """End a helper, unless it has exited: its PID may be another process's by then."""
        if pid in self.helpers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def release_port(self, run_id: str) -> None:
        """Let other plans have the port of a service, before its record says that it has ended: it is started again."""
        if run_id in self.port_fds:
            os.close(self.port_fds.pop(run_id))

    def ask_for_writes(self) -> bool:
        """Ask the kernel to report the next write in the log directory; return whether it will."""
        if not self._write_notifier:
            from bgrun.local.supervision.log_limit import WriteNotifier

            self._write_notifier = WriteNotifier(self.log_dir)
        return self._write_notifier.arm()
