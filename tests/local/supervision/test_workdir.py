"""The log directory as the working directory of a supervisor."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.local.supervision import workdir

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log directory that is entered; the test's own directory is restored at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", workdir.HERE, "/elsewhere"])
    logs = tmp_path / ".logs"
    logs.mkdir()
    workdir.enter(str(logs))
    return logs


def test_nothing_is_imported_from_there(entered: Path) -> None:
    assert os.path.samefile(".", entered)
    assert sys.path == ["/elsewhere"]


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        workdir.enter(str(tmp_path / "none"))


def test_its_name_is_the_recorded_one_while_that_leads_there(entered: Path) -> None:
    assert workdir.now(str(entered)) == str(entered)
    renamed = entered.rename(entered.with_name("renamed"))
    assert workdir.now(str(entered)) == str(renamed)
    entered.symlink_to(renamed)
    assert workdir.now(str(entered)) == str(entered)


def test_one_that_was_removed_and_created_again_is_entered(entered: Path) -> None:
    workdir.stay(str(entered))
    shutil.rmtree(entered)
    workdir.stay(str(entered))  # there is none yet
    assert workdir.now(str(entered)) == str(entered)
    entered.mkdir()
    workdir.stay(str(entered))
    assert os.path.samefile(".", entered)


def test_one_that_was_renamed_is_not_left(entered: Path) -> None:
    renamed = entered.rename(entered.with_name("renamed"))
    entered.mkdir()
    workdir.stay(str(entered))
    assert os.path.samefile(".", renamed)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("cannot write ./x.meta: no space", "cannot write /p/.logs/x.meta: no space"),
        ("./x and ./y", "/p/.logs/x and /p/.logs/y"),
        ("a/./b stays", "a/./b stays"),
        ("", ""),
    ],
)
def test_messages_name_files_as_other_processes_do(text: str, spelled: str) -> None:
    assert workdir.spelled(text, "/p/.logs") == spelled
