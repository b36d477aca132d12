"""Programs on PATH, and what of a caller's environment a job gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.system import programs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_found", {})


def program(folder: Path, name: str = "tool", mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.touch()
    path.chmod(mode)
    return path


def test_the_first_program_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, first = program(tmp_path / "a", mode=0o644), program(tmp_path / "b")
    program(tmp_path / "c")
    (tmp_path / "0" / "tool").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}/0:{plain.parent}::{first.parent}:{tmp_path}/c")
    assert programs.find("tool") == str(first)
    assert programs.find("other") is None
    assert programs.find("./x") == "./x"


def test_a_program_that_was_removed_is_searched_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = program(tmp_path / "a"), program(tmp_path / "b")
    monkeypatch.setenv("PATH", f"{first.parent}:{second.parent}")
    assert programs.find("tool") == str(first)
    first.unlink()
    assert programs.find("tool") == str(second)


def test_a_job_gets_no_settings_of_the_callers_shell() -> None:
    kept = {"PATH": "/bin", "BASH_ENV": "x", "bgrunner": "y"}
    dropped = {
        "SHELLOPTS": "noexec",
        "BASHOPTS": "",
        "BASH_XTRACEFD": "2",
        "EXECIGNORE": "*",
        "TMOUT": "1",
        "bgrun_code": "0",
    }
    assert programs.job_environment(kept | dropped) == kept
