"""Recorded inputs of rendering: valid while nothing that was read has changed."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

from bgrun.templating.inputs import RenderInputs, unchanged

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


@pytest.mark.parametrize("read", [len, list, repr], ids=["len", "iter", "repr"])
def test_the_whole_environment_cannot_be_checked_again(read: Callable[[object], object]) -> None:
    inputs = RenderInputs({"A": "1"})
    read(inputs.env)
    assert not inputs.repeatable


def test_a_path_that_changes_during_rendering_makes_the_plan_uncacheable(tmp_path: Path) -> None:
    inputs = RenderInputs({})
    assert not inputs.is_dir(tmp_path / "d")
    (tmp_path / "d").mkdir()
    assert inputs.is_dir(tmp_path / "d")
    assert not inputs.repeatable


def test_no_value_is_recorded() -> None:
    inputs = RenderInputs(os.environ | {"A": "ultramarine-4711"})
    assert inputs.env["A"] == "ultramarine-4711"
    assert b"ultramarine" not in pickle.dumps(inputs.recorded())
