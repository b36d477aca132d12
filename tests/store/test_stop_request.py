"""Who asks for the end of a run, and what is kept of that."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bgrun.store import record, stop_request
from bgrun.store.paths import RunPaths
from tests.store.test_record import STARTED, made

if TYPE_CHECKING:
    from pathlib import Path


def test_a_wish_stays_as_it_is_but_for_one_to_have_it_now(tmp_path: Path) -> None:
    at = made(tmp_path, "x_20260101_000000", **STARTED)
    stop_request.ask_to_end(at, "stop")
    assert stop_request.read_stop(at) == ("stop", False, False)
    stop_request.ask_to_end(at, "replaced by y")
    assert stop_request.read_stop(at) == ("stop", False, False), "the first one stays"
    stop_request.write_stop(at, "stop", signalled=True)
    stop_request.ask_to_end(at, "stop")
    assert stop_request.read_stop(at) == ("stop", True, False), "that it was carried out stays"
    stop_request.ask_to_end(at, "other", now=True)
    assert stop_request.read_stop(at) == ("stop", True, True)
    stop_request.ask_to_end(at, "other")
    assert stop_request.read_stop(at) == ("stop", True, True)


@pytest.mark.parametrize("whose", ["x_20260101_000000", "g_20260101_000000"])
@pytest.mark.parametrize(
    ("reason", "asked"), [("stop", True), ("replaced by y", True), ("timeout", False), ("", False)]
)
def test_who_has_asked_for_the_end_of_a_run(tmp_path: Path, whose: str, reason: str, asked: bool) -> None:
    at = made(tmp_path, "x_20260101_000000", group_run="g_20260101_000000", **STARTED)
    if reason:
        stop_request.write_stop(RunPaths(at.log_dir, whose), reason, signalled=False)
    assert stop_request.is_asked_to_end(at, record.existing(at)) == asked


def test_of_several_wishes_at_once_one_is_written_and_stays(tmp_path: Path) -> None:
    """Whoever has asked acts on what is written: it must not become another one's wish meanwhile."""
    for number in range(1, 101):
        at = made(tmp_path, f"x_20260101_000000z{number}", **STARTED)
        ready = threading.Barrier(3)

        def ask(reason: str, at: RunPaths = at, ready: threading.Barrier = ready) -> stop_request.StopRequest | None:
            ready.wait()
            stop_request.ask_to_end(at, reason)
            return stop_request.read_stop(at)

        with ThreadPoolExecutor(3) as pool:
            seen = set(pool.map(ask, ("stop", "replaced by y", "replaced by z")))
        assert seen == {stop_request.read_stop(at)}
