"""The combinations of a matrix, as GitHub Actions has them."""

from __future__ import annotations

import pytest

from bgrun.errors import UsageError
from bgrun.jobfile.matrix import combinations, label, narrowed

AXES = {"python": ["3.11", "3.12"], "db": ["pg", "lite"]}


def test_the_product_in_declared_order() -> None:
    shown = [f"{one['python']}-{one['db']}" for one in combinations(AXES)]
    assert shown == ["3.11-pg", "3.11-lite", "3.12-pg", "3.12-lite"]


def test_an_exclude_takes_out_all_that_it_is_true_of() -> None:
    assert combinations({**AXES, "exclude": [{"db": "pg"}, {"python": "3.11"}]}) == ({"python": "3.12", "db": "lite"},)


def test_includes_as_in_the_example_of_the_documentation_of_github_actions() -> None:
    raw = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert combinations(raw) == (
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"a": [1], "exclude": [{"a": 1}]}, "has no combinations"),
        ({"a": [1], "exclude": [{"b": 1}]}, "not an axis"),
        ({"a": list(range(40)), "b": list(range(40))}, "1600 combinations"),
    ],
)
def test_a_matrix_that_makes_no_sense_is_refused(raw: dict[str, list[object]], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        combinations(raw)


def test_narrowing_by_text() -> None:
    found = combinations({"n": [1, 2], "on": [True, False]})
    assert narrowed(found, {"n": "2", "on": "true"}) == ({"n": 2, "on": True},)
    with pytest.raises(UsageError) as caught:
        narrowed(found, {"n": "3"})
    assert "n=1 on=true" in caught.value.hint


def test_a_label_is_legal_whatever_the_values() -> None:
    assert label("test", {"a": "x/y z", "b": 3.12}) == "test_x-y-z_3.12"
