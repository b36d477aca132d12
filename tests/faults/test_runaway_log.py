"""Fault 9: a log that grows without end, and a disk that is almost full."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from bgrun.local.supervision import log_limit
from tests.conftest import wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from tests.conftest import Cli

MOST = 1 << 20
TALK = (
    "import itertools, os, time\n"
    "for n in itertools.count():\n"
    "    os.write(1, b'line %09d %s\\n' % (n, b'x' * 81))\n"
    "    if n % 2000 == 0: time.sleep(0.02)\n"
    "    if n >= 1000000 or os.path.exists('enough'): break\n"
    "print('the last line')\n"
)


@pytest.fixture
def talker(bg: Cli) -> Cli:
    (bg.folder / "talk.py").write_text(TALK)
    bg.jobs("jobs: {talk: {command: python3 talk.py, log: {max_size: 1MiB}}}")
    return bg


def test_what_is_on_disk_is_bounded_while_head_and_tail_stay_readable(talker: Cli) -> None:
    run = talker.json("start", "talk")
    log = Path(run["log"])
    wait_until(lambda: log.stat().st_size > 6 * MOST, "the log has grown far beyond its bound")
    (talker.folder / "enough").touch()
    ended = talker.ended("talk")
    assert (ended["state"], ended["exit_code"]) == ("succeeded", 0)
    assert log.stat().st_size > 6 * MOST
    assert log.stat().st_blocks * 512 <= MOST + 8192
    shown = talker("logs", "talk", "--since-start").out
    assert shown.startswith("line 000000000 ")
    assert shown.endswith("the last line\n")
    assert "bytes of the log were dropped here" in shown
    assert "\0" not in shown
    assert talker("logs", "talk", "-n", "1").out == "the last line\n"
    assert len(talker("logs", "talk", "-n", "100000000").out) < 8 * MOST


@pytest.mark.skipif(not hasattr(fcntl, "F_NOTIFY"), reason="logs are looked at by the clock here")
def test_a_supervisor_sleeps_while_a_log_is_quiet_and_hears_when_it_is_written_to(talker: Cli) -> None:
    talker.jobs(
        "defaults: {inhibit_sleep: false, log: {max_size: 1MiB}}\n"
        "jobs: {talk: {command: 'echo ready; until [ -e go ]; do sleep 0.05; done; python3 talk.py'}}"
    )
    run = talker.json("start", "talk")
    supervisor = psutil.Process(int(talker.meta(run)["supervisor_pid"]))
    wait_until(lambda: _watches(supervisor, talker.logs), "the supervisor has asked for word of writes")
    quiet = sum(supervisor.num_ctx_switches())
    other = talker.logs / "something_else"
    for n in range(100):
        other.write_text(f"{n}\n")
    wait_until(lambda: sum(supervisor.num_ctx_switches()) > quiet, "another file is heard of")
    assert sum(supervisor.num_ctx_switches()) - quiet < 50, "but not each time"
    (talker.folder / "go").touch()
    log = Path(run["log"])
    wait_until(lambda: log.stat().st_size > 6 * MOST, "the log has grown far beyond its bound")
    wait_until(lambda: log.stat().st_blocks * 512 < 5 * MOST, "it is brought back while the job runs")
    assert not is_gone(supervisor.pid)
    (talker.folder / "enough").touch()
    assert talker.ended("talk")["state"] == "succeeded"


def _watches(supervisor: psutil.Process, folder: Path) -> bool:
    for fd in Path(f"/proc/{supervisor.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            if os.readlink(fd) == str(folder):
                return True
    return False


def test_a_log_within_its_bound_is_left_as_it_is(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: head -c 900000 /dev/zero, log: {max_size: 1MiB}}}")
    bg("start", "x", "--wait")
    assert Path(bg.state("x")["log"]).read_bytes() == b"\0" * 900000


def test_where_the_system_cannot_drop_the_middle_the_bound_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor then stops the run with this reason: `bound` tells it."""
    log = tmp_path / "x.log"
    log.write_bytes(b"x" * (3 << 20))
    monkeypatch.setattr(log_limit, "_fallocate", lambda: None)
    assert not log_limit.bound(str(log), MOST)
    monkeypatch.undo()
    assert log_limit.bound(str(log), MOST)
    assert log.stat().st_blocks * 512 <= MOST


@pytest.mark.parametrize(
    ("size", "used", "expected"),
    [
        (100, 100, (0, 0)),
        (10 * MOST, MOST, (0, 0)),
        (10 * MOST, 10 * MOST, (MOST // 4, 10 * MOST - MOST // 4 - MOST // 2)),
    ],
)
def test_where_the_hole_is(size: int, used: int, expected: tuple[int, int]) -> None:
    assert log_limit.hole(size, used, MOST) == expected
