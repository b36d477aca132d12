"""The admission queue of a plan, with real locks and real waiting processes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import signal
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import BusyError, LaunchError, ScarceError
from bgrun.local.concurrency import slots
from bgrun.local.concurrency.queue import AdmissionQueue
from bgrun.local.concurrency.slots import Owner, Slot
from bgrun.local.supervision import descriptors
from bgrun.plan import Concurrency, RenderedJob, RunPlan
from bgrun.system import lock
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[..., AdmissionQueue]

A, B, C, X, Y = (f"{name}_20260101_000000" for name in "abcxy")
WAITS = "waiting for concurrency group 'g' (limit 1)"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return the queues of plans in one project; what they hold is released at the end."""
    made: list[AdmissionQueue] = []

    def one(*run_ids: str, when_busy: str = "queue") -> AdmissionQueue:
        wanted = Concurrency("g", when_busy=when_busy)  # type: ignore[arg-type]
        plans = [
            RunPlan(run_id, RenderedJob("x", "", "", "", "/", inhibit_sleep=False, concurrency=wanted), {})
            for run_id in run_ids
        ]
        made.append(AdmissionQueue(str(tmp_path), str(tmp_path), plans, set()))
        return made[-1]

    yield one
    for queue in made:
        queue.tidy(())
        for pid in queue.helpers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def waiter(queue: AdmissionQueue) -> int:
    """Return the process that waits for a slot."""
    (one,) = queue.waiting.values()
    return one.pid


def exited(queue: AdmissionQueue, pid: int) -> None:
    """Pass on the exit of a waiting process, as the supervisor does."""
    _, status = os.waitpid(pid, 0)
    queue.helpers.discard(pid)
    queue.ended(pid, status)


def test_one_run_is_admitted_and_the_other_one_when_that_is_over(make: Make) -> None:
    first, second = make(A), make(B, C)
    assert first.admit(A) == ""
    assert first.slot_fd(A) >= 0
    assert second.admit(B) == WAITS
    assert list(second.held_back()) == [B, C], "of one plan a single run waits"
    first.tidy({A})
    assert first.slot_fd(A) >= 0, "it is still needed"
    first.tidy(())
    exited(second, waiter(second))
    assert second.slot_fd(B) >= 0
    assert second.admit(B) == ""
    assert list(second.held_back()) == []
    assert second.admit(C) == WAITS


def test_a_run_without_a_group_is_admitted(make: Make) -> None:
    queue = make(A)
    assert queue.admit("other_20260101_000000") == ""
    assert queue.slot_fd("other_20260101_000000") == -1
    assert not queue.holds_back("other_20260101_000000")


def test_a_run_whose_waiting_process_was_killed_is_queued_again(make: Make) -> None:
    first, second = make(A), make(B)
    first.admit(A)
    second.admit(B)
    os.kill(waiter(second), signal.SIGKILL)
    exited(second, waiter(second))
    assert not second.holds_back(B)
    assert second.admit(B) == WAITS


def test_a_run_whose_waiting_process_failed_is_not(make: Make) -> None:
    first, second = make(A), make(B)
    first.admit(A)
    second.admit(B)
    pid = waiter(second)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    second.helpers.discard(pid)
    second.ended(pid, 255 << 8)
    with pytest.raises(LaunchError, match="the waiting process failed"):
        second.admit(B)


def test_a_run_that_is_stopped_leaves_the_queue(make: Make, tmp_path: Path) -> None:
    first, second = make(A), make(B)
    first.admit(A)
    second.admit(B)
    pid = waiter(second)
    second.tidy(())
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert not list((tmp_path / ".concurrency/g").glob("ticket.*"))


def test_a_full_group_refuses_where_a_run_must_not_wait(make: Make) -> None:
    make(A).admit(A)
    with pytest.raises(BusyError, match="is full"):
        make(B, when_busy="reject").admit(B)


@pytest.fixture
def mutex(tmp_path: Path) -> Iterator[None]:
    """The mutex of the group, held."""
    folder = tmp_path / ".concurrency/g"
    folder.mkdir(parents=True)
    with (folder / "mutex").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("mutex")
def test_a_stuck_mutex_is_retried_and_then_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = make(A, B)
    assert "another process holds the lock" in queue.admit(A)
    assert queue.next_check_at < math.inf
    assert queue.holds_back(A)
    monkeypatch.setattr(slots, "MUTEX_S", 0.0)
    with pytest.raises(BusyError, match="another process holds the lock"):
        queue.admit(A)
    assert queue.next_check_at == math.inf


def test_its_files_look_used(make: Make, tmp_path: Path) -> None:
    first, second = make(A), make(B)
    first.admit(A)
    second.admit(B)
    files = [tmp_path / ".concurrency/g" / name for name in ("slot.1", "ticket.1")]
    for path in files:
        wait_until(path.exists, "it is there")
        os.utime(path, (0, 0))
    first.freshen()
    second.freshen()
    assert all(path.stat().st_mtime > 0 for path in files)


def queue_of(folder: Path, *run_ids: str) -> AdmissionQueue:
    """Return the queue of a plan whose runs have a concurrency group each, named as their label."""
    runs = [
        RunPlan(one, RenderedJob(one[0], "", "", "", "/", inhibit_sleep=False, concurrency=Concurrency(one[0])), {})
        for one in run_ids
    ]
    return AdmissionQueue(str(folder), str(folder), runs, set())


def test_a_run_whose_slot_cannot_be_kept_is_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = queue_of(tmp_path, X)
    before = os.listdir("/dev/fd")

    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as scarce:
        scarce.setattr(descriptors, "out_of_reach", refuse)
        with pytest.raises(ScarceError, match=r"cannot keep a slot of .*/x: Too many open files"):
            queue.admit(X)
    assert queue.slot_fd(X) == -1
    assert not lock.is_held(f"{tmp_path}/.concurrency/x/slot.1")
    assert len(os.listdir("/dev/fd")) == len(before)
    assert queue.admit(X) == "", "it may be tried again"
    assert lock.is_held(f"{tmp_path}/.concurrency/x/slot.1")
    queue.tidy(())
    assert not lock.is_held(f"{tmp_path}/.concurrency/x/slot.1")


def test_how_long_a_mutex_was_in_the_way_is_kept_for_the_runs_that_are_needed(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, X, Y)
    holders = []
    for label in "xy":
        slot = slots.take(slots.place_of(str(tmp_path), Concurrency(label)), Owner("z_1", ""), may_wait=False)
        assert isinstance(slot, Slot)
        slots.release(slot)
        holders.append(os.open(f"{tmp_path}/.concurrency/{label}/mutex", os.O_RDWR))
        lock.hold(holders[-1])
    try:
        assert "another process holds the lock" in queue.admit(X)
        assert "another process holds the lock" in queue.admit(Y)
        queue.tidy((X,))
        assert queue.held_back() == [X], "the other one is not needed any more"
    finally:
        for fd in holders:
            os.close(fd)
