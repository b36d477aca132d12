"""Warnings of surroundings in which a run may fail."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from bgrun.system import preflight, process

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("blocks", "warned"), [(99 << 8, True), ((100 << 8) - 1, True), (100 << 8, False)])
def test_a_disk_that_is_almost_full_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, warned: bool
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=blocks, f_frsize=4096))
    found = preflight.low_disk(str(tmp_path / ".logs"))
    assert len(found) == warned
    assert all("99 MiB" in one and str(tmp_path) in one for one in found)


def test_a_disk_of_which_nothing_is_known_is_no_warning(tmp_path: Path) -> None:
    assert preflight.low_disk(str(tmp_path / "none" / "none")) == []


@pytest.mark.parametrize(
    ("sids", "warned"),
    [
        ({1: 1, 50: 1}, True),
        ({1: 1, 50: 0}, True),
        ({1: 1, 50: 40}, False),  # a daemon's child
    ],
)
def test_a_sandbox_is_one_whose_first_process_is_ours(
    monkeypatch: pytest.MonkeyPatch, sids: dict[int, int], warned: bool
) -> None:
    tree = {pid: process.Process(pid, 1 if pid > 1 else 0, pid, sid, "0") for pid, sid in sids.items()}
    me = process.Process(os.getpid(), 50, 50, sids[50], "0")
    monkeypatch.setattr(process, "LINUX", True)
    monkeypatch.setattr(process, "read", lambda pid: {**tree, os.getpid(): me}.get(pid))
    monkeypatch.setattr(preflight, "_in_pid_namespace", lambda: True)
    monkeypatch.setattr(preflight, "_is_init", lambda: False)
    assert bool(preflight.doomed_sandbox()) == warned
    monkeypatch.setattr(preflight, "_is_init", lambda: True)
    assert preflight.doomed_sandbox() == []
    monkeypatch.setattr(preflight, "_in_pid_namespace", lambda: False)
    assert preflight.doomed_sandbox() == []
