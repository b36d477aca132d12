"""The answer of a supervisor to its caller, whatever becomes of the supervisor and of the pipe in between."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from bgrun.light import contextmanager
from bgrun.local import time_limit
from bgrun.local.launch import spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that stay open: as if a third process held the end that is written to."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def child(answer: bytes, fd: int) -> int:
    """Return a child that gives this answer and exits."""
    pid = os.fork()
    if pid == 0:
        os.write(fd, answer) if answer else None
        os._exit(0)
    return pid


def in_a_thread(call: Callable[[], bytes]) -> bytes:
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    thread.join()
    return answers[0]


@pytest.mark.parametrize("where", [lambda call: call(), in_a_thread], ids=["main thread", "another thread"])
@pytest.mark.parametrize("answer", [b"ok\nmeta", b""], ids=["answered", "exited without an answer"])
def test_a_supervisor_that_exits_is_not_waited_for(
    pipe: tuple[int, int], answer: bytes, where: Callable[[Callable[[], bytes]], bytes]
) -> None:
    """With the pipe held open by somebody else, its end never comes."""
    pid = child(answer, pipe[1])
    assert where(lambda: spawn._read(pid, pipe[0])) == answer


def test_an_answer_that_comes_with_the_alarm_is_not_lost(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def too_late(_: float | None) -> Iterator[None]:
        yield
        raise time_limit.TimeUpError

    monkeypatch.setattr(time_limit, "time_limit", too_late)
    os.write(pipe[1], b"LaunchError\nno\n")
    assert spawn._read(os.getpid(), pipe[0]) == b"LaunchError\nno\n"


def test_one_that_neither_answers_nor_exits_is_given_up(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "READY_S", 0.1)
    monkeypatch.setattr(spawn, "SOON_S", 0.05)
    own, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(theirs)
        os.read(own, 1)  # until the test is over
        os._exit(0)
    try:
        with pytest.raises(time_limit.TimeUpError):
            spawn._read(pid, pipe[0])
    finally:
        os.close(theirs)
        os.waitpid(pid, 0)
        os.close(own)
