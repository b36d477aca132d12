"""Ask the machine for what a supervisor needs: the time, its children, launches and stops.

The loop in `supervisor` decides on what it gets from here, so that tests replay histories of events without processes.
"""

from __future__ import annotations

from bgrun.errors import LaunchError
from bgrun.local.supervision import event_loop
from bgrun.system import process
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from collections.abc import Iterator, Sequence

    from bgrun.bytecode.bundle import Copy
    from bgrun.local.recording.journal import Child
    from bgrun.local.supervision.job import Held, Start
    from bgrun.local.supervision.run import RunTask
    from bgrun.store.paths import RunPaths
    from bgrun.system.process import Process


class Machine:
    """The machine that this process runs on.

    code: the copy of all code that the supervisor may need, once there is one.
    """

    def __init__(self) -> None:
        self.code: Copy | None = None

    def now(self) -> float:
        """Return the time on the steady clock, in seconds."""
        return steady_clock()

    def find_code(self) -> None:
        """Find all code that may be needed, once, before the first job, which may remove it: the bundle stays open.

        Raises:
            LaunchError: some of it is gone already.
        """
        if self.code:
            return
        from bgrun.bytecode import bundle

        try:
            code = bundle.cached()
            if not code:
                from bgrun.bytecode import builder

                code = builder.build()
            self.code = code.keep()
            if not process.LINUX:
                import psutil  # noqa: F401
        except (ImportError, SyntaxError) as error:
            raise LaunchError(f"a part of bgrun is missing: {error}", "install it again") from error

    def keep_code(self) -> None:
        """Take all code that may be needed into memory; if the open bundle was written over, from the sources.

        Raises:
            LaunchError: these are gone, too.
        """
        self.find_code()
        if self.code and not self.code.hold():
            self.code.discard()
            self.code = None
            self.find_code()

    def launch(self, at: RunPaths, facts: dict[str, str], start: Start, held: Held) -> Child:
        """Start a job script; see `job.launch`.

        Raises:
            ScarceError: the system ran out of something; it may be tried again.
            LaunchError: it does not run.
        """
        from bgrun.local.supervision import job  # a supervisor that took over a run launches none

        return job.launch(at, facts, start, held)

    def reap(self) -> Iterator[tuple[int, int, resource.struct_rusage | None]]:
        """Reap every child that has exited: its PID, its wait status, and what it used."""
        if not event_loop.child_has_ended():
            return
        while True:
            try:
                reaped = event_loop.reap_child()
            except ChildProcessError:
                return
            if reaped[0] == 0:
                return
            yield reaped

    def advance_stops(self, tasks: Sequence[RunTask]) -> None:
        """Advance the stop of each of these runs by one step."""
        from bgrun.local.stopping import supervised

        supervised.advance(tasks)

    def left_running(self, task: RunTask) -> Sequence[Process]:
        """Return the processes that a run left running when its job script exited by itself."""
        children = event_loop.children() if task.host.subreaper else None
        if children is not None and not children - task.host.helpers - task.host.leaders:
            return ()
        try:
            from bgrun.local.stopping import supervised
        except ImportError:  # bgrun was removed: the result comes first
            return ()
        return supervised.left_running(task)
