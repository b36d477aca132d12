"""Lines that say which run each change of a directory belongs to: a gap between them is never overlooked."""

from __future__ import annotations

import itertools
import os
import platform
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.system import changes

if TYPE_CHECKING:
    from pathlib import Path

BEGUN = 1_000_000_001
TIMES = st.integers(BEGUN, BEGUN + 12)


def lines(*known: tuple[str, int, int]) -> bytes:
    return "".join(f"{run_id} {before} {after}\n" for run_id, before, after in known).encode()


@given(st.lists(st.tuples(st.sampled_from("abc"), TIMES, TIMES), max_size=8), TIMES)
def test_runs_are_known_only_if_every_moment_belongs_to_one(some: list[tuple[str, int, int]], now: int) -> None:
    known = [(run_id, min(one, other), max(one, other)) for run_id, one, other in some]
    found = changes.since(lines(*known), BEGUN, now)
    last = max((after for _, _, after in known), default=BEGUN)
    covered = {moment for _, before, after in known for moment in range(before, after)}
    if now == BEGUN:
        assert found == []
    elif now == last and covered >= set(range(BEGUN, now)):
        assert found is not None
        assert set(found) == {run_id for run_id, _, after in known if after > BEGUN}
    else:
        assert found is None


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"a",
        b"a 1000000001 1000000002",
        b"a 1000000001\n",
        b"a 1 2 3\n",
        b"a x 1000000002\n",
        b"\0\n",
        b"\0\0a 1000000001 1000000002\n",
    ],
)
def test_a_file_that_is_damaged_says_nothing(data: bytes | None) -> None:
    assert changes.since(data, BEGUN, BEGUN + 1) is None


def test_a_clock_that_was_set_back_and_has_caught_up_since_leaves_a_gap() -> None:
    # Between the first two lines, at times before BEGUN, other runs may have begun.
    known = [("a", BEGUN, BEGUN - 9), ("a", BEGUN - 7, BEGUN - 5), ("b", BEGUN - 5, BEGUN + 3)]
    assert changes.since(lines(*known), BEGUN, BEGUN + 3) is None
    assert changes.since(lines(*known, ("c", BEGUN, BEGUN + 3)), BEGUN, BEGUN + 3) is None


def test_the_times_of_a_coarse_clock_say_nothing() -> None:
    now = 2_000_000_000
    assert changes.since(lines(("a", BEGUN, now)), BEGUN, now) is None
    assert changes.since(lines(("a", BEGUN, now + 1)), BEGUN, now + 1) == ["a"]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A directory whose changes are recorded."""
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "changes").touch()
    return tmp_path


def text(logs: Path) -> str:
    return (logs / ".cache" / "changes").read_text()


def ctime(logs: Path) -> int:
    return logs.stat().st_ctime_ns


def test_each_change_is_recorded_even_if_it_failed(logs: Path) -> None:
    times = [ctime(logs)]
    for number in range(3):
        with pytest.raises(ZeroDivisionError), changes.Change(str(logs), "x"):
            (logs / f"{number}").touch()
            raise ZeroDivisionError
        times.append(ctime(logs))
    pairs = itertools.pairwise(times)
    assert text(logs) == "".join(f"x {before} {after}\n" for before, after in pairs if before != after)
    before = changes.since(text(logs).encode(), times[0], times[-1])
    with changes.Change(str(logs), "y"):
        pass
    assert ctime(logs) == times[-1]
    assert set(changes.since(text(logs).encode(), times[0], times[-1]) or ()) <= {*(before or ()), "y"}


def test_a_change_that_leaves_the_time_as_it_was_is_recorded(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all changes between two ticks of the clock do, before Linux 6.13."""
    begun = ctime(logs)
    with changes.Change(str(logs), "x"):
        (logs / "x").touch()
    now = logs.stat()
    monkeypatch.setattr(changes.os, "stat", lambda _: now)
    with changes.Change(str(logs), "y"):
        (logs / "y").touch()
    monkeypatch.undo()
    assert sorted(changes.since((logs / ".cache" / "changes").read_bytes(), begun, now.st_ctime_ns) or ()) == ["x", "y"]


def test_a_clock_that_was_set_back_is_noticed_even_if_it_was_set_forward_since() -> None:
    back_and_forth = lines(("a", BEGUN, BEGUN - 9), ("b", BEGUN - 9, BEGUN + 9))
    assert changes.since(back_and_forth, BEGUN, BEGUN + 9) is None


@pytest.mark.skipif(
    platform.system() != "Linux" or tuple(map(int, platform.release().split(".")[:2])) < (6, 13),
    reason="needs times that differ for each change",
)
def test_a_change_by_another_right_after_ours_is_a_gap(logs: Path) -> None:
    for number in range(200):
        begun = ctime(logs)
        (logs / ".cache" / "changes").write_bytes(b"")
        with changes.Change(str(logs), "x"):
            (logs / f"{number}").touch()
        data = (logs / ".cache" / "changes").read_bytes()
        assert changes.since(data, begun, ctime(logs)) == ["x"]
        (logs / f"other{number}").touch()
        assert changes.since(data, begun, ctime(logs)) is None


@pytest.mark.parametrize("odd", ["none", "pipe", "link", "directory", "full", "gone", "another user's"])
def test_nothing_is_written_to_what_is_not_our_file(logs: Path, odd: str, tmp_path: Path) -> None:
    place = logs / ".cache" / "changes"
    place.unlink()
    other = tmp_path / "other"
    other.touch()
    if odd == "pipe":
        os.mkfifo(place)
    elif odd == "link":
        place.symlink_to(other)
    elif odd == "directory":
        place.mkdir()
    elif odd == "full":
        place.touch()
        os.truncate(place, changes.MOST_BYTES)
    elif odd == "another user's":
        if os.geteuid():
            pytest.skip("needs root")
        place.touch()
        os.chown(place, 1, 1)
    with changes.Change(str(logs), "x"):
        (logs / "new").touch()
    assert other.read_bytes() == b""
    assert not place.is_file() or place.stat().st_size in (0, changes.MOST_BYTES)
    with changes.Change(str(logs / "nowhere"), "x"):
        pass


def test_only_local_file_systems_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_LOCAL", frozenset())
    assert not changes.can_follow(str(tmp_path))
