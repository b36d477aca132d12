"""A lock that is waited for: within its bound, asleep, and had as soon as it is free."""

from __future__ import annotations

import fcntl
import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from bgrun.system import lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fds(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Two descriptors of one file, each with locks of its own."""
    pair = [os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600) for _ in range(2)]
    yield pair[0], pair[1]
    for fd in pair:
        os.close(fd)


@pytest.mark.timeout(60)
def test_a_free_lock_is_had_at_once(fds: tuple[int, int]) -> None:
    mine, other = fds
    lock.hold_in_turn(mine, within_s=3600.0)
    with pytest.raises(BlockingIOError):
        lock.hold(other)


def test_one_that_stays_held_is_waited_for_asleep_and_no_longer_than_the_bound(fds: tuple[int, int]) -> None:
    mine, other = fds
    lock.hold(other)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    with pytest.raises(BlockingIOError):
        lock.hold_in_turn(mine, within_s=0.2)
    slept = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
    assert slept >= 3, "the processor is left to others between two attempts"


@pytest.mark.timeout(60)
def test_one_that_comes_free_meanwhile_is_had(fds: tuple[int, int]) -> None:
    mine, other = fds
    lock.hold(other)
    release = threading.Timer(0.1, fcntl.flock, (other, fcntl.LOCK_UN))
    release.start()
    lock.hold_in_turn(mine, within_s=3600.0)
    release.join()
    with pytest.raises(BlockingIOError):
        lock.hold(other)


def test_where_there_is_no_file_nobody_holds_a_lock(tmp_path: Path) -> None:
    assert not lock.is_held(str(tmp_path / "none"))
    lock.wait_free(str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
