"""Run hooks after a run has finished: commands of the user, and notifications. They change no result.

A hook starts once the result is recorded and no process of the run is left. It runs in a session of its own, writes
to a log of its own, and is killed with its process group when its timeout expires.
"""

from __future__ import annotations

import math
import os

from bgrun.errors import BgrunError, is_scarce
from bgrun.light import NamedTuple, signal, suppress
from bgrun.local.supervision import descriptors, workdir
from bgrun.local.supervision.workdir import HERE
from bgrun.store.paths import MARK_DIR, RunPaths
from bgrun.system import files, programs
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bgrun.local.supervision.run import RunTask
    from bgrun.model import Run
    from bgrun.plan import Hook

RETRY_FOR_S, RETRY_S = 60.0, 0.5
"""How long starting a hook is retried while processes or descriptors are scarce, and how often."""
_FAILURES = ("failed", "timed_out")
# `-p`: as for job scripts, BASH_ENV and functions of the caller are ignored.
_SHELL = ("bash", "-p", "-eo", "pipefail", "-c")


def due(hooks: Iterable[Hook], state: str) -> list[Hook]:
    """Return the hooks to run for a final state. Pure."""
    called = {"finish"}
    if state == "succeeded":
        called.add("success")
    if state in _FAILURES:
        called.add("failure")
    return [hook for hook in hooks if hook.when in called]


def command(hook: Hook, run: Run, find: Callable[[str], str | None]) -> list[str]:
    """Return the argv of a hook; empty for a notification if the system has no program for that. Pure."""
    if not hook.notify:
        return [*_SHELL, hook.command]
    title, text = f"{run.label} {run.state}", f"{run.run_id}: exit {run.exit_code}, {run.duration_s or 0:.0f} s"
    if notify_send := find("notify-send"):
        urgency = "normal" if run.succeeded else "critical"
        return [notify_send, "--app-name=bgrun", f"--urgency={urgency}", "--", title, text]
    if osascript := find("osascript"):
        script = "on run {title, body}\ndisplay notification body with title title\nend run"
        return [osascript, "-e", script, title, text]
    return []


def variables(run: Run) -> dict[str, str]:
    """Return the `BGRUN_*` variables that describe the run to a hook; absent values are empty. Pure."""
    values = {
        "RUN_ID": run.run_id,
        "LABEL": run.label,
        "JOB": run.job,
        "GROUP": run.group,
        "STATE": run.state,
        "EXIT_CODE": run.exit_code,
        "SIGNAL": run.signal,
        "REASON": run.reason,
        "STARTED_AT": run.started_at,
        "ENDED_AT": run.ended_at,
        "DURATION_S": run.duration_s,
        "LOG": run.log,
        "META": run.meta,
        "CMD": run.cmd,
        "GIT_SHA": run.git_sha,
        "GIT_BRANCH": run.git_branch,
    }
    return {f"BGRUN_{key}": "" if value is None else str(value) for key, value in values.items()}


class _Pending(NamedTuple):
    """A hook to start; retried until `until` on the steady clock."""

    hook: Hook
    run: Run
    directory: str
    environment: Mapping[str, str]
    until: float


