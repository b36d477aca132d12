"""The limit of a log: what is removed of it, when it is checked, and what reports its next write."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.local.supervision import log_limit
from bgrun.system import process, reading
from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.mark.parametrize(
    ("used", "most", "seconds"),
    [(0, 100 << 30, 60.0), (0, 2 << 30, 8.0), (2 << 30, 2 << 30, 1.0), (3 << 30, 2 << 30, 1.0), (0, MIB, 1.0)],
)
def test_a_log_is_checked_before_it_can_exceed_its_limit(used: int, most: int, seconds: float) -> None:
    assert log_limit.next_check_s(used, most) == seconds


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(log_limit.BLOCK, 1 << 40))
def test_what_is_removed(size: int, used: int, most: int) -> None:
    begin, length = log_limit.hole(size, used, most)
    assert begin % log_limit.BLOCK == length % log_limit.BLOCK == 0
    if used <= most:
        assert length == 0
    elif length:
        assert begin >= most // 4
        assert size - (begin + length) >= most // 2
        assert begin + (size - begin - length) <= most // 4 + most // 2 + 2 * log_limit.BLOCK
    else:
        assert size <= most // 4 + most // 2 + 2 * log_limit.BLOCK


@pytest.mark.skipif(not process.LINUX, reason="only Linux removes the middle of a file")
def test_head_tail_and_length_of_a_log_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    data = b"".join(b"%015d\n" % number for number in range(4 * MIB // 16))
    path.write_bytes(data)
    assert log_limit.bound(str(path), MIB)
    assert log_limit.on_disk(str(path)) <= MIB
    now = path.read_bytes()
    assert len(now) == reading.size(str(path)) == len(data)
    assert now[: MIB // 4] == data[: MIB // 4]
    assert now[-MIB // 2 :] == data[-MIB // 2 :]
    assert now.strip(b"\0") == now, "head and tail are not empty"
    assert b"\0" * (2 * MIB) in now


def test_a_log_that_does_not_exist_is_within_its_limit(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert (reading.size(path), log_limit.on_disk(path), log_limit.bound(path, 0)) == (0, 0, True)


def test_a_link_in_the_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"x" * 100_000)
    (tmp_path / "x.log").symlink_to(tmp_path / "other")
    log_limit.bound(str(tmp_path / "x.log"), -1)
    assert (tmp_path / "other").read_bytes() == b"x" * 100_000


ARMED = """
import signal, sys
from bgrun.local.supervision import log_limit

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
watch = log_limit.WriteNotifier(sys.argv[1])
if not watch.arm():
    print("unsupported")
    sys.exit()


def write():
    with open(f"{sys.argv[1]}/x.log", "a") as log:
        log.write("x")


for _ in range(2):
    assert signal.SIGIO not in signal.sigpending()
    write()
    assert signal.sigtimedwait([signal.SIGIO], 20)
    write()
    assert signal.SIGIO not in signal.sigpending(), "only one"
    assert watch.arm()
print("reported")
"""


@pytest.mark.skipif(not process.LINUX, reason="only Linux has F_NOTIFY")
def test_each_time_it_is_armed_one_write_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x.log").touch()
    command = [sys.executable, "-c", ARMED, str(tmp_path)]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    if done.stdout == "unsupported\n":
        pytest.skip("this file system has no F_NOTIFY")
    assert done.stdout == "reported\n"


def test_without_the_kernel_s_help_nothing_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not log_limit.WriteNotifier(str(tmp_path / "none")).arm()
    monkeypatch.delattr(fcntl, "F_NOTIFY", raising=False)
    assert not log_limit.WriteNotifier(str(tmp_path)).arm()
