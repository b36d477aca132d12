"""No descriptor is left open, and no fault escapes, on the ways that are seldom gone."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import StorageError
from bgrun.local.concurrency import slots
from bgrun.local.concurrency.queue import AdmissionQueue, Waiting
from bgrun.local.concurrency.slots import Owner, Place, Ticket
from bgrun.local.recording import journal
from bgrun.local.recording.group_journal import GroupJournal
from bgrun.local.supervision import log_limit
from bgrun.local.supervision.host import Host
from bgrun.local.supervision.machine import Machine
from bgrun.plan import GroupPlan
from bgrun.store import claim
from bgrun.store.paths import RunPaths
from bgrun.store.state import Verdict
from bgrun.store.store import Store
from bgrun.system import lock, process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def open_fds() -> set[str]:
    return {name for name in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{name}")}


@pytest.fixture
def all_closed() -> Callable[[], None]:
    """Return what checks that as much is open as before."""
    before = open_fds()
    return lambda: _same(before, open_fds())


def _same(before: set[str], now: set[str]) -> None:
    assert now == before


def reaped() -> int:
    """Return the pid of a child of ours that is no more."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


@pytest.mark.parametrize("held", [True, False])
def test_asking_for_a_lock(tmp_path: Path, all_closed: Callable[[], None], held: bool) -> None:
    path = tmp_path / "x.pid"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if held:
            fcntl.flock(fd, fcntl.LOCK_EX)
        for _ in range(3):
            assert lock.is_held(str(path)) == held
    finally:
        os.close(fd)
    all_closed()
    lock.wait_free(str(path))
    all_closed()


def test_a_wait_for_a_lock_that_is_broken_off(tmp_path: Path, all_closed: Callable[[], None]) -> None:
    path = tmp_path / "x.pid"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    try:
        with pytest.raises(TimeoutError):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            lock.wait_free(str(path))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(fd)
    all_closed()


def test_claiming_an_id(tmp_path: Path, all_closed: Callable[[], None]) -> None:
    (tmp_path / "jobs").mkdir()
    found = [str(run_id) for run_id in claim.claim_all(Store(str(tmp_path)), [("x", b"true"), ("x", b"false")])]
    all_closed()
    assert len(set(found)) == 2
    claim.give_up(Store(str(tmp_path)), found)
    assert not any((tmp_path / "jobs").iterdir())


def test_a_ticket_that_cannot_be_made(tmp_path: Path, all_closed: Callable[[], None]) -> None:
    folder = tmp_path / "g"
    (folder / "slot.2").mkdir(parents=True)
    with (folder / "ticket.1").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with pytest.raises(StorageError):
            slots.take(Place(str(folder), 2), Owner("x_1", str(tmp_path)), may_wait=True)
    all_closed()


def test_who_waited_may_be_gone_already(tmp_path: Path, all_closed: Callable[[], None]) -> None:
    queue = AdmissionQueue(str(tmp_path), str(tmp_path), (), set())
    path = tmp_path / "ticket.1"
    ticket = Ticket(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), str(path), (), ())
    queue.waiting["g"] = Waiting("x_1", ticket, reaped())
    queue.tidy(())
    assert queue.waiting == {}
    assert not path.exists()
    all_closed()


def test_what_kept_the_machine_awake_may_be_gone_already(tmp_path: Path) -> None:
    host = Host(str(tmp_path), Machine())
    host.helpers.add(pid := reaped())
    host.end_helper(pid)


def test_a_result_that_cannot_be_written(tmp_path: Path, all_closed: Callable[[], None]) -> None:
    """As on a full disk: the run is over all the same, and its lock falls."""
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    os.makedirs(f"{at.meta}/in the way")
    fd = journal.claim_lock(at)
    os.rename(at.hidden("pid"), at.pid)
    assert lock.is_held(at.pid)
    ended = journal.Exit(3, False, 0.0, 1.0, None)
    journal.close(at, journal.Child(1, fd, b"label=x\n"), ended, Verdict("failed", 3), {})
    assert not lock.is_held(at.pid)
    assert not os.path.lexists(at.hidden("meta"))
    all_closed()


def test_a_stop_of_a_group_that_cannot_be_noted(tmp_path: Path) -> None:
    group = GroupJournal(str(tmp_path), GroupPlan("g_20260101_000000", "g", {}), str(tmp_path))
    os.makedirs(f"{group.at.stop}/in the way")
    group.note_stop()
    assert group.stop_requested() == ""


def test_nothing_is_punched_off_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of fallocate(2) mean something else to another system: a log there is left as it is."""
    log = tmp_path / "x.log"
    log.write_bytes(b"x" * 300_000)
    monkeypatch.setattr(process, "LINUX", False)
    assert log_limit._fallocate() is None
    assert not log_limit.bound(str(log), 100_000)
    assert log.read_bytes() == b"x" * 300_000
    assert log_limit.bound(str(log), 1_000_000), "within its bound there is nothing to do"
