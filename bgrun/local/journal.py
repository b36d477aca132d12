"""What the supervisor writes down: how runs end, and the schedule of a group."""

from __future__ import annotations

import os
import time

from bgrun.errors import BgrunError, LaunchError
from bgrun.light import NamedTuple, suppress
from bgrun.local.event_loop import out_of_reach
from bgrun.store import meta, state
from bgrun.store.paths import RunPaths
from bgrun.system import clock, files, lock, process
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.local.manifest import GroupPlan
    from bgrun.model import State
    from bgrun.store.state import Verdict


EXIT_RESERVE = len(b"0\n")
META_RESERVE = 1024
MOST_LEFT = 24
"""Bytes kept on disk for the exit code, and for what the end adds to the meta (see `files.reserve`).

A longer code has room in the block of the shortest one, which is not longer than any.
"""


class Child(NamedTuple):
    """A launched job: its pid, the descriptor that holds its lock, and the text of its meta so far."""

    pid: int
    lock_fd: int
    known: bytes


class Exit(NamedTuple):
    """How a leader ended, as wait4(2) tells it; `code` is 128 + n where signal n ended it.

    `used` is the largest resident set of the job script or a command it waited for, in KiB, and its seconds of
    processor time, the user's and the system's; None where that is not known.
    """

    code: int
    killed: bool
    at: float
    duration_s: float
    used: tuple[int, float, float] | None

    @classmethod
    def of(cls, status: int, usage: resource.struct_rusage | None, duration_s: float) -> Exit:
        """Return the end that a wait status and its resource usage tell of."""
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


def claim_lock(at: RunPaths) -> int:
    """Make the pid file, locked, empty and still hidden, and return its descriptor.

    Raises:
        OSError: it cannot be made.
    """
    fd = files.create(at.hidden("pid"))
    try:
        lock.hold(fd)
        return out_of_reach(fd)
    except OSError:
        os.close(fd)
        raise


def claim_files(at: RunPaths, facts: Mapping[str, str], opened: list[int], locked: int = -1) -> tuple[int, int]:
    """Make the log and the locked, still hidden pid file, and take room on disk for the last words.

    Descriptors are added to `opened` as they are made, for the caller to close if this fails; the two
    that are returned are those of the log and of the lock. `locked` is that of the lock where it is
    held already.

    Raises:
        OSError: one of the files cannot be made.
    """
    opened.append(files.create(at.log, os.O_WRONLY | os.O_APPEND))
    opened.append(claim_lock(at) if locked < 0 else locked)
    files.reserve(at.hidden("exit"), EXIT_RESERVE)
    files.reserve(at.hidden("meta"), len(meta.pack(facts)) + META_RESERVE)
    return opened[0], opened[1]


def publish(at: RunPaths, pid: int, known: bytes, lock_fd: int) -> None:
    """Bring the record of a process into view: first its pid, locked, then the meta.

    Raises:
        OSError: it cannot be written.
    """
    files.write_all(lock_fd, b"%d\n" % pid)
    os.rename(at.hidden("pid"), at.pid)
    files.replace(at.meta, at.hidden("meta.new"), known)


def is_anothers(at: RunPaths, mine: Mapping[str, str]) -> bool:
    """Return whether the record in view was made by another supervisor than the one that these facts tell of.

    Where the log folder was emptied while a run went on, a newer one may have its ID: what is there is that one's.
    """
    with suppress(BgrunError):
        found = meta.unpack(files.read(at.meta, meta.MOST) or b"")
        return any(found.get(key, value) != value for key, value in mine.items())
    return False


def write_exit(at: RunPaths, code: int) -> None:
    """Write the exit code, over what the job script has written: the supervisor saw it itself."""
    with suppress(OSError):
        files.commit(at.exit, at.hidden("exit"), f"{code}\n".encode())


def command_is_over(at: RunPaths) -> bool:
    """Return whether the job script is past its command, and only writes down how that ended."""
    from bgrun.store import record  # a supervisor asleep has not loaded it

    with suppress(BgrunError):
        return record.seen_exit(at) is not None
    return False


