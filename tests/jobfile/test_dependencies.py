"""Orders and cycles of dependencies, checked against their definitions."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.jobfile.dependencies import cycle, dependencies_in, in_order
from bgrun.jobfile.specs import GroupSpec, JobFile, JobSpec, Settings

NAMES = "abcdefg"


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """Any dependencies of jobs on jobs that are named before them."""
    return {
        name: draw(st.lists(st.sampled_from(NAMES[:place]), unique=True)) if place else []
        for place, name in enumerate(NAMES)
    }


@given(acyclic(), st.lists(st.sampled_from(NAMES), unique=True))
def test_each_job_is_placed_once_and_after_its_dependencies(before: dict[str, list[str]], names: list[str]) -> None:
    found = in_order(names, before)
    assert len(set(found)) == len(found)
    assert set(names) <= set(found)
    for place, name in enumerate(found):
        assert set(before[name]) <= set(found[:place])
    needed = {other for name in found for other in before[name]} | set(names)
    assert set(found) == needed, "nothing else is started"


def test_without_dependencies_the_order_is_the_given_one() -> None:
    assert in_order(["c", "a", "b"], {}) == ["c", "a", "b"]


@given(acyclic())
def test_without_a_cycle_there_is_none(before: dict[str, list[str]]) -> None:
    assert cycle(before) == ()


@given(st.fixed_dictionaries({name: st.lists(st.sampled_from(NAMES), max_size=3) for name in NAMES}))
def test_a_cycle_is_a_path_back_to_its_beginning(before: dict[str, list[str]]) -> None:
    found = cycle(before)
    if found:
        assert found[0] == found[-1]
        assert all(after in before[name] for name, after in itertools.pairwise(found))
        assert len(set(found)) == len(found) - 1
    else:
        assert all(set(before[name]) <= set(in_order([name], before)[:-1]) for name in NAMES)


@pytest.mark.parametrize(
    ("before", "found"),
    [({"a": ["a"]}, ("a", "a")), ({"x": ["a"], "a": ["b"], "b": ["a"]}, ("a", "b", "a")), ({"a": ["unknown"]}, ())],
)
def test_a_cycle_without_what_leads_to_it(before: dict[str, list[str]], found: tuple[str, ...]) -> None:
    assert cycle(before) == found


def test_a_group_adds_dependencies_to_those_of_its_jobs() -> None:
    specs = {
        name: JobSpec(name, "x", depends_on=("lint",) if name == "unit" else ()) for name in ("lint", "unit", "e2e")
    }
    job_file = JobFile(Path("f"), Path(), specs, {}, Settings())
    group = GroupSpec("all", ("unit", "e2e", "lint"), before=("lint",), edges={"e2e": ("unit",)})
    assert dependencies_in(job_file, group) == {"lint": (), "unit": ("lint",), "e2e": ("lint", "unit")}
    assert job_file.jobs["e2e"].depends_on == ()
