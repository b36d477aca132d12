"""Which program keeps the machine awake, and what starts it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun.local.supervision import inhibitor

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMD = ["/bin/systemd-inhibit", "--what=idle:sleep", "--who=bgrun", "--why=x runs", "--mode=block"]
TAIL = ["/bin/tail", "--pid=7", "-s5", "-f", "/dev/null"]


@pytest.mark.parametrize(
    ("programs", "command"),
    [
        ({"caffeinate", "systemd-inhibit", "tail"}, ["/bin/caffeinate", "-i", "-w", "7"]),
        ({"systemd-inhibit", "tail"}, [*SYSTEMD, *TAIL]),
        ({"systemd-inhibit"}, []),
        ({"tail"}, []),
        (set(), []),
    ],
)
def test_the_program(programs: set[str], command: list[str]) -> None:
    assert inhibitor.inhibitor(7, "x", lambda name: f"/bin/{name}" if name in programs else None) == command


def test_it_leads_a_group_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "caffeinate"
    program.write_text(f'#!/bin/sh\nread line; echo "$@" >{tmp_path}/out\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    pid = inhibitor.keep_awake(4711, "x")
    assert os.getpgid(pid) == pid
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (tmp_path / "out").read_text() == "-i -w 4711\n"


def test_one_that_cannot_be_started_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "caffeinate").write_text("no program")
    (tmp_path / "caffeinate").chmod(0o755)
    monkeypatch.setattr(inhibitor, "_find", lambda name: str(tmp_path / name) if name == "caffeinate" else None)
    assert inhibitor.keep_awake(4711, "x") == 0
    monkeypatch.setattr(inhibitor, "_find", lambda _: None)
    assert inhibitor.keep_awake(4711, "x") == 0
