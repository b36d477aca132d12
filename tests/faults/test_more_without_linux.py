"""Other files of these tests once more, with everything taken away that only Linux has (see without.py)."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

import pytest

from tests.faults import without

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.conftest import Cli

AGAIN = (
    "test_deadlines", "test_races", "test_kill_the_job", "test_kill_the_supervisor",
    "test_caller_exits", "test_stop_the_whole_tree", "test_many_at_once",
)  # fmt: skip
NOT_HERE = {
    "test_nothing_is_left_within_grace_and_two_seconds"
    "[supervised-forked twice, with an environment and descriptors of its own]": "without a subreaper nothing tells it apart",
}
"""Tests that cannot be run like this, and why."""


@pytest.fixture(autouse=True)
def _only_what_can_be(request: pytest.FixtureRequest) -> None:
    if request.node.name in NOT_HERE:
        pytest.skip(NOT_HERE[request.node.name])


@pytest.fixture
def bg(bg: Cli, tmp_path: Path) -> Cli:
    """Bgrun as it is off Linux, in the place of the one that the tests ask for."""
    return without.elsewhere(bg, tmp_path)


def _take_over(module: ModuleType) -> None:
    """Make the tests of a module, and the fixtures of its own, tests of this one: they get the `bg` of here."""
    for name, value in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(value):
            assert name not in globals(), f"two tests are called {name}"
            globals()[name] = value
        elif type(value).__name__ == "FixtureFunctionDefinition" or hasattr(value, "_pytestfixturefunction"):
            globals().setdefault(name, value)


for _name in AGAIN:
    _take_over(importlib.import_module(f"tests.faults.{_name}"))


def test_they_are_many() -> None:
    assert sum(name.startswith("test_") for name in globals()) > 40
    assert {name.partition("[")[0] for name in NOT_HERE} <= set(globals())
