"""Record runs: the files that a supervisor writes when a run is queued, starts and finishes.

The final meta is written before the lock is released, so that a reader that finds no lock finds the result.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import BgrunError, LaunchError
from bgrun.light import NamedTuple, suppress
from bgrun.local.supervision.descriptors import out_of_reach
from bgrun.store import meta
from bgrun.store.paths import RunPaths
from bgrun.system import clock, files, lock, process, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from collections.abc import Mapping, Sequence

    from bgrun.model import State
    from bgrun.store.state import Verdict
    from bgrun.system.changes import Change

EXIT_RESERVE = len(b"0\n")
META_RESERVE = 1024
MOST_LEFT = 24
"""Bytes preallocated for the exit code and for what is added to the meta at the end (see `files.reserve`), and how
many processes left running are recorded. A longer exit code has room in the block of the shortest one.
"""


class Child(NamedTuple):
    """A launched job: its PID, the descriptor that holds its lock, and the text of its meta so far."""

    pid: int
    lock_fd: int
    known: bytes


class Exit(NamedTuple):
    """How a job script exited, as wait4(2) reports it.

    code: the exit code, or 128 + n if signal n killed it.
    used: the largest resident set of the script or a command it waited for, in KiB, and the user and system CPU time
        in seconds; None if unknown.
    """

    code: int
    killed: bool
    at: float
    duration_s: float
    used: tuple[int, float, float] | None

    @classmethod
    def of(cls, status: int, usage: resource.struct_rusage | None, duration_s: float) -> Exit:
        """Return the exit that a wait status and its resource usage describe."""
        code = os.waitstatus_to_exitcode(status)
        shown = 128 - code if code < 0 else code
        return cls(shown, code < 0, time.time(), duration_s, _used(usage) if usage else None)

    def facts(self) -> dict[str, str]:
        """Return its lines of the meta."""
        known = {"ended_at": clock.iso(self.at), "duration_s": f"{self.duration_s:.3f}"}
        if not self.used:
            return known
        rss_kb, user_s, sys_s = self.used
        return {**known, "max_rss_kb": str(rss_kb), "user_s": f"{user_s:.3f}", "sys_s": f"{sys_s:.3f}"}


def _used(usage: resource.struct_rusage) -> tuple[int, float, float]:
    # macOS gives bytes where Linux gives KiB (getrusage(2)).
    rss = usage.ru_maxrss if process.LINUX else usage.ru_maxrss // 1024
    return rss, usage.ru_utime, usage.ru_stime


def _change(at: RunPaths) -> Change:
    """Return the context in which files of a run are created, renamed or deleted."""
    from bgrun.system.changes import Change  # not loaded in a sleeping supervisor

    return Change(at.log_dir, at.run_id)


def claim_lock(at: RunPaths) -> int:
    """Create the pid file, locked, empty and still hidden, and return its descriptor.

    Raises:
        OSError: it cannot be created.
    """
    fd = files.create(at.hidden("pid"))
    try:
        lock.hold(fd)
        return out_of_reach(fd)
    except OSError:
        os.close(fd)
        raise


def open_log(at: RunPaths) -> int:
    """Create the log of a run and return its descriptor.

    Raises:
        OSError: it cannot be created.
    """
    return files.create(at.log, os.O_WRONLY | os.O_APPEND)


def claim_files(at: RunPaths, facts: Mapping[str, str], opened: list[int], locked: int = -1) -> int:
    """Create the locked, still hidden pid file, and preallocate space for the result.

    Returns the descriptor of the lock, which is added to `opened` at once, so that the caller can close it if this
    fails. `locked` is the descriptor of the lock if it is held already.

    Raises:
        OSError: one of the files cannot be created.
    """
    opened.append(claim_lock(at) if locked < 0 else locked)
    files.reserve(at.hidden("exit"), EXIT_RESERVE)
    files.reserve(at.hidden("meta"), len(meta.pack(facts)) + META_RESERVE)
    return opened[-1]


def publish(at: RunPaths, pid: int, known: bytes, lock_fd: int) -> None:
    """Publish the record of a process: first its locked pid file, then the meta.

    Raises:
        OSError: it cannot be written.
    """
    files.write_all(lock_fd, b"%d\n" % pid)
    os.rename(at.hidden("pid"), at.pid)
    files.replace_recent(at.meta, at.hidden("meta.new"), known)


def is_anothers(at: RunPaths, mine: Mapping[str, str]) -> bool:
    """Return whether the published record belongs to another supervisor than the one in these facts.

    If the log directory was emptied while a run was active, a newer run may have got the same run ID.
    """
    with suppress(BgrunError):
        found = meta.unpack(reading.read(at.meta, meta.MOST) or b"")
        return any(found.get(key, value) != value for key, value in mine.items())
    return False


def write_exit(at: RunPaths, code: int) -> None:
    """Write the exit code over the one that the job script recorded: the supervisor has reaped the script."""
    with suppress(OSError), _change(at):
        files.commit(at.exit, at.hidden("exit"), f"{code}\n".encode())


def command_is_over(at: RunPaths) -> bool:
    """Return whether the command has exited and the job script is only recording its exit code."""
    from bgrun.store import record  # not loaded in a sleeping supervisor

    with suppress(BgrunError):
        return record.seen_exit(at) is not None
    return False


def attempts(at: RunPaths) -> dict[str, str]:
    """Return the meta line with the number of attempts of a command with `retry`; nothing without `retry`."""
    from bgrun.store import retry  # not loaded in a sleeping supervisor

    if not (tried := retry.read_attempts(at)):
        return {}
    with _change(at):
        files.remove(at.hidden("attempt"))
    return {"attempts": str(tried)}


def stop_requested(at: RunPaths) -> str:
    """Return why a run is to stop, or ''. Anything in place of the request that is no regular file is ignored."""
    if not os.path.lexists(at.stop):
        return ""
    from bgrun.store import stop_request  # not loaded in a sleeping supervisor

    try:
        request = stop_request.read_stop(at)
    except BgrunError:
        return ""
    return request.reason if request else ""


def stop_is_urgent(at: RunPaths) -> bool:
    """Return whether a run is to stop without a grace period."""
    from bgrun.store import stop_request  # not loaded in a sleeping supervisor

    try:
        request = stop_request.read_stop(at)
    except BgrunError:
        return False
    return bool(request and request.now)


def close(at: RunPaths, child: Child, seen: Exit, verdict: Verdict, more: dict[str, str]) -> None:
    """Record the result of a run and release its lock, in this order."""
    final = meta.pack({**seen.facts(), **verdict.facts(), **more})
    with _change(at):
        try:
            files.commit(at.meta, at.hidden("meta"), child.known + final)
            files.remove(at.stop)
        except OSError:
            files.remove(at.hidden("meta"))  # readers then derive it from the exit code and the stop request
        if not os.path.lexists(at.pid):
            with suppress(OSError):
                files.replace(at.pid, at.hidden("pid"), b"%d\n" % child.pid)
    os.close(child.lock_fd)


def freshen(at: RunPaths, known: bytes, old: float) -> None:
    """Update the modification time of the files of an active run that are older than `old`, in epoch seconds.

    Never that of the log, which shows how long the job has been silent. A meta that was removed is written again
    from what is `known` of it.
    """
    if known and not os.path.lexists(at.meta):
        with suppress(OSError), _change(at):
            files.replace(at.meta, at.hidden("meta.new"), known)
    for path in (at.meta, at.pid, at.script, *(path for path in at.all_hidden if path != at.stop)):
        with suppress(OSError):
            if os.lstat(path).st_mtime < old:
                os.utime(path, follow_symlinks=False)


def left_running(processes: Sequence[process.Process]) -> dict[str, str]:
    """Return the meta line with the processes that a run left running, as PID:START; at most `MOST_LEFT`."""
    named = [f"{one.pid}:{one.start}" for one in processes[:MOST_LEFT]]
    return {"left_running": " ".join(named)} if named else {}


def close_unstarted(at: RunPaths, facts: dict[str, str], final: State, why: str) -> None:
    """Record the result of a run that never started. It has no exit code."""
    final_facts = {**facts, "ended_at": clock.iso(time.time()), "state": final, "reason": why}
    final_facts.pop("waiting", None)
    with _change(at):
        with suppress(OSError):
            files.replace(at.meta, at.hidden("meta.new"), meta.pack(final_facts))
        for path in (at.stop, at.hidden("pid")):
            files.remove(path)


def close_orphan(at: RunPaths, facts: Mapping[str, str], verdict: Verdict) -> None:
    """Record the result of a run that was stopped after its supervisor had been killed."""
    from bgrun.store import record  # not loaded in a sleeping supervisor

    final = {"ended_at": clock.iso(time.time()), **verdict.facts()}
    known = meta.pack(facts)
    if record.is_foreign(facts):
        # What an older script wrote is not escaped as ours is: its lines stay as they are. Only the time of this
        # file shows when it started, and that time is lost here.
        known = reading.read(at.meta, record.MOST_META) or b""
        final = {"started_at": facts.get("started_at", ""), **final}
    with files.storage(at.meta, "write"), _change(at):
        files.commit(at.meta, at.hidden("meta"), known + meta.pack(final))


def enqueue(at: RunPaths, facts: dict[str, str], waits_for: str = "") -> None:
    """Create the record of a run that is queued in a plan; `waits_for` is its reason, shown to users.

    Raises:
        LaunchError: the record cannot be written.
    """
    known = {**facts, **({"waiting": waits_for} if waits_for else {})}
    try:
        with _change(at):
            files.replace(at.meta, at.hidden("meta.new"), meta.pack(known))
    except OSError as error:
        raise LaunchError(f"cannot write {at.meta}: {error.strerror}") from error


def enqueue_locked(at: RunPaths, facts: dict[str, str], waits_for: str) -> int:
    """Create the record of a queued run that is no part of a group, and return the descriptor that holds its lock.

    Raises:
        LaunchError: the record cannot be written.
    """
    try:
        with _change(at):
            fd = claim_lock(at)
    except OSError as error:
        raise LaunchError(f"cannot lock {at.pid}: {error.strerror}") from error
    enqueue(at, facts, waits_for)
    return fd


def note_fault(log_dir: str, error: BaseException) -> None:
    """Append the traceback of an internal error to `.supervisor.err`, since a supervisor has no terminal.

    Formatted here: the module `traceback` may be gone by then, and reads sources that may have been replaced.
    """
    lines = [clock.iso(time.time())]
    at = error.__traceback__
    while at:
        code = at.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {at.tb_lineno}, in {code.co_name}')
        at = at.tb_next
    lines.append(f"{type(error).__name__}: {error}\n\n")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        fd = os.open(f"{log_dir}/.supervisor.err", flags, files.FILE_MODE)
        try:
            files.write_all(fd, "\n".join(lines).encode("utf-8", "replace"))
        finally:
            os.close(fd)
