"""The phases of a stop."""

from __future__ import annotations

from bgrun.local.stopping.policy import KILL_S, begin, killing, phase


def phases(signal: str, grace_s: float, times: list[float]) -> list[str]:
    """Replay a stop that begins at 100 and whose signals are sent at once."""
    stopping = begin("stop", signal, grace_s, 100.0)
    seen = []
    for now in times:
        seen.append(phase(stopping, now))
        stopping = stopping._replace(signaled=stopping.signaled or seen[-1] == "signal")
        stopping = killing(stopping, now) if seen[-1] == "kill" else stopping
    return seen


def test_first_it_signals_then_waits_then_kills_then_gives_up() -> None:
    times = [100.0, 100.1, 109.9, 110.0, 110.0 + KILL_S]
    assert phases("SIGTERM", 10, times) == ["signal", "wait", "wait", "kill", "give up"]


def test_without_grace_it_kills_at_once() -> None:
    assert phases("SIGTERM", 0, [100.0]) == ["kill"]


def test_sigkill_as_the_stop_signal_needs_no_grace() -> None:
    assert phases("SIGKILL", 10, [100.0, 100.1]) == ["kill", "kill"]


def test_who_comes_late_kills_before_giving_up() -> None:
    """The machine slept, or hundreds were to be stopped before."""
    times = [100.0, 300.0, 300.1, 300.0 + KILL_S]
    assert phases("SIGTERM", 10, times) == ["signal", "kill", "kill", "give up"]