class Hooks:
    """The running hooks with the time at which each is killed, and those that could not be started yet."""

    def __init__(self, helpers: set[int]) -> None:
        self.helpers = helpers
        self.until: dict[int, float] = {}
        self.waiting: list[_Pending] = []
        self.again_at = math.inf

    def start_due(self, hooks: Iterable[Hook], run: Run, directory: str, environment: Mapping[str, str]) -> None:
        """Start the hooks for the final state of a run."""
        for hook in due(hooks, run.state):
            self.start_or_retry(_Pending(hook, run, directory, environment, steady_clock() + RETRY_FOR_S))

    def start_or_retry(self, one: _Pending) -> None:
        """Start a hook, or retry later if descriptors or processes are scarce; drop it if it cannot run at all."""
        try:
            self.start(one.hook, one.run, one.directory, one.environment)
        except OSError as error:
            if is_scarce(error) and steady_clock() < one.until:
                self.waiting.append(one)
                self.again_at = steady_clock() + RETRY_S

    def call(self, task: RunTask) -> None:
        """Start the hooks that the end of a run calls for."""
        from bgrun.store import record

        with suppress(BgrunError, OSError):
            at = RunPaths(workdir.now(task.host.recorded), task.plan.run_id)
            if run := record.read_run(at):
                works_in = task.moved(task.plan.facts.get("working_dir", "/"))
                self.start_due(task.plan.job.hooks, run, works_in, dict(task.plan.job.secrets))

    def advance(self) -> bool:
        """Kill and start what is due; return whether no hook runs or waits."""
        self.kill_late()
        self.start_waiting()
        return not (self.until or self.waiting)

    def start_waiting(self) -> None:
        """Retry the hooks that could not be started before."""
        if self.waiting and steady_clock() >= self.again_at:
            waiting, self.waiting = self.waiting, []
            for one in waiting:
                self.start_or_retry(one)

    def start(self, hook: Hook, run: Run, directory: str, environment: Mapping[str, str]) -> None:
        """Start a hook in a directory. Its output, or why it could not run, goes to a log of its own.

        Raises:
            OSError: the log or the process cannot be created.
        """
        argv = command(hook, run, programs.find)
        if not argv:
            return
        # Looked up here and not by execvpe(), which imports `warnings`.
        argv[0] = programs.find(argv[0]) or f"/bin/{argv[0]}"
        fd = _open_log(run)
        try:
            pid = os.fork()
        except OSError:
            os.close(fd)
            raise
        if pid == 0:
            _execute(argv, fd, directory, {**environment, **variables(run), MARK_DIR: os.path.dirname(run.meta)})
        os.close(fd)
        self.helpers.add(pid)
        self.until[pid] = steady_clock() + hook.timeout_s

    def ended(self, pid: int) -> None:
        """Remove a child that was reaped."""
        self.until.pop(pid, None)

    def kill_late(self) -> None:
        """Kill every hook whose timeout has expired, with its process group."""
        now = steady_clock()
        for pid, until in self.until.items():
            if now >= until:
                self.until[pid] = math.inf
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)

    @property
    def next_check_at(self) -> float:
        """When the next hook is killed or retried, on the steady clock; infinite if there is none."""
        soonest = min(self.until.values(), default=math.inf)
        if self.waiting:
            soonest = min(soonest, self.again_at)
        return soonest


def _open_log(run: Run) -> int:
    """Return a descriptor of the log of a run's hooks.

    Raises:
        OSError: it cannot be created.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(RunPaths(os.path.dirname(run.meta), run.run_id).hooks_log, flags, files.FILE_MODE)
    except FileNotFoundError:
        # The project was renamed a moment ago. We are in its log directory, whatever that is called by now.
        return os.open(RunPaths(HERE, run.run_id).hooks_log, flags, files.FILE_MODE)


def _execute(argv: list[str], log_fd: int, directory: str, environment: Mapping[str, str]) -> None:
    """In the child: execute the hook, which inherits nothing from the supervisor but its environment."""
    try:
        os.setsid()
        _reset(log_fd)
        os.chdir("/")
        with suppress(OSError):
            os.chdir(directory)
        with descriptors.callers_limit():
            os.execve(argv[0], argv, {**programs.job_environment(os.environ), **environment})
    except OSError as error:
        os.write(2, f"bgrun: cannot run the hook: {error.strerror}\n".encode())
    finally:
        os._exit(126)


def _reset(log_fd: int) -> None:
    """Redirect the standard streams to the log, with no input, and reset all signals to their defaults."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log_fd, 1), (log_fd, 2)):
        os.dup2(source, target)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
