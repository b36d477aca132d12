"""Find the processes of a run, wherever they went, and no others.

A process belongs to a run if it descends from the job script, shares its session, carries the run's mark in its
environment, or writes to the run's log. If the supervisor is a subreaper (prctl(2)), only its descendants are
candidates. A process with the mark of another run belongs to that run, with all its descendants.
"""

from __future__ import annotations

import os

from bgrun.light import NamedTuple
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import process
from bgrun.system.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Marks = Callable[[int], str]
    Writes = Callable[[int], bool]
    OnFound = Callable[[Sequence[Process]], object]

MOST_ROUNDS = 100
"""How often one view is updated: where processes start all the time, none would be the last."""


class Ownership(NamedTuple):
    """What makes a process part of a run.

    mark: the value that the processes of the run carry in their environment.
    log: the path of the run's log.
    leader: the PID of the job script, or 0 where that proves nothing.
    ancestor: the PID of the supervisor if it is a subreaper, else 0.
    whole: all descendants of the ancestor belong to this run.
    not_these: PIDs that never belong to it.
    reaped: the script was reaped, so that another process may have its PID. Not while that number is the session
        or group of a living process, though (the PID allocation of Linux and XNU): a process in that session that
        began after the script is the run's, unless a process has that very PID again.
    since: the start time of the script, '' if unknown; a process that began earlier and has the log open is not
        the run's.
    marked: its processes were started with a mark of their own. Otherwise `mark` is that of the leader, which may
        be another run's, and proves nothing.
    known: processes that were recorded as the run's own.
    """

    mark: str
    log: str
    leader: int
    ancestor: int = 0
    whole: bool = False
    not_these: frozenset[int] = frozenset()
    reaped: bool = False
    since: str = ""
    marked: bool = True
    known: frozenset[tuple[int, str]] = frozenset()

    @property
    def script(self) -> int:
        """The PID of the job script while no other process can have it, else 0."""
        return 0 if self.reaped else self.leader


def mark_of(log_dir: str, run_id: str) -> str:
    """Return the mark that the processes of a run carry in their environment."""
    return f"{run_id}\n{log_dir}"


def read_mark(pid: int) -> str:
    """Return the mark of the run that a process was started in, or ''."""
    environment = process.environment_of(pid)
    run_id = environment.get(MARK_RUN)
    return mark_of(environment.get(MARK_DIR, ""), run_id) if run_id else ""


def is_same_mark(found: str, mine: str, log_dir: str) -> bool:
    """Return whether a mark is this run's.

    `mine` has the log directory as it was passed to the job. Another path to it (a symbolic link, a bind mount,
    a firmlink) is recognized by device and inode.
    """
    if found == mine:
        return True
    run_id, _, directory = found.partition("\n")
    if not directory or run_id != mine.partition("\n")[0]:
        return False
    try:
        return os.path.samefile(directory, log_dir)
    except OSError:
        return False


def members(claim: Ownership, table: Mapping[int, Process], marks: Marks, writes: Writes) -> list[Process]:
    """Return the living processes of a run. Pure, except for what `marks` and `writes` read."""
    if _is_taken(claim, table):
        claim = claim._replace(leader=0)
    children = _children(table)
    candidates = _below(claim.ancestor, children) if claim.ancestor else list(table)
    own = {pid for pid in candidates if _is_root(claim, table[pid], marks, writes)}
    own.update(below for pid in list(own) for below in _below(pid, children))
    foreign = {pid for pid in own if pid != claim.script and marks(pid) not in ("", claim.mark)}
    foreign |= claim.not_these
    foreign.update(below for pid in list(foreign) for below in _below(pid, children))
    spared = foreign | {claim.ancestor}
    return [table[pid] for pid in sorted(own - spared) if not table[pid].zombie]


def _is_root(claim: Ownership, one: Process, marks: Marks, writes: Writes) -> bool:
    if claim.whole or (claim.script and claim.script in (one.pid, one.sid, one.pgid)):
        return True
    found = marks(one.pid)
    if not claim.marked:
        return found in ("", claim.mark) and writes(one.pid)
    if one.key in claim.known and not found:
        return True
    if found or process.began_before(one.start, claim.since):
        return found == claim.mark
    return in_session(claim, one) or writes(one.pid)


def _is_taken(claim: Ownership, table: Mapping[int, Process]) -> bool:
    """Return whether another process has the PID of a job script that was reaped."""
    now = table.get(claim.leader)
    return claim.reaped and now is not None and now.start != claim.since


def in_session(claim: Ownership, one: Process) -> bool:
    """Return whether a process is in the session or group of a job script that was reaped."""
    return bool(claim.reaped and claim.leader) and one.pid != claim.leader and claim.leader in (one.sid, one.pgid)


def _children(table: Mapping[int, Process]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for one in table.values():
        children.setdefault(one.ppid, []).append(one.pid)
    return children


def _below(root: int, children: Mapping[int, list[int]]) -> list[int]:
    found: list[int] = []
    waiting = list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, ()))
    return found


class View:
    """All processes at one moment, with the marks that were read: one snapshot serves many runs.

    A single listing misses a process that is forked by another one which exits before it is read. A view is
    therefore updated (`renew`) until it has every living process.
    """

    def __init__(self) -> None:
        self.table: dict[int, Process] = {}
        self.alive: set[int] = set()
        self._marks: dict[int, str] = {}
        self.new: list[Process] = []
        self._rounds = 0
        self.renew()

    def renew(self) -> bool:
        """Add the processes that started since the last update, the newest first; return whether there were any."""
        if self._rounds >= MOST_ROUNDS:
            return False
        self._rounds += 1
        pids = process.pids()
        self.alive = set(pids)
        unseen = [pid for pid in pids if pid not in self.table]
        self.new = [found for pid in unseen if (found := process.read(pid))]
        self.table.update((one.pid, one) for one in self.new)
        return bool(unseen)

    def mark(self, pid: int) -> str:
        """Return the mark of the run that a process was started in, or ''."""
        if pid not in self._marks:
            self._marks[pid] = read_mark(pid)
        return self._marks[pid]


def find(claim: Ownership, view: View | None = None, on_found: OnFound | None = None) -> list[Process]:
    """Return the living processes of a run.

    `on_found` is called with the processes found so far, and again with each new one, so that the caller can
    suspend it before it forks.
    """
    seen = view or View()
    log, directory = process.open_file(claim.log), os.path.dirname(claim.log)

    writers: dict[int, bool] = {}

    def mark(pid: int) -> str:
        found = seen.mark(pid)
        return claim.mark if found and is_same_mark(found, claim.mark, directory) else found

    def writes(pid: int) -> bool:
        if pid not in writers:
            writers[pid] = process.writes_to(pid, log)
        return writers[pid]

    while True:
        found = members(claim, seen.table, mark, writes)
        if not (_chase(found, claim, seen, mark, on_found) if on_found else seen.renew()):
            return [one for one in found if one.pid in seen.alive]


def _chase(found: Sequence[Process], claim: Ownership, view: View, mark: Marks, on_found: OnFound) -> bool:
    """Pass on the processes of a run and, as fast as possible, what they fork; return whether any was forked."""
    own = {one.pid for one in found}
    on_found(found)
    before = len(own)
    while view.renew():
        for one in view.new:
            marked = mark(one.pid)
            if (claim.marked and marked == claim.mark) or (marked in ("", claim.mark) and one.ppid in own):
                own.add(one.pid)
                on_found([one])
    return len(own) > before
