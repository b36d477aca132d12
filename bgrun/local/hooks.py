"""What is done once a run has ended: commands of the user and notifications. They change no verdict.

A hook is started only when the verdict is written and nothing of the run is left. It runs in a
session of its own, is killed with all of it when its time is up, and writes to a log of its own.
"""

from __future__ import annotations

import math
import os

from bgrun.errors import SCARCE
from bgrun.light import NamedTuple, signal, suppress
from bgrun.local import event_loop
from bgrun.store.paths import MARK_DIR, RunPaths
from bgrun.system import files, programs
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bgrun.model import Hook, Run

PATIENCE_S, AGAIN_S = 60.0, 0.5
"""How long it is tried to start a hook for which there is no process or descriptor, and how often."""
_FAILURES = ("failed", "timed_out")
# `-p`: as for job scripts, neither BASH_ENV nor functions of the caller have a say.
_SHELL = ("bash", "-p", "-eo", "pipefail", "-c")


def due(hooks: Iterable[Hook], state: str) -> list[Hook]:
    """Return the hooks that the end of a run calls for; pure."""
    called = {"finish"}
    if state == "succeeded":
        called.add("success")
    if state in _FAILURES:
        called.add("failure")
    return [hook for hook in hooks if hook.when in called]


def command(hook: Hook, run: Run, find: Callable[[str], str | None]) -> list[str]:
    """Return the words of a hook; none for a notification that the system offers no program for; pure."""
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
    """Return the `BGRUN_*` variables that tell a hook of the run; absent values are empty; pure."""
    told = {
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
    return {f"BGRUN_{key}": "" if value is None else str(value) for key, value in told.items()}


class _Due(NamedTuple):
    """A hook that is to be started, until then at the latest, on the steady clock."""

    hook: Hook
    run: Run
    folder: str
    environment: Mapping[str, str]
    until: float


class Hooks:
    """The hooks that run now, by pid, each with the time at which it is killed."""

    def __init__(self, helpers: set[int]) -> None:
        self.helpers = helpers
        self.until: dict[int, float] = {}
        self.waiting: list[_Due] = []
        self.again_at = math.inf

    def start_due(self, hooks: Iterable[Hook], run: Run, folder: str, environment: Mapping[str, str]) -> None:
        """Start those of the hooks that the end of a run calls for; for which there is no process now, in a while."""
        for hook in due(hooks, run.state):
            self.start_or_wait(_Due(hook, run, folder, environment, steady_clock() + PATIENCE_S))

    def start_or_wait(self, one: _Due) -> None:
        """Start a hook, or note it for later where descriptors or processes ran out; where it cannot run it is not."""
        try:
            self.start(one.hook, one.run, one.folder, one.environment)
        except OSError as error:
            if error.errno in SCARCE and steady_clock() < one.until:
                self.waiting.append(one)
                self.again_at = steady_clock() + AGAIN_S

    def start_waiting(self) -> None:
        """Start the hooks that could not be started before."""
        if self.waiting and steady_clock() >= self.again_at:
            waiting, self.waiting = self.waiting, []
            for one in waiting:
                self.start_or_wait(one)

    def start(self, hook: Hook, run: Run, folder: str, environment: Mapping[str, str]) -> None:
        """Start a hook in a folder; what it writes, and why it could not run, goes to a log of its own.

        Raises:
            OSError: there can be no such log, or no process.
        """
        words = command(hook, run, programs.find)
        if not words:
            return
        # Looked up here and not by execvpe(), which imports `warnings`.
        words[0] = programs.find(words[0]) or f"/bin/{words[0]}"
        log = RunPaths(os.path.dirname(run.meta), run.run_id).hooks_log
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, files.FILE_MODE)
        try:
            pid = os.fork()
        except OSError:
            os.close(fd)
            raise
        if pid == 0:
            _become(words, fd, folder, {**environment, **variables(run), MARK_DIR: os.path.dirname(run.meta)})
        os.close(fd)
        self.helpers.add(pid)
        self.until[pid] = steady_clock() + hook.timeout_s

    def ended(self, pid: int) -> None:
        """Forget a child that was reaped."""
        self.until.pop(pid, None)

    def kill_late(self) -> None:
        """Kill every hook whose time is up, and all of its session's group."""
        now = steady_clock()
        for pid, until in self.until.items():
            if now >= until:
                self.until[pid] = math.inf
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)

    @property
    def next_look_at(self) -> float | None:
        """When the next one has to be killed, on the steady clock; None while no hook runs."""
        soonest = min(self.until.values(), default=math.inf)
        if self.waiting:
            soonest = min(soonest, self.again_at)
        return None if soonest == math.inf else soonest


def _become(words: list[str], log_fd: int, folder: str, environment: Mapping[str, str]) -> None:
    """In the child: become the hook, with nothing of the supervisor's but its environment."""
    try:
        os.setsid()
        _plain_surroundings(log_fd)
        os.chdir("/")
        with suppress(OSError):
            os.chdir(folder)
        with event_loop.callers_limit():
            os.execve(words[0], words, {**programs.job_environment(os.environ), **environment})
    except OSError as error:
        os.write(2, f"bgrun: cannot run the hook: {error.strerror}\n".encode())
    finally:
        os._exit(126)


def _plain_surroundings(log_fd: int) -> None:
    """Leave nothing of ours on the hook: its log as stdout and stderr, no stdin, signals as at boot."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log_fd, 1), (log_fd, 2)):
        os.dup2(source, target)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
