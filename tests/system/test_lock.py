"""A lock that is waited for: within its bound, asleep, and had as soon as it is free."""

from __future__ import annotations

import fcntl
import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import StorageError
from bgrun.system import lock
from tests.conftest import wait_until

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
    lock.hold_within(mine, within_s=3600.0)
    with pytest.raises(BlockingIOError):
        lock.hold(other)


def test_one_that_stays_held_is_waited_for_asleep_and_no_longer_than_the_bound(fds: tuple[int, int]) -> None:
    mine, other = fds
    lock.hold(other)
    for within in (0.2, 1.0, 5.0):  # in which others may have the processor
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        with pytest.raises(BlockingIOError):
            lock.hold_within(mine, within_s=within)
        slept = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
        if slept >= 3:
            break
    assert slept >= 3, "the processor is left to others between two attempts"


@pytest.mark.timeout(60)
def test_one_that_comes_free_meanwhile_is_had(fds: tuple[int, int]) -> None:
    mine, other = fds
    lock.hold(other)
    release = threading.Timer(0.1, fcntl.flock, (other, fcntl.LOCK_UN))
    release.start()
    lock.hold_within(mine, within_s=3600.0)
    release.join()
    with pytest.raises(BlockingIOError):
        lock.hold(other)


def test_where_there_is_no_file_nobody_holds_a_lock(tmp_path: Path) -> None:
    assert not lock.is_held(str(tmp_path / "none"))
    lock.wait_free(str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_seen_and_who_looks_does_not_hold_it(fds: tuple[int, int], tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    assert not lock.is_held(path)
    lock.hold(fds[0])
    assert lock.is_held(path)
    assert lock.is_held(path)
    fcntl.flock(fds[0], fcntl.LOCK_UN)
    assert not lock.is_held(path)
    assert not lock.is_held(f"{path}.none")


def test_who_waits_is_through_once_it_is_free(fds: tuple[int, int], tmp_path: Path) -> None:
    lock.hold(fds[0])
    thread = threading.Thread(target=lock.wait_free, args=(str(tmp_path / "lock"),))
    thread.start()
    assert thread.is_alive()
    fcntl.flock(fds[0], fcntl.LOCK_UN)
    wait_until(lambda: not thread.is_alive(), "the end of the wait")
    lock.wait_free(str(tmp_path / "none"))


def test_a_link_to_a_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "lock")
    with pytest.raises(StorageError, match="cannot read"):
        lock.is_held(str(tmp_path / "link"))
