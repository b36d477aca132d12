"""A write in the directory ends the wait; where the kernel reports none, the clock does."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.logs import watch
from bgrun.system import process

if TYPE_CHECKING:
    from pathlib import Path

LOOK = """
import os, sys
from bgrun.logs import watch
log = open(sys.argv[1] + "/x.log", "a")
with watch.writes(sys.argv[1]) as wait:
    log.write("one"), log.flush()
    wait(600)
    if os.fork() == 0:
        log.write("two"), log.flush()
        os._exit(0)
    wait(600)
    log.write("three"), log.flush()
print("awake")
"""


@pytest.mark.skipif(not process.LINUX, reason="fcntl(2) has F_NOTIFY on Linux alone")
def test_a_write_ends_the_wait_and_one_too_many_harms_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LOOK, str(tmp_path)]
    assert subprocess.run(words, check=True, capture_output=True, text=True, timeout=300).stdout == "awake\n"


def test_signals_are_as_they_were_afterwards(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGIO), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with watch.writes(str(tmp_path)):
        (tmp_path / "x").write_text("x")
    assert (signal.getsignal(signal.SIGIO), signal.pthread_sigmask(signal.SIG_BLOCK, ())) == before


def test_it_sleeps_where_the_kernel_reports_no_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fcntl, "F_NOTIFY", raising=False)
    with watch.writes(str(tmp_path)) as wait:
        assert wait is time.sleep


def test_it_sleeps_beside_other_threads_and_where_there_is_no_directory(tmp_path: Path) -> None:
    with watch.writes(str(tmp_path / "absent")) as wait:
        assert wait is time.sleep
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    with watch.writes(str(tmp_path)) as wait:
        assert wait is time.sleep
    end.set()
    thread.join()
