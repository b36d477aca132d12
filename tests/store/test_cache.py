"""The cache holds what this user wrote; anything else in its place is a miss, never an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.store.cache import Cache


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """The cache of a log directory in which something ran."""
    (tmp_path / "jobs").mkdir()
    return Store(str(tmp_path)).cache


def test_an_entry_is_read_back_until_it_is_removed(cache: Cache) -> None:
    assert cache.read("x") is None
    cache.write("x", b"one")
    cache.write("x", b"two")
    assert cache.read("x") == b"two"
    assert cache.names("x") == ["x"]
    cache.remove("x")
    assert cache.read("x") is None
    assert cache.names("") == []


def test_an_entry_can_be_read_in_part(cache: Cache) -> None:
    cache.write("x", b"one and two")
    assert cache.read("x", 3) == b"one"
    assert cache.read("x", 300) == b"one and two"


def test_nothing_is_written_where_nothing_ran(tmp_path: Path) -> None:
    cache = Store(str(tmp_path)).cache
    cache.write("x", b"one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("odd", ["file", "link"])
def test_what_is_in_place_of_the_cache_is_left_alone(cache: Cache, tmp_path: Path, odd: str) -> None:
    (tmp_path / "other").mkdir()
    place = tmp_path / ".cache"
    place.touch() if odd == "file" else place.symlink_to(tmp_path / "other")
    cache.write("x", b"one")
    assert list((tmp_path / "other").iterdir()) == []


def test_an_entry_that_others_may_write_is_a_miss(cache: Cache, tmp_path: Path) -> None:
    cache.write("x", b"one")
    (tmp_path / ".cache" / "x").chmod(0o622)
    assert cache.read("x") is None
