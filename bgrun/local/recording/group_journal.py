"""What the supervisor of a group records about the group's own run: its schedule and its result."""

from __future__ import annotations

import os
import time

from bgrun.errors import LaunchError
from bgrun.light import suppress
from bgrun.local.recording import journal
from bgrun.store import meta, state
from bgrun.store.paths import RunPaths
from bgrun.system import clock, files, process
from bgrun.system.changes import Change
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.model import State
    from bgrun.plan import GroupPlan
    from bgrun.store.state import Verdict


class GroupJournal:
    """The group's own run: its log is the schedule, its exit code the result of all its runs."""

    def __init__(self, log_dir: str, plan: GroupPlan, recorded: str) -> None:
        self.recorded = recorded
        self.at = RunPaths(log_dir, plan.run_id)
        self.facts = dict(plan.facts)
        self.log_fd = -1
        self.lock_fd = -1
        self.began = 0.0

    def open(self, members: Iterable[str]) -> None:
        """Create the group's record; from then on its lock shows that the plan has a supervisor.

        Raises:
            LaunchError: the record cannot be written.
        """
        me = os.getpid()
        self.began = steady_clock()
        self.facts |= {
            "pgid": str(os.getpgid(0)),
            "pid": str(me),
            "pid_start": process.start_of(me),
            "supervisor_pid": str(me),
            "supervisor_start": process.start_of(me),
            "members": " ".join(members),
            "started_at": clock.iso(time.time()),
            "log_dir": self.recorded,
            "pid_ns": process.pid_namespace(),
        }
        try:
            with Change(self.at.log_dir, self.at.run_id):
                self.log_fd = journal.open_log(self.at)
                self.lock_fd = journal.claim_files(self.at, self.facts, [])
                journal.publish(self.at, me, meta.pack(self.facts), self.lock_fd)
        except OSError as error:
            raise LaunchError(f"cannot keep a record of {self.at.run_id}: {error.strerror}") from error

    def log(self, event: str) -> None:
        """Append an event to the log."""
        with suppress(OSError):
            files.write_all(self.log_fd, f"{clock.iso(time.time())} {event}\n".encode("utf-8", "replace"))

    def stop_requested(self) -> str:
        """Return why the whole group is to stop, or ''."""
        return journal.stop_requested(self.at)

    def note_stop(self) -> None:
        """Record that the whole group is to stop."""
        from bgrun.store import stop_request  # not loaded in a sleeping supervisor

        with suppress(OSError):
            stop_request.write_stop(self.at, "stop", signalled=True)

    def close(self, states: Iterable[State]) -> None:
        """Record the result of the group from the states of all its runs, and release its lock."""
        verdict = state.group_verdict(states)
        if self.stop_requested() and verdict.state != "succeeded":
            verdict = verdict._replace(state="stopped")
        self.log(f"{verdict.state}{f': {verdict.reason}' if verdict.reason else ''}")
        final = {
            **self.facts,
            "ended_at": clock.iso(time.time()),
            "duration_s": f"{steady_clock() - self.began:.3f}",
            **verdict.facts(),
        }
        if not journal.is_anothers(self.at, {key: self.facts[key] for key in ("supervisor_pid", "supervisor_start")}):
            with Change(self.at.log_dir, self.at.run_id):
                self._write_final(verdict, final)
        os.close(self.lock_fd)

    def _write_final(self, verdict: Verdict, final: dict[str, str]) -> None:
        if verdict.exit_code is None:
            files.remove(self.at.hidden("exit"))
        else:
            journal.write_exit(self.at, verdict.exit_code)
        with suppress(OSError):
            files.commit(self.at.meta, self.at.hidden("meta"), meta.pack(final))
        files.remove(self.at.stop)
