"""What a supervisor sleeps on, each in a process of its own, whose signals are blocked."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.local.supervision import event_loop
from bgrun.system import process
from tests.conftest import TOP, wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from pathlib import Path


def python(code: str, *args: str) -> str:
    """Return what a script prints."""
    script = "import os, signal, subprocess, sys, time\nfrom bgrun.local.supervision import event_loop\n" + code
    command = [sys.executable, "-c", script, *args]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGTERM", "SIGIO", "SIGCHLD"])
def test_a_signal_ends_the_sleep_also_if_it_came_before(name: str) -> None:
    code = f"""
alarm = event_loop.Alarm()
os.kill(os.getpid(), signal.{name})
print(alarm.sleep(None) == signal.{name}, alarm.sleep(0.01), alarm.sleep(0.0))
"""
    assert python(code) == "True 0 0"


def test_a_signal_that_has_come_is_not_lost_where_there_is_no_time_to_sleep() -> None:
    code = """
alarm = event_loop.Alarm()
os.kill(os.getpid(), signal.SIGTERM)
print(alarm.sleep(0.0) == signal.SIGTERM)
"""
    assert python(code) == "True"


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE"])
def test_signals_of_a_terminal_are_ignored(name: str) -> None:
    code = f"event_loop.Alarm()\nos.kill(os.getpid(), signal.{name})\nprint('lives')"
    assert python(code) == "lives"


def test_the_exit_of_a_child_ends_the_sleep_and_is_read_once() -> None:
    code = """
alarm = event_loop.Alarm()
assert not event_loop.child_has_ended()
read_fd, write_fd = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(write_fd)
    os.read(read_fd, 1)
    os._exit(3)
assert not event_loop.child_has_ended()
assert event_loop.reap_child()[0] == 0
os.close(write_fd)
assert alarm.sleep(None) == signal.SIGCHLD
assert event_loop.child_has_ended() and event_loop.child_has_ended()
found, status, used = event_loop.reap_child()
assert found == pid and used.ru_maxrss > 0
try:
    event_loop.reap_child()
except ChildProcessError:
    print(os.waitstatus_to_exitcode(status))
"""
    assert python(code) == "3"


@pytest.mark.skipif(not process.LINUX, reason="only Linux reports touched files")
def test_a_touched_file_ends_the_sleep_and_a_written_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "x.stop").touch()
    code = """
alarm = event_loop.Alarm()
fd = event_loop.watch_touches(sys.argv[1])
if fd < 0:
    print("unsupported")
    sys.exit()
path = f"{sys.argv[1]}/x.stop"
open(path, "a").write("x")
assert not signal.SIGIO in signal.sigpending()
for touched in (path, path, sys.argv[1], sys.argv[1]):
    os.utime(touched)
    assert alarm.sleep(20) == signal.SIGIO
print("heard")
"""
    heard = python(code, str(tmp_path))
    if heard == "unsupported":
        pytest.skip("this file system has no F_NOTIFY")
    assert heard == "heard"


@pytest.mark.skipif(not process.LINUX, reason="only Linux reports touched files")
def test_the_script_of_another_run_ends_no_sleep(tmp_path: Path) -> None:
    """Every supervisor watches the directory where the scripts of all runs are written."""
    (tmp_path / "jobs").mkdir()
    code = """
from bgrun.store import claim
from bgrun.store.store import Store
from bgrun.system import files
os.umask(0o022)
alarm = event_loop.Alarm()
fd = event_loop.watch_touches(f"{sys.argv[1]}/jobs")
if fd < 0:
    print("unsupported")
    sys.exit()
(run_id,) = claim.claim_all(Store(sys.argv[1]), [("a", b"true\\n")])
at = Store(sys.argv[1]).run(str(run_id))
files.replace(at.script, at.hidden("script"), b"group\\n", files.SCRIPT_MODE)
claim.give_up(Store(sys.argv[1]), [str(run_id)])
print(signal.sigpending(), os.utime(at.scripts), alarm.sleep(20) == signal.SIGIO)
"""
    heard = python(code, str(tmp_path))
    if heard == "unsupported":
        pytest.skip("this file system has no F_NOTIFY")
    assert heard == "set() None True"


def test_a_directory_that_does_not_exist_is_not_watched(tmp_path: Path) -> None:
    assert event_loop.watch_touches(str(tmp_path / "none")) == -1


@pytest.mark.skipif(not process.LINUX, reason="only Linux has subreapers")
def test_an_orphan_becomes_a_child_of_a_subreaper() -> None:
    code = """
assert event_loop.become_subreaper()
read_fd, write_fd = os.pipe()
if os.fork() == 0:
    pid = os.fork()
    if pid == 0:
        time.sleep(300)
    os.write(write_fd, b"%d" % pid)
    os._exit(0)
pid = int(os.read(read_fd, 100))
os.wait()
assert event_loop.children() == {pid}
os.kill(pid, signal.SIGKILL)
print(os.wait()[0] == pid)
"""
    assert python(code) == "True"


@pytest.mark.skipif(not process.LINUX, reason="only Linux can kill a process with its parent")
def test_a_process_dies_with_its_parent() -> None:
    code = """
parent = os.getpid()
read_fd, write_fd = os.pipe()
pid = os.fork()
if pid == 0:
    event_loop.die_with(parent)
    os.write(write_fd, b"x")
    time.sleep(300)
os.read(read_fd, 1)
print(pid, flush=True)
"""
    pid = int(python(code))
    wait_until(lambda: is_gone(pid), "it is gone")


def test_own_children() -> None:
    with subprocess.Popen(["sleep", "300"]) as child:
        found = event_loop.children()
        child.kill()
    assert found is None if not process.LINUX else child.pid in (found or ())
    assert os.getpid() not in (found or ())
