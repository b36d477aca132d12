"""What rendering reads is recorded, without any value; what cannot be checked again is not."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

from bgrun.templating.inputs import RenderInputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
