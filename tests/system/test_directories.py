"""Directories that only their owner can write in."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import StorageError
from bgrun.system import directories

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_log_directory_is_made_private_and_kept_out_of_git(tmp_path: Path) -> None:
    logs = tmp_path / ".logs"
    assert not directories.check_log_dir(str(logs))
    directories.ensure_log_dir(str(logs))
    assert directories.check_log_dir(str(logs))
    assert (mode(logs), mode(logs / "jobs")) == (0o700, 0o700)
    assert (logs / ".gitignore").read_text() == "*\n"


def test_a_directory_that_exists_is_kept_as_it_is(tmp_path: Path) -> None:
    logs = tmp_path / ".logs"
    logs.mkdir(0o755)
    logs.chmod(0o755)
    directories.ensure_log_dir(str(logs))
    assert mode(logs) == 0o755
    assert not (logs / ".gitignore").exists()


@pytest.mark.parametrize("kind", ["link", "file", "others"])
def test_a_log_directory_that_cannot_be_trusted_is_refused(tmp_path: Path, kind: str) -> None:
    logs = tmp_path / ".logs"
    if kind == "link":
        (tmp_path / "other").mkdir()
        logs.symlink_to(tmp_path / "other")
    elif kind == "file":
        logs.touch()
    else:
        logs.mkdir()
        logs.chmod(0o777)
    for act in (directories.check_log_dir, directories.ensure_log_dir):
        with pytest.raises(StorageError) as caught:
            act(str(logs))
        assert str(logs) in caught.value.message
        assert caught.value.hint


def test_a_directory_is_removed_with_its_files_and_never_through_a_link(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.mkdir()
    (kept / "x").touch()
    link.symlink_to(kept)
    assert not directories.remove(str(link))
    assert (kept / "x").exists()
    assert directories.remove(str(kept))
    assert not kept.exists()
    assert not directories.remove(str(kept))
