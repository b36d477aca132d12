"""The processes of a run, wherever they went, and no others.

A process belongs to a run when it descends from its leader, shares the leader's session, carries
the run's mark in the environment it was started with, or writes to the run's log. A supervisor that
is a subreaper (prctl(2)) is the ancestor of all of them, so nobody else is ever a candidate. A
process with the mark of another run, and all below it, belongs to that one.
"""

from __future__ import annotations

import os
import time

from bgrun.light import NamedTuple, signal
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import process
from bgrun.system.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Marks = Callable[[int], str]
    Writes = Callable[[int], bool]
    Meet = Callable[[Sequence[Process]], object]

HOLD_S = 0.1
HOLD_LOOK_S = 0.0005


class Ownership(NamedTuple):
    """What makes a process part of a run.

    `leader` is the pid of the job script, or 0 where that proves nothing any more. Once the script was
    `reaped` its pid may be somebody else's, but not as long as it is the session or group of a living process
    (XNU's and Linux's allocation of pids): whoever has it as that, and began after the script, is the run's,
    unless a process has that very pid again. `since` is the start of the script, '' where it is unknown: who
    began before it is no part of the run for having its log open. `ancestor` is the supervisor where it is a
    subreaper, else 0; `whole` says that all its descendants are this run's.
    Without `marked` its processes were started without a mark of their own: `mark` is then that of its leader,
    another run's perhaps, and makes nobody a part of it. `known` are processes that were recorded as its own.
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
        """The pid of the job script while that is certainly its own, else 0."""
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

    `mine` has the log folder as the job was given it. The folder may be known by another path as well (a
    symlink, a bind mount, a firmlink): then it is recognized by device and inode.
    """
    if found == mine:
        return True
    run_id, _, folder = found.partition("\n")
    if not folder or run_id != mine.partition("\n")[0]:
        return False
    try:
        return os.path.samefile(folder, log_dir)
    except OSError:
        return False


def members(claim: Ownership, table: Mapping[int, Process], marks: Marks, writes: Writes) -> list[Process]:
    """Return the living processes of a run; pure, but for what `marks` and `writes` look up."""
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
    """Return whether somebody else has the pid of a job script that was reaped."""
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


MOST_ROUNDS = 100
"""How often one view is brought up to date: on a machine where processes are born all the time there is no last one."""


class View:
    """All processes at one moment, and the mark of each that is asked for: one look serves many runs.

    A process that forks and ends can slip through a look: it is gone when its turn comes, its child was not
    there yet when the look began. So a view is brought up to date until it has all that live (`renew`): what
    lives then, and was looked at before, was looked at alive.
    """

    def __init__(self) -> None:
        self.table: dict[int, Process] = {}
        self.alive: set[int] = set()
        self._marks: dict[int, str] = {}
        self.new: list[Process] = []
        self._rounds = 0
        self.renew()

    def renew(self) -> bool:
        """Look at all processes that are new since the last look, the newest first; return whether any was."""
        if self._rounds >= MOST_ROUNDS:
            return False
        self._rounds += 1
        pids = process.pids()
        self.alive = set(pids)
        unseen = [pid for pid in pids if pid not in self.table]
        self.new = [found for pid in unseen if (found := process.look(pid))]
        self.table.update((one.pid, one) for one in self.new)
        return bool(unseen)

    def mark(self, pid: int) -> str:
        """Return the mark of the run that a process was started in, or ''."""
        if pid not in self._marks:
            self._marks[pid] = read_mark(pid)
        return self._marks[pid]


def find(claim: Ownership, view: View | None = None, meet: Meet | None = None) -> list[Process]:
    """Return the living processes of a run.

    `meet` is called with what was found so far, at once, and again with each that comes: to hold it still
    before it forks again.
    """
    seen = view or View()
    log, folder = process.open_file(claim.log), os.path.dirname(claim.log)

    writers: dict[int, bool] = {}

    def mark(pid: int) -> str:
        found = seen.mark(pid)
        return claim.mark if found and is_same_mark(found, claim.mark, folder) else found

    def writes(pid: int) -> bool:
        if pid not in writers:
            writers[pid] = process.writes_to(pid, log)
        return writers[pid]

    while True:
        found = members(claim, seen.table, mark, writes)
        if not (_chase(found, claim, seen, mark, meet) if meet else seen.renew()):
            return [one for one in found if one.pid in seen.alive]


def _chase(found: Sequence[Process], claim: Ownership, view: View, mark: Marks, meet: Meet) -> bool:
    """Meet the members of a run and what they fork meanwhile, as fast as can be; return whether any was forked."""
    own = {one.pid for one in found}
    meet(found)
    before = len(own)
    while view.renew():
        for one in view.new:
            marked = mark(one.pid)
            if (claim.marked and marked == claim.mark) or (marked in ("", claim.mark) and one.ppid in own):
                own.add(one.pid)
                meet([one])
    return len(own) > before


def send(targets: Iterable[Process], signal_name: str) -> list[Process]:
    """Send a signal to each process that is still the one in the snapshot; return those it reached."""
    number = process.number_of(signal_name)
    return [one for one in targets if _send_one(one, number)]


def ask(targets: Iterable[Process], signal_name: str) -> list[Process]:
    """Send a signal that asks to end, and return those that lived when it reached them.

    A process can be on its way out already, and takes a signal without a word. So each is held still
    first (SIGSTOP): what then stands still lives, and meets the signal before it does anything else.
    """
    held = _hold(targets)
    reached = send(held, signal_name)
    send(held, "SIGCONT")
    return reached


def _hold(targets: Iterable[Process]) -> list[Process]:
    """Stop processes and return those that have not ended; one that is deep in the kernel counts as alive."""
    pending = send(targets, "SIGSTOP")
    held: list[Process] = []
    until = time.monotonic() + HOLD_S
    while pending:
        now = [(one, process.look(one.pid)) for one in pending]
        alive = [(one, seen) for one, seen in now if seen and seen.start == one.start and not seen.zombie]
        late = time.monotonic() >= until
        held += [one for one, seen in alive if seen.stopped or late]
        pending = [one for one, seen in alive if not seen.stopped and not late]
        if pending:
            time.sleep(HOLD_LOOK_S)
    return held


def _send_one(one: Process, number: int) -> bool:
    """Signal through a pidfd where there is one: between the look and the signal no pid can be reused."""
    try:
        if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
            return process.is_running(one.pid, one.start) and _kill(one.pid, number)
        fd = os.pidfd_open(one.pid)
    except OSError:
        return False
    try:
        if not process.is_running(one.pid, one.start):
            return False
        signal.pidfd_send_signal(fd, number)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _kill(pid: int, number: int) -> bool:
    os.kill(pid, number)
    return True
