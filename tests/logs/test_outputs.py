"""Which value of a JSON document an output is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.logs import outputs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.lists(st.text(max_size=3) | st.integers(0, 3).map(str), max_size=3))
def test_it_is_a_scalar_of_the_document_or_an_explanation(document: object, keys: list[str]) -> None:
    try:
        found = outputs.pick(document, keys, "x.json")
    except outputs.MissingError as error:
        assert str(error)
        return
    assert isinstance(found, (str, int, float))
    assert json.dumps(found, allow_nan=False) in json.dumps(document)


@pytest.mark.parametrize(
    ("keys", "found"),
    [(["a", "1", "b.c"], 2), (["a", "0"], 1), (["s"], "x"), (["t"], True), (["z", "0"], "zero")],
)
def test_keys_and_indexes_lead_to_it(keys: list[str], found: object) -> None:
    document = {"a": [1, {"b.c": 2}], "s": "x", "t": True, "z": {"0": "zero"}}
    assert outputs.pick(document, keys, "x.json") == found


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (["a", "2"], "x.json has no '2' in a"),
        (["a", "-1"], "x.json has no '-1' in a"),
        (["n"], "n is null; pick a string, number or boolean"),
        ([], "x.json is an object; pick a string, number or boolean"),
        (["s", "0"], "x.json has no '0' in s"),
        (["i"], "i is a number of more than 64 bits"),
    ],
)
def test_else_it_says_why(keys: list[str], why: str) -> None:
    with pytest.raises(outputs.MissingError, match="^" + why.replace("[", r"\[") + "$"):
        outputs.pick({"a": [1, 2], "n": None, "s": "x", "i": 1 << 80}, keys, "x.json")
