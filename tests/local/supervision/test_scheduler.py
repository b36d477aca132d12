"""What a plan does next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bgrun.local.supervision.scheduler import Order, decide
from tests.plans import Graph, graphs, predicted

if TYPE_CHECKING:
    from bgrun.model import State

STATES = st.sampled_from(["queued", "running", "succeeded", "failed", "timed_out", "stopped", "skipped"])
PLANS = st.lists(STATES, max_size=12).map(lambda states: {f"r{n}": s for n, s in enumerate(states)})


@given(PLANS, st.none() | st.integers(1, 5))
def test_never_more_run_at_once_than_allowed(states: dict[str, State], most: int | None) -> None:
    step = decide(states, Order({}, most))
    running = sum(state == "running" for state in states.values())
    assert most is None or len(step.launch) + running <= max(most, running)
    assert all(states[run_id] == "queued" for run_id in step.launch)


@given(PLANS, st.integers(1, 5), st.booleans())
def test_a_plan_never_stands_still(states: dict[str, State], most: int, fail_fast: bool) -> None:
    """Something runs, something is launched or skipped, or it is done."""
    step = decide(states, Order({}, most, fail_fast))
    assert "running" in states.values() or step.launch or step.skip or step.done


@given(PLANS, st.booleans())
def test_it_is_done_only_when_nothing_is_live(states: dict[str, State], fail_fast: bool) -> None:
    step = decide(states, Order({}, None, fail_fast))
    left = [state for run_id, state in states.items() if run_id not in step.skip]
    assert not step.done or not {"queued", "running"} & set(left)


def test_without_fail_fast_a_failure_changes_nothing() -> None:
    assert decide({"a": "failed", "b": "queued", "c": "running"}, Order({}, 2)).launch == ("b",)


def test_with_fail_fast_a_failure_ends_the_rest_and_says_why() -> None:
    step = decide({"a": "failed", "b": "queued", "c": "running"}, Order({}, 2, True))
    assert (list(step.skip), list(step.stop), step.launch) == (["b"], ["c"], ())
    assert "a did not succeed" in step.skip["b"]


@given(graphs(), st.integers(1, 6))
def test_a_plan_ends_with_exactly_the_states_that_are_predicted(graph: Graph, most: int) -> None:
    states: dict[str, State] = dict.fromkeys(graph.needs, "queued")
    states |= dict.fromkeys(graph.ruled_out, "skipped")
    waived = set(graph.ruled_out)
    order = Order({name: needs for name, needs in graph.needs.items() if needs}, most)
    for _ in range(3 * len(states) + 1):
        step = decide(states, order, waived)
        states |= dict.fromkeys((*step.skip, *step.waive), "skipped") | dict.fromkeys(step.launch, "running")
        waived |= set(step.waive)
        assert sum(state == "running" for state in states.values()) <= most
        if step.done:
            break
        ended = next((name for name, state in states.items() if state == "running"), None)
        if ended:
            states[ended] = "failed" if ended in graph.failing else "succeeded"
    assert (states, waived) == predicted(graph)


def test_a_skipped_run_names_the_cause_and_not_its_consequence() -> None:
    states: dict[str, State] = {"a": "failed", "b": "queued", "c": "queued"}
    step = decide(states, Order({"b": ("a",), "c": ("b", "a")}))
    assert step.skip == {"b": "dependency a failed", "c": "dependency a failed"}


def test_what_needs_a_waived_run_is_waived_and_spoils_nothing() -> None:
    states: dict[str, State] = {"a": "skipped", "b": "queued", "c": "queued"}
    step = decide(states, Order({"b": ("a",)}, None, True), waived={"a"})
    assert (list(step.waive), list(step.skip), step.launch) == (["b"], [], ("c",))
