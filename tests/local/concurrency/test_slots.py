"""The lock files of a concurrency group: what is left alone, and what is left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun.local.concurrency import slots
from bgrun.local.concurrency.slots import Owner, Place, Slot

if TYPE_CHECKING:
    from pathlib import Path

OWNER = Owner("x_20260101_000000", "/somewhere/.logs")


def test_what_is_no_ticket_is_left_alone(tmp_path: Path) -> None:
    names = {"ticket.", "ticket.x", "ticket.²", "ticket.1.old", "ticket.12345678901", "notes", "xticket.1"}
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "ticket.7").touch()
    slot = slots.enter(Place(str(tmp_path), 1), OWNER, may_wait=False)
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