def attempts(at: RunPaths) -> dict[str, str]:
    """Return the line of the meta that tells how often a command with `retry` was tried; none without."""
    from bgrun.store import record  # a supervisor asleep has not loaded it

    if not (tried := record.read_attempts(at)):
        return {}
    files.remove(at.hidden("attempt"))
    return {"attempts": str(tried)}


def stop_requested(at: RunPaths) -> str:
    """Return why a run is wanted to stop, or ''; something odd in place of the request is none."""
    if not os.path.lexists(at.stop):
        return ""
    from bgrun.store import record  # a supervisor asleep has not loaded it

    try:
        request = record.read_stop(at)
    except BgrunError:
        return ""
    return request.reason if request else ""


def stop_is_urgent(at: RunPaths) -> bool:
    """Return whether a run is wanted to stop without a grace period."""
    from bgrun.store import record  # a supervisor asleep has not loaded it

    try:
        request = record.read_stop(at)
    except BgrunError:
        return False
    return bool(request and request.now)


def close(at: RunPaths, child: Child, seen: Exit, verdict: Verdict, more: dict[str, str]) -> None:
    """Write the last words on a run and let go of its lock, in this order."""
    words = meta.pack({**seen.facts(), **verdict_facts(verdict), **more})
    try:
        files.commit(at.meta, at.hidden("meta"), child.known + words)
        files.remove(at.stop)
    except OSError:
        files.remove(at.hidden("meta"))  # the exit code tells then, and the request that was carried out
    if not os.path.lexists(at.pid):
        with suppress(OSError):
            files.replace(at.pid, at.hidden("pid"), b"%d\n" % child.pid)
    os.close(child.lock_fd)


def freshen(at: RunPaths, known: bytes, old: float) -> None:
    """Give what a live run has on disk the time of now where it is older than that, in seconds since the epoch.

    Never its log, whose time tells of silence. A meta that was removed all the same is written again from
    what is `known` of it.
    """
    if known and not os.path.lexists(at.meta):
        with suppress(OSError):
            files.replace(at.meta, at.hidden("meta.new"), known)
    for path in (at.meta, at.pid, at.script, *(path for path in at.all_hidden if path != at.stop)):
        with suppress(OSError):
            if os.lstat(path).st_mtime < old:
                os.utime(path, follow_symlinks=False)


def left_running(processes: Sequence[process.Process]) -> dict[str, str]:
    """Return the line of the meta that names the processes a run left running: pid:start, as many as have room."""
    named = [f"{one.pid}:{one.start}" for one in processes[:MOST_LEFT]]
    return {"left_running": " ".join(named)} if named else {}


def close_unstarted(at: RunPaths, facts: dict[str, str], final: State, why: str) -> None:
    """Write the last words on a run that never ran: it has no exit code."""
    words = {**facts, "ended_at": clock.iso(time.time()), "state": final, "reason": why}
    words.pop("waiting", None)
    with suppress(OSError):
        files.replace(at.meta, at.hidden("meta.new"), meta.pack(words))
    for path in (at.stop, at.hidden("pid")):
        files.remove(path)


def close_orphan(at: RunPaths, facts: Mapping[str, str], verdict: Verdict) -> None:
    """Write the last words on a run that was stopped after its supervisor had died."""
    from bgrun.store import record  # a supervisor asleep has not loaded it

    words = {"ended_at": clock.iso(time.time()), **verdict_facts(verdict)}
    known = meta.pack(facts)
    if record.is_foreign(facts):
        # What an older script wrote is not escaped as ours is: its lines stay as they are. When it began is told
        # by the time of this file alone, which is lost here.
        known = files.read(at.meta, record.MOST_META) or b""
        words = {"started_at": facts.get("started_at", ""), **words}
    with files.storage(at.meta, "write"):
        files.commit(at.meta, at.hidden("meta"), known + meta.pack(words))


