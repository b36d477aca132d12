"""Slots and tickets are locks on real files: who gets one, in which order, and what a killed holder leaves."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import BusyError
from bgrun.local.concurrency import slots
from bgrun.local.concurrency.slots import Owner, Place, Slot, StuckError, Ticket
from bgrun.plan import Concurrency
from bgrun.system import lock
from tests.conftest import TOP, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

A, B, C, D = (Owner(f"{name}_20260101_000000", "/logs") for name in "abcd")


@pytest.fixture
def take(tmp_path: Path) -> Iterator[Callable[..., Slot | Ticket]]:
    """Take a slot or a ticket of one group; all are released at the end."""
    taken: list[Slot | Ticket] = []

    def one(owner: Owner, limit: int = 1, *, may_wait: bool = True) -> Slot | Ticket:
        taken.append(slots.take(Place(f"{tmp_path}/.concurrency/g", limit), owner, may_wait=may_wait))
        return taken[-1]

    yield one
    for got in taken:
        fds = (got.fd, *got.slots) if isinstance(got, Ticket) else (got.fd,)
        for fd in fds:
            if is_open(fd):
                slots.release(Slot(fd))


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_as_many_runs_as_the_limit_get_a_slot_and_the_next_one_a_ticket(
    take: Callable[..., Slot | Ticket], tmp_path: Path
) -> None:
    assert isinstance(take(A, 2), Slot)
    assert isinstance(take(B, 2), Slot)
    ticket = take(C, 2)
    assert isinstance(ticket, Ticket)
    assert (os.path.basename(ticket.path), ticket.ahead, len(ticket.slots)) == ("ticket.1", (A, B), 2)
    assert (tmp_path / ".concurrency/g/slot.1").read_text() == f"{A.run_id}\n/logs\n"


def test_a_slot_that_is_released_goes_to_the_queue_and_not_to_a_newcomer(take: Callable[..., Slot | Ticket]) -> None:
    first, second = take(A), take(B)
    assert isinstance(first, Slot)
    assert isinstance(second, Ticket)
    slots.release(first)
    third = take(C)
    assert isinstance(third, Ticket)
    assert (os.path.basename(third.path), third.ahead) == ("ticket.2", (B,))
    assert slots.sleep_until_free(second) == 0
    assert isinstance(slots.claim(second, 0, B), Slot)
    assert not os.path.exists(second.path)
    assert lock.is_held(f"{os.path.dirname(third.path)}/slot.1")


@pytest.mark.parametrize(
    ("running", "queued", "said", "hint"),
    [
        ([A], [], f"{A.run_id} is running", f"bgrun wait {A.run_id}"),
        ([A, B], [], f"{A.run_id}, {B.run_id} are running", f"bgrun wait {A.run_id}"),
        ([], [C], f"{C.run_id} is queued", f"bgrun wait {C.run_id}"),
    ],
)
def test_a_run_that_must_not_wait_is_refused_with_who_is_ahead(
    take: Callable[..., Slot | Ticket], running: list[Owner], queued: list[Owner], said: str, hint: str
) -> None:
    limit = max(1, len(running))
    held = [take(one, limit) for one in running or [A]]
    for one in queued:
        take(one, limit)
    if not running:
        assert isinstance(held[0], Slot)
        slots.release(held[0])
    with pytest.raises(BusyError) as refused:
        take(D, limit, may_wait=False)
    assert (refused.value.message, refused.value.hint) == (
        f"concurrency group 'g' is full (limit {limit}): {said}",
        hint,
    )


def test_the_ticket_of_a_killed_run_is_removed(take: Callable[..., Slot | Ticket], tmp_path: Path) -> None:
    assert isinstance(take(A), Slot)
    stale = tmp_path / ".concurrency/g/ticket.7"
    stale.touch()
    ticket = take(B)
    assert isinstance(ticket, Ticket)
    assert os.path.basename(ticket.path) == "ticket.1"
    assert not stale.exists()


HOLDER = """
import sys
from bgrun.local.concurrency import slots
slots.take(slots.Place(sys.argv[1], 1), slots.Owner("x_20260101_000000", "/logs"), may_wait=False)
print("taken", flush=True)
sys.stdin.read()
"""


def test_the_slot_of_a_killed_holder_is_free(take: Callable[..., Slot | Ticket], tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, f"{tmp_path}/.concurrency/g"]
    with subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(BusyError):
            take(A, may_wait=False)
        holder.kill()
    assert isinstance(take(A, may_wait=False), Slot)


def test_the_second_in_the_queue_sleeps_until_the_first_is_gone(take: Callable[..., Slot | Ticket]) -> None:
    take(A)
    first, second = take(B), take(C)
    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    done = threading.Event()
    sleeper = threading.Thread(target=lambda: (slots.sleep_until_next(second), done.set()))
    sleeper.start()
    assert not done.is_set()
    slots.drop(first)
    assert done.wait(20)
    sleeper.join()
    slots.sleep_until_next(second)  # the lowest one does not wait


def test_whichever_slot_is_free_first_is_taken(take: Callable[..., Slot | Ticket]) -> None:
    held = [take(A, 2), take(B, 2)]
    ticket = take(C, 2)
    assert isinstance(ticket, Ticket)
    assert isinstance(held[1], Slot)
    slots.release(held[1])
    assert slots.sleep_until_free(ticket) == 1
    slots.claim(ticket, 1, C)
    assert slots.take(Place(os.path.dirname(ticket.path), 3), D, may_wait=False) != held[0]


def test_a_mutex_that_another_process_holds_is_named(tmp_path: Path) -> None:
    place = Place(f"{tmp_path}/.concurrency/g", 1)
    os.makedirs(place.directory)
    with open(f"{place.directory}/mutex", "w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        with pytest.raises(StuckError, match=r"another process holds the lock .*/mutex"):
            slots.take(place, A, may_wait=True, within_s=0.0)


def test_one_start_at_a_time_is_in_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(f"{tmp_path}/.concurrency/g", 1)
    with slots.single_flight(place):
        monkeypatch.setattr(slots, "SINGLE_S", 0.0)
        with pytest.raises(BusyError, match="has not finished"), slots.single_flight(place):
            pytest.fail("two are in it")
        monkeypatch.undo()
        waiting = threading.Thread(target=_pass_through, args=[place])
        waiting.start()
    waiting.join(20)
    assert not waiting.is_alive()


def _pass_through(place: Place) -> None:
    with slots.single_flight(place):
        pass


@pytest.mark.parametrize(
    ("scope", "state", "folder"),
    [
        ("project", "/state", "/p/.logs/.concurrency/g"),
        ("user", "/state", "/state/bgrun/concurrency/g"),
        ("user", "relative", "/home/u/.local/state/bgrun/concurrency/g"),
        ("user", "", "/home/u/.local/state/bgrun/concurrency/g"),
    ],
)
def test_where_a_group_is(monkeypatch: pytest.MonkeyPatch, scope: str, state: str, folder: str) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_STATE_HOME", state)
    wanted = Concurrency("g", 3, scope=scope)  # type: ignore[arg-type]
    assert slots.place_of("/p/.logs", wanted) == Place(folder, 3)


def test_a_file_that_is_not_locked_has_no_owner(tmp_path: Path) -> None:
    path = tmp_path / "slot.1"
    path.write_text("x_20260101_000000\n/a folder\nwith a line\n")
    assert list(slots._owners([str(path), str(tmp_path / "none")])) == []
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        wait_until(lambda: lock.is_held(str(path)), "it is locked")
        assert list(slots._owners([str(path)])) == [Owner("x_20260101_000000", "/a folder\nwith a line")]


def test_what_is_no_ticket_is_left_alone(tmp_path: Path) -> None:
    names = {"ticket.", "ticket.x", "ticket.²", "ticket.1.old", "ticket.12345678901", "notes", "xticket.1"}
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "ticket.7").touch()
    slot = slots.take(Place(str(tmp_path), 1), A, may_wait=False)
    assert isinstance(slot, Slot)
    slots.release(slot)
    assert set(os.listdir(tmp_path)) == names | {"mutex", "slot.1"}, "a ticket that nobody holds is removed"


@pytest.mark.timeout(60)
def test_one_start_after_another_has_the_turn_to_itself(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "g"), 1)
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        with slots.single_flight(place):
            assert len(os.listdir("/dev/fd")) == before + 1
        assert len(os.listdir("/dev/fd")) == before
    with pytest.raises(ZeroDivisionError), slots.single_flight(place):
        raise ZeroDivisionError
    assert len(os.listdir("/dev/fd")) == before
