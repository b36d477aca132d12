"""Recorded inputs of rendering are valid while nothing that was read has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.templating import checks
from bgrun.templating.checks import unchanged
from bgrun.templating.inputs import RenderInputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("now", "same"),
    [
        ({"A": "1"}, True),
        ({"A": "1", "OTHER": "x"}, True),
        ({"A": "2"}, False),
        ({}, False),
        ({"A": "1", "B": ""}, False),
    ],
)
def test_a_variable_that_was_read(now: dict[str, str], same: bool) -> None:
    inputs = RenderInputs({"A": "1", "OTHER": "y"})
    assert inputs.env["A"] == "1"
    assert inputs.env.get("B") is None
    assert unchanged(inputs.recorded(), now) is same
    assert inputs.repeatable


@pytest.mark.parametrize(
    ("check", "change"),
    [
        (lambda inputs, path: inputs.is_dir(path), lambda path: path.mkdir()),
        (lambda inputs, path: inputs.is_file(path), lambda path: path.touch()),
        (lambda inputs, path: inputs.reads(path), lambda path: path.touch()),
        (lambda inputs, path: inputs.real(path), lambda path: path.symlink_to(path.parent)),
    ],
    ids=["is_dir", "is_file", "reads", "real"],
)
def test_a_path_that_was_checked(
    check: Callable[[RenderInputs, Path], object], change: Callable[[Path], None], tmp_path: Path
) -> None:
    inputs = RenderInputs({})
    check(inputs, tmp_path / "path")
    recorded = inputs.recorded()
    assert unchanged(recorded, {})
    change(tmp_path / "path")
    assert not unchanged(recorded, {})


@pytest.mark.parametrize(
    ("changed_ns", "now_ns", "settled"),
    [
        (123_456_789, 223_456_789, False),
        (123_456_789, 223_456_790, True),
        (0, 2_000_000_000, False),
        (0, 2_000_000_001, True),
    ],
    ids=["just now", "a while ago", "just now, in whole seconds", "a while ago, in whole seconds"],
)
def test_a_change_older_than_the_steps_of_the_clock_differs_from_the_next_one(
    changed_ns: int, now_ns: int, settled: bool
) -> None:
    assert checks.is_settled(changed_ns, now_ns) is settled


def test_a_check_of_another_room_is_asked_again() -> None:
    assert unchanged([("port", "web", 4711)], {}, more={"port": lambda _: 4711})
    assert not unchanged([("port", "web", 4711)], {}, more={"port": lambda _: 4712})
