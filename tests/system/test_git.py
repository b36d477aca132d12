"""What bgrun reads of a git repository: bounded, and true of what the files hold."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.system import git
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit and a HEAD that names a branch."""
    folder = tmp_path / "repo"
    folder.mkdir()
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, env={**os.environ, "HOME": str(tmp_path)})
    return folder


def test_a_file_of_the_same_size_and_time_is_another_state(repo: Path) -> None:
    one, before = repo / "data", git.state_of(str(repo))
    one.write_text("one")
    first, times = git.state_of(str(repo)), one.stat()
    assert first not in (before, b"")
    assert git.state_of(str(repo)) == first

    def swapped() -> bool:
        one.write_text("two")
        os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))
        return one.stat().st_ctime_ns != times.st_ctime_ns

    wait_until(swapped, "the file's time of change has moved on")
    assert git.state_of(str(repo)) != first
