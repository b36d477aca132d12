"""The processes of a run, wherever they went, and no others.

A process belongs to a run when it descends from its leader, shares the leader's session, carries
the run's mark in the environment it was started with, or writes to the run's log. A supervisor that
is a subreaper (prctl(2)) is the ancestor of all of them, so nobody else is ever a candidate. A
process with the mark of another run, and all below it, belongs to that one.
"""

from __future__ import annotations

import os
import time

from bgrun.lean import NamedTuple, signal
from bgrun.runs import process, signals
from bgrun.runs.layout import MARK_DIR, MARK_RUN
from bgrun.runs.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Marks = Callable[[int], str]
    Writes = Callable[[int], bool]

HOLD_S = 0.1
HOLD_LOOK_S = 0.0005


class Claim(NamedTuple):
    """What makes a process part of a run.

    `leader` is 0 where the leader is gone and its pid proves nothing any more. `ancestor` is the
    supervisor where it is a subreaper, else 0; `whole` says that all its descendants are this run's.
    Without `marked` its processes were started without a mark of their own: `mark` is then that of its leader,
    another run's perhaps, and makes nobody a part of it.
    """

    mark: str
    log: str
    leader: int
    ancestor: int = 0
    whole: bool = False
    not_these: frozenset[int] = frozenset()
    marked: bool = True


def mark_of(log_dir: str, run_id: str) -> str:
    """Return the mark that the processes of a run carry in their environment."""
    return f"{run_id}\n{log_dir}"


def read_mark(pid: int) -> str:
    """Return the mark of the run that a process was started in, or ''."""
    environment = process.environment_of(pid)
    run_id = environment.get(MARK_RUN)
    return mark_of(environment.get(MARK_DIR, ""), run_id) if run_id else ""


def members(claim: Claim, table: Mapping[int, Process], marks: Marks, writes: Writes) -> list[Process]:
    """Return the living processes of a run; pure, but for what `marks` and `writes` look up."""
    children = _children(table)
    candidates = _below(claim.ancestor, children) if claim.ancestor else list(table)
    own = {pid for pid in candidates if _is_root(claim, table[pid], marks, writes)}
    own.update(below for pid in list(own) for below in _below(pid, children))
    foreign = {pid for pid in own if pid != claim.leader and marks(pid) not in ("", claim.mark)}
    foreign |= claim.not_these
    foreign.update(below for pid in list(foreign) for below in _below(pid, children))
    spared = foreign | {claim.ancestor}
    return [table[pid] for pid in sorted(own - spared) if not table[pid].zombie]


def _is_root(claim: Claim, one: Process, marks: Marks, writes: Writes) -> bool:
    if claim.whole or (claim.leader and claim.leader in (one.pid, one.sid, one.pgid)):
        return True
    found = marks(one.pid)
    if not claim.marked:
        return found in ("", claim.mark) and writes(one.pid)
    return found == claim.mark or (not found and writes(one.pid))


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
    """All processes at one moment, and the mark of each that is asked for: one look serves many runs."""

    def __init__(self) -> None:
        self.table = process.snapshot()
        self._marks: dict[int, str] = {}

    def mark(self, pid: int) -> str:
        """Return the mark of the run that a process was started in, or ''."""
        if pid not in self._marks:
            self._marks[pid] = read_mark(pid)
        return self._marks[pid]


def find(claim: Claim, view: View | None = None) -> list[Process]:
    """Return the living processes of a run as they are now, or as they were at a moment."""
    seen = view or View()
    return members(claim, seen.table, seen.mark, lambda pid: process.has_open(pid, claim.log))


def send(targets: Iterable[Process], signal_name: str) -> list[Process]:
    """Send a signal to each process that is still the one in the snapshot; return those it reached."""
    number = signals.number_of(signal_name)
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
