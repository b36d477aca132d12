"""Only what its owner wrote into a regular file is read, and no more than allowed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import StorageError
from bgrun.system import reading

if TYPE_CHECKING:
    from pathlib import Path


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    path, link, pipe = tmp_path / "x", tmp_path / "link", tmp_path / "pipe"
    path.write_bytes(b"12345")
    link.symlink_to(path)
    os.mkfifo(pipe)
    assert reading.read(str(path), 5) == b"12345"
    assert reading.head(str(path), 2) == b"12"
    assert reading.read(str(tmp_path / "none"), 5) is reading.head(str(tmp_path / "none"), 5) is None
    for refused in (link, pipe, tmp_path):
        with pytest.raises(StorageError):
            reading.read(str(refused), 5)
    with pytest.raises(StorageError, match="larger than 4 bytes"):
        reading.read(str(path), 4)


def test_a_file_that_others_may_write_to_is_not_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"data")
    path.chmod(0o600)
    assert reading.read_own(str(path), os.geteuid()) == b"data"
    assert reading.read_own(str(path), os.geteuid() + 1) is None
    path.chmod(0o622)
    assert reading.read_own(str(path), os.geteuid()) is None
    assert reading.read_own(str(tmp_path / "none"), os.geteuid()) is None


def test_a_file_that_is_gone_is_older_than_nothing(tmp_path: Path) -> None:
    assert reading.modified(str(tmp_path / "none")) == float("inf")
    assert reading.owner(str(tmp_path / "none")) == -1


def test_what_a_user_names_is_read_through_links_and_up_to_a_limit(tmp_path: Path) -> None:
    path, link, pipe = tmp_path / "x", tmp_path / "link", tmp_path / "pipe"
    path.write_bytes(b"12345")
    link.symlink_to(path)
    os.mkfifo(pipe)
    assert reading.read_bounded(str(link), 5) == b"12345"
    assert reading.read_bounded(str(path), 3) == b"1234", "one byte more shows that it is too large"
    for refused in (pipe, tmp_path):
        with pytest.raises(OSError, match="not a regular file"):
            reading.read_bounded(str(refused), 5)
