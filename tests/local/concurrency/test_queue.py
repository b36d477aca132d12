"""What becomes of a run of a plan whose slot cannot be kept, or that is not needed any more."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import ScarceError
from bgrun.local import event_loop
from bgrun.local.concurrency import slots
from bgrun.local.concurrency.queue import AdmissionQueue
from bgrun.local.concurrency.slots import Owner, Slot
from bgrun.local.manifest import RunPlan
from bgrun.model import Concurrency
from bgrun.system import lock

if TYPE_CHECKING:
    from pathlib import Path

RUN_ID, OTHER_ID = "x_20260101_000000", "y_20260101_000000"


def queue_of(folder: Path, *run_ids: str) -> AdmissionQueue:
    """Return the queue of a plan whose runs have a concurrency group each, named as their label."""
    runs = [RunPlan(one, one[0], {}, concurrency=Concurrency(one[0])) for one in run_ids]
    return AdmissionQueue(str(folder), str(folder), runs, set())


def test_a_run_whose_slot_cannot_be_kept_is_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = queue_of(tmp_path, RUN_ID)
    before = os.listdir("/dev/fd")

    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as scarce:
        scarce.setattr(event_loop, "out_of_reach", refuse)
        with pytest.raises(ScarceError, match=r"cannot keep a slot of .*/x: Too many open files"):
            queue.admit(RUN_ID)
    assert queue.slot_fd(RUN_ID) == -1
    assert not lock.is_held(f"{tmp_path}/.concurrency/x/slot.1")
    assert len(os.listdir("/dev/fd")) == len(before)
    assert queue.admit(RUN_ID) == "", "it may be tried again"
    assert lock.is_held(f"{tmp_path}/.concurrency/x/slot.1")
    queue.tidy(())
    assert not lock.is_held(f"{tmp_path}/.concurrency/x/slot.1")


def test_how_long_a_mutex_was_in_the_way_is_kept_for_the_runs_that_are_needed(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, RUN_ID, OTHER_ID)
    holders = []
    for label in "xy":
        slot = slots.enter(slots.place_of(str(tmp_path), Concurrency(label)), Owner("z_1", ""), may_wait=False)
        assert isinstance(slot, Slot)
        slots.release(slot)
        holders.append(os.open(f"{tmp_path}/.concurrency/{label}/mutex", os.O_RDWR))
        lock.hold(holders[-1])
    try:
        assert "another process holds the lock" in queue.admit(RUN_ID)
        assert "another process holds the lock" in queue.admit(OTHER_ID)
        queue.tidy((RUN_ID,))
        assert queue.held_back() == [RUN_ID], "the other one is not needed any more"
    finally:
        for fd in holders:
            os.close(fd)