def enqueue(at: RunPaths, facts: dict[str, str], waits_for: str = "") -> None:
    """Make the record of a run that waits for its turn in a plan, and perhaps for something else.

    Raises:
        LaunchError: the record cannot be kept.
    """
    known = {**facts, **({"waiting": waits_for} if waits_for else {})}
    try:
        files.replace(at.meta, at.hidden("meta.new"), meta.pack(known))
    except OSError as error:
        raise LaunchError(f"cannot write {at.meta}: {error.strerror}") from error


def enqueue_locked(at: RunPaths, facts: dict[str, str], waits_for: str) -> int:
    """Make the record of a run that waits on its own, and return the descriptor that holds its lock.

    Raises:
        LaunchError: the record cannot be kept.
    """
    try:
        fd = claim_lock(at)
    except OSError as error:
        raise LaunchError(f"cannot lock {at.pid}: {error.strerror}") from error
    enqueue(at, facts, waits_for)
    return fd


def note_fault(log_dir: str, error: BaseException) -> None:
    """Keep where a fault of bgrun's own happened, which nobody is there to see.

    Written here, since `traceback` may be gone by then, and reads sources that may have been replaced.
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


def verdict_facts(verdict: Verdict) -> dict[str, str]:
    """Return the lines of the meta that hold a verdict; absent values have no line."""
    named = {
        "state": verdict.state,
        "exit_code": "" if verdict.exit_code is None else str(verdict.exit_code),
        "signal": verdict.signal or "",
        "reason": verdict.reason or "",
    }
    return {key: value for key, value in named.items() if value}


class GroupJournal:
    """The group's own run: its log tells the schedule, its exit is the verdict on all."""

    def __init__(self, log_dir: str, plan: GroupPlan, recorded: str) -> None:
        self.recorded = recorded
        self.at = RunPaths(log_dir, plan.run_id)
        self.facts = dict(plan.facts)
        self.log_fd = -1
        self.lock_fd = -1
        self.began = 0.0

    def open(self, members: Iterable[str]) -> None:
        """Make the group's record; from then on the lock says that somebody minds the plan.

        Raises:
            LaunchError: the record cannot be kept.
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
            self.log_fd, self.lock_fd = claim_files(self.at, self.facts, [])
            publish(self.at, me, meta.pack(self.facts), self.lock_fd)
        except OSError as error:
            raise LaunchError(f"cannot keep a record of {self.at.run_id}: {error.strerror}") from error

    def tell(self, event: str) -> None:
        """Add a line to the log of the schedule."""
        with suppress(OSError):
            files.write_all(self.log_fd, f"{clock.iso(time.time())} {event}\n".encode("utf-8", "replace"))

    def stop_requested(self) -> str:
        """Return why the whole group is to stop, or ''."""
        return stop_requested(self.at)

    def note_stop(self) -> None:
        """Record that the whole group is to stop."""
        from bgrun.store import record  # a supervisor asleep has not loaded it

        with suppress(OSError):
            record.write_stop(self.at, "stop", signalled=True)

    def close(self, states: Iterable[State]) -> None:
        """Write the verdict on the group, from the states of all that was to run, and let go of its lock."""
        verdict = state.group_verdict(states)
        if self.stop_requested() and verdict.state != "succeeded":
            verdict = verdict._replace(state="stopped")
        self.tell(f"{verdict.state}{f': {verdict.reason}' if verdict.reason else ''}")
        words = {
            **self.facts,
            "ended_at": clock.iso(time.time()),
            "duration_s": f"{steady_clock() - self.began:.3f}",
            **verdict_facts(verdict),
        }
        if not is_anothers(self.at, {key: self.facts[key] for key in ("supervisor_pid", "supervisor_start")}):
            self._write_end(verdict, words)
        os.close(self.lock_fd)

    def _write_end(self, verdict: Verdict, words: dict[str, str]) -> None:
        if verdict.exit_code is None:
            files.remove(self.at.hidden("exit"))
        else:
            write_exit(self.at, verdict.exit_code)
        with suppress(OSError):
            files.commit(self.at.meta, self.at.hidden("meta"), meta.pack(words))
        files.remove(self.at.stop)
