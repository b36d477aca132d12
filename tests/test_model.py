"""The frozen values: each list of states has the states of the type."""

from __future__ import annotations

import ast
import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun import model
from tests.conftest import TOP

IDS = st.builds(
    model.RunId,
    st.just("x"),
    st.sampled_from(["20260101_000000", "20260101_000001"]),
    st.integers(1, 120),
    st.just(False),
)


def test_every_state_is_listed() -> None:
    tree = ast.parse((TOP / "bgrun" / "model.py").read_text(encoding="utf-8"))
    literal = next(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "State"
    )
    space: dict[str, object] = {}
    exec(f"from typing import Literal\nfound = {ast.unparse(literal)}", space)  # noqa: S102 - our own source
    assert get_args(space["found"]) == model.STATES
    assert set(model.LIVE_STATES) < set(model.STATES)


@given(st.lists(IDS, unique=True, max_size=12))
def test_names_of_runs_sort_as_the_runs_do(ids: list[model.RunId]) -> None:
    by_name = sorted(ids, key=str)
    assert by_name == sorted(ids, key=lambda one: one.order)
    for one, other in itertools.pairwise(by_name):
        assert str(one) != str(other)


@pytest.mark.parametrize(
    ("state", "live"), [(state, state in ("queued", "running", "unknown")) for state in model.STATES]
)
def test_a_run_is_live_until_it_has_finished(state: model.State, live: bool) -> None:
    run = model.Run(**(dict.fromkeys(model.Run._fields[:19]) | {"run_id": "x", "state": state}))  # type: ignore[arg-type]
    assert run.live == live
    assert run.succeeded == (state == "succeeded")
