"""Signals reach the process that was seen, while it lives, and no other."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.local.stopping import signals
from bgrun.system import process
from tests.conftest import wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bgrun.system.process import Process

    Start = Callable[[str], tuple[subprocess.Popen[bytes], Process]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a shell that says when it is ready, and return it as it is seen; all are killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def one(script: str) -> tuple[subprocess.Popen[bytes], Process]:
        ready = tmp_path / f"ready{len(started)}"
        shell = subprocess.Popen(["bash", "-c", f"{script} touch {ready}; while :; do sleep 0.02; done"], cwd=tmp_path)
        started.append(shell)
        wait_until(ready.exists, "it is ready")
        seen = process.read(shell.pid)
        assert seen
        return shell, seen

    yield one
    for shell in started:
        shell.kill()
        shell.wait()


def test_it_reaches_those_that_were_seen(start: Start) -> None:
    first, seen_first = start("")
    second, seen_second = start("")
    assert signals.send([seen_first], "SIGKILL") == [seen_first]
    assert first.wait() == -signal.SIGKILL
    assert second.poll() is None
    assert signals.send([seen_first, seen_second], "SIGTERM") == [seen_second], "the first is gone"
    assert second.wait() == -signal.SIGTERM


@pytest.mark.parametrize("how", ["pidfd", "kill"])
def test_another_process_with_its_pid_is_left_alone(start: Start, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "kill":
        monkeypatch.delattr(signals.os, "pidfd_open", raising=False)
    shell, seen = start("")
    other = seen._replace(start="1")
    assert signals.send([other], "SIGKILL") == []
    assert signals.send_to_living([other], "SIGKILL") == []
    assert shell.poll() is None
    assert signals.send([seen], "SIGKILL") == [seen]


def test_a_stop_signal_reaches_the_living_and_they_go_their_own_way(start: Start, tmp_path: Path) -> None:
    shell, seen = start("trap 'touch asked; exit 7' TERM;")
    assert signals.send_to_living([seen], "SIGTERM") == [seen]
    assert shell.wait() == 7
    assert (tmp_path / "asked").exists()


def test_a_process_that_has_exited_and_was_not_reaped_is_not_reached(start: Start) -> None:
    shell, seen = start("")
    shell.kill()
    wait_until(lambda: is_gone(shell.pid), "it is a zombie")
    assert signals.send_to_living([seen], "SIGTERM") == []


def test_one_that_does_not_stop_in_time_counts_as_alive(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    shell, seen = start("")
    monkeypatch.setattr(signals, "SUSPEND_S", 0.0)
    assert signals.send_to_living([seen], "SIGTERM") == [seen]
    assert shell.wait() == -signal.SIGTERM


def test_a_process_that_exits_before_it_stands_still_is_not_reached(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look finds it neither suspended nor gone, the second one gone; the kernel takes signals all along."""
    _, seen = start("")
    looks = iter([seen._replace(stopped=False), None])
    monkeypatch.setattr(process, "read", lambda _: next(looks))
    monkeypatch.setattr(process, "is_running", lambda *_: True)
    assert signals.send_to_living([seen], "SIGTERM") == []


@pytest.mark.skipif(not hasattr(signals.os, "pidfd_open"), reason="this system has no pidfd")
def test_no_signal_is_sent_by_pid_if_there_is_a_pidfd(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the signal another process could get the pid."""

    def refuse(*_: int) -> None:
        raise AssertionError("a signal was sent by pid")

    _, seen = start("")
    with monkeypatch.context() as patched:
        patched.setattr(signals.os, "kill", refuse)
        assert signals.send([seen], "SIGSTOP") == [seen]
    wait_until(lambda: (now := process.read(seen.pid)) and now.stopped, "it is suspended")
