"""From evidence to a state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.store.state import Evidence, derive, group_verdict, parse_float, parse_int, verdict_of

if TYPE_CHECKING:
    from bgrun.model import State

STARTED = {"started_at": "2026-01-01T00:00:00.000+00:00"}


@pytest.mark.parametrize(
    ("seen", "state", "code"),
    [
        (Evidence({}, locked=True), "queued", None),
        (Evidence(STARTED, locked=True), "running", None),
        (Evidence(STARTED, locked=True, exit_code=0), "running", None),
        (Evidence(STARTED, alive=True), "running", None),
        (Evidence(STARTED, exit_code=0), "succeeded", 0),
        (Evidence(STARTED, exit_code=3), "failed", 3),
        (Evidence(STARTED | {"success_exit_codes": "0 3"}, exit_code=3), "succeeded", 3),
        (Evidence(STARTED, exit_code=137), "failed", 137),
        (Evidence(STARTED, exit_code=143, stop_reason="stop"), "stopped", 143),
        (Evidence(STARTED, exit_code=0, stop_reason="timeout"), "timed_out", 0),
        (Evidence(STARTED, stop_reason="stop"), "stopped", None),
        (Evidence(STARTED), "lost", None),
        (Evidence({}), "skipped", None),
        (Evidence({}, stop_reason="stop"), "stopped", None),
        (Evidence(STARTED | {"state": "failed", "exit_code": "2"}, exit_code=0), "failed", 2),
        (Evidence(STARTED | {"state": "running"}), "lost", None),
        (Evidence(STARTED | {"state": "succeeded?"}), "lost", None),
    ],
)
def test_the_state_is_what_the_evidence_proves(seen: Evidence, state: State, code: int | None) -> None:
    verdict = derive(seen)
    assert (verdict.state, verdict.exit_code) == (state, code)


@given(st.booleans(), st.booleans(), st.none() | st.integers(0, 255), st.sampled_from(["", "stop", "timeout"]))
def test_success_is_never_inferred(locked: bool, alive: bool, code: int | None, stop: str) -> None:
    verdict = derive(Evidence(STARTED, locked, alive, code, stop))
    assert verdict.state != "succeeded" or (code == 0 and not (locked or alive or stop))


def test_the_signal_that_ended_it_is_named() -> None:
    assert verdict_of(137, (0,)).signal == "SIGKILL"
    assert verdict_of(255, (0,)).signal is None


def test_a_restart_of_the_machine_is_given_as_the_reason() -> None:
    assert derive(Evidence(STARTED, away="the machine was restarted")).reason == "the machine was restarted"


@given(st.lists(st.sampled_from(["succeeded", "failed", "timed_out", "stopped", "skipped", "lost"])))
def test_a_group_succeeded_only_if_each_of_its_runs_did(states: list[State]) -> None:
    verdict = group_verdict(states)
    succeeded = bool(states) and all(state == "succeeded" for state in states)
    assert (verdict.state == "succeeded") == (verdict.exit_code == 0) == succeeded


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.5", 1.5), ("-2", -2.0), ("1e3", 1000.0), ("inf", None), ("-inf", None), ("1e999", None), ("nan", None), ("x", None), ("", None)],
)  # fmt: skip
def test_a_number_in_a_meta_is_finite(text: str, number: float | None) -> None:
    """JSON has no other, and no duration is."""
    assert parse_float(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), (" 143\n", 143), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("", None), ("x", None), ("-1", None), ("+1", None),
     ("1_0", None), ("1.0", None), ("\u00b2", None), ("\u0663", None)],
)  # fmt: skip
def test_a_whole_number_in_a_meta_is_digits_alone(text: str, number: int | None) -> None:
    assert parse_int(text) == number


def test_the_reason_of_a_group_counts_what_did_not_succeed() -> None:
    reason = group_verdict(["succeeded", "failed", "skipped", "succeeded", "failed"]).reason or ""
    assert reason.startswith("2 failed, 1 skipped of 5")
