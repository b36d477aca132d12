"""Which boot of the machine a run belongs to, as macOS tells it, and as older versions recorded it there."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.errors import StorageError
from bgrun.store import meta, record
from bgrun.store.paths import RunPaths
from bgrun.system import boot, process

if TYPE_CHECKING:
    from pathlib import Path

UUID = b"0F2C7A5E-6F1B-4C0A-9B0B-1D2E3F405162"
BOOTED = 1_790_000_000


class Libc:
    """The C library of a Mac, as far as it is asked for the UUID of the boot session."""

    def __init__(self, uuid: bytes) -> None:
        self.uuid = uuid

    def sysctlbyname(self, name: bytes, text: Any, size: Any, new: None, new_size: ctypes.c_size_t) -> int:
        assert (name, new, new_size.value) == (b"kern.bootsessionuuid", None, 0)
        if not self.uuid:
            return -1  # ENOENT
        assert size._obj.value > len(self.uuid)
        ctypes.memmove(text, self.uuid + b"\0", len(self.uuid) + 1)
        return 0


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Libc:
    libc = Libc(UUID)
    monkeypatch.setattr(process, "LINUX", False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: libc)
    monkeypatch.setattr(psutil, "boot_time", lambda: float(BOOTED))
    return libc


def test_the_clock_does_not_change_the_boot(mac: Libc, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = boot.boot_id()
    assert recorded == UUID.decode()
    monkeypatch.setattr(psutil, "boot_time", lambda: float(BOOTED + 86_400))
    assert boot.is_this_boot(recorded)
    mac.uuid = b"11111111-6F1B-4C0A-9B0B-1D2E3F405162"
    assert not boot.is_this_boot(recorded)


@pytest.mark.parametrize("uuid", [UUID, b""])
@pytest.mark.parametrize(
    ("recorded", "same"),
    [
        (str(BOOTED), True),
        (str(BOOTED + 1), True),
        (str(BOOTED - 240), True),
        (str(BOOTED - 3600), False),
        ("another", False),
        ("", False),
        ("9" * 400, False),
        ("²", False),
    ],
)
def test_a_time_of_boot_from_an_older_version_may_have_moved(mac: Libc, uuid: bytes, recorded: str, same: bool) -> None:
    mac.uuid = uuid
    assert boot.is_this_boot(recorded) == same


def test_where_the_kernel_has_no_such_uuid_the_time_of_boot_decides(mac: Libc) -> None:
    mac.uuid = b""
    assert boot.boot_id() == str(BOOTED)


def test_a_c_library_without_sysctl_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LINUX", False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert boot.boot_id() == str(int(psutil.boot_time()))


@pytest.mark.parametrize(("moved_s", "state"), [(100, "running"), (100_000, "lost")])
@pytest.mark.usefixtures("mac")
def test_a_run_that_lives_is_judged_by_it(tmp_path: Path, moved_s: int, state: str) -> None:
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    me = os.getpid()
    facts = {
        "run_id": at.run_id,
        "boot_id": str(BOOTED - moved_s),
        "host": os.uname().nodename,
        "pid": str(me),
        "pid_start": process.start_of(me),
        "started_at": "2026-01-01T00:00:00.000+00:00",
    }
    (tmp_path / "x_20260101_000000.meta").write_bytes(meta.pack(facts))
    found = record.read_run(at)
    assert found
    assert found.state == state
    assert found.reason == (None if state == "running" else "the machine was restarted while it ran")


@pytest.mark.skipif(not process.LINUX, reason="needs proc(5)")
def test_a_sandbox_that_hides_the_id_has_the_time_of_the_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    by_id = boot.boot_id()
    monkeypatch.setattr(boot, "_BOOT_ID", str(tmp_path / "boot_id"))
    recorded = boot.boot_id()
    assert abs(int(recorded) - psutil.boot_time()) <= 1
    assert boot.is_this_boot(str(int(recorded) + 1))
    assert not boot.is_this_boot(str(int(recorded) - 86_400))
    assert not boot.is_this_boot(by_id)
    monkeypatch.undo()
    assert not boot.is_this_boot(recorded)


@pytest.mark.skipif(not process.LINUX, reason="needs proc(5)")
def test_without_proc_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boot, "_BOOT_ID", str(tmp_path / "boot_id"))
    monkeypatch.setattr(boot, "_STAT", str(tmp_path / "stat"))
    with pytest.raises(StorageError, match=r"^cannot read .*/stat$"):
        boot.boot_id()
