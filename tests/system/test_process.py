"""What is recorded of a process, and by what it is recognized later."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from bgrun.system import process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_a_process_is_the_same_after_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LINUX", False)
    before = process.start_of(os.getpid())
    module = sys.modules[type(psutil.Process()._proc).__module__]
    boot = module.boot_time()  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "boot_time", lambda: boot + 3600)
    assert abs(psutil.Process().create_time() - float(before)) > 3000, "psutil itself tells another start now"
    assert process.start_of(os.getpid()) == before
    assert process.is_running(os.getpid(), before)


class OlderPsutil:
    """What psutil was before 7.1: one start only."""

    class _proc:  # noqa: N801 - psutil's own name
        @staticmethod
        def create_time() -> float:
            return 1.0

    @staticmethod
    def create_time() -> float:
        return 2.5


def test_a_psutil_that_knows_one_start_only() -> None:
    assert process._start_psutil(OlderPsutil()) == 2.5


@pytest.mark.parametrize(
    ("one", "other", "before"),
    [("99", "100", True), ("100", "99", False), ("100", "100", False), ("1764099999.5", "1764100000.25", True),
     ("", "100", False), ("100", "", False), ("x", "100", False)],
)  # fmt: skip
def test_which_start_is_earlier(one: str, other: str, before: bool) -> None:
    assert process.began_before(one, other) is before


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "log").open("ab") as log:
        one = subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL, stderr=log)
    yield one
    one.kill()
    one.wait()


@pytest.mark.parametrize("linux", [True, False])
def test_who_writes_to_a_file_by_whatever_path(
    tmp_path: Path, writer: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, linux: bool
) -> None:
    if linux and not process.LINUX:
        pytest.skip("there is no /proc")
    monkeypatch.setattr(process, "LINUX", linux)
    (tmp_path / "log").rename(tmp_path / "renamed")
    (tmp_path / "log").touch()
    assert process.writes_to(writer.pid, process.open_file(str(tmp_path / "renamed")))
    assert not process.writes_to(writer.pid, process.open_file(str(tmp_path / "log")))


def test_who_writes_to_a_file_that_is_gone(tmp_path: Path, writer: subprocess.Popen[bytes]) -> None:
    if not process.LINUX:
        pytest.skip("there is no /proc")
    (tmp_path / "log").unlink()
    assert process.writes_to(writer.pid, process.open_file(str(tmp_path / "log")))
    assert not process.writes_to(writer.pid, process.open_file(str(tmp_path / "lo")))


def test_the_newest_come_first() -> None:
    one = subprocess.Popen(["sleep", "300"])
    try:
        pids = process.pids()
        assert {os.getpid(), one.pid} <= set(pids)
        assert pids == sorted(pids, reverse=True)
    finally:
        one.kill()
        one.wait()
