"""Parameters of a start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgrun.errors import UsageError
from bgrun.jobfile.params import bind
from bgrun.jobfile.specs import JobSpec, Param
from bgrun.jobfile.units import duration

if TYPE_CHECKING:
    from collections.abc import Callable

JOB = JobSpec(
    "j",
    "x",
    params=(
        Param("n", "integer", description="how many"),
        Param("where", "path", "tests", required=False),
        Param("level", "choice", "low", choices=("low", "high"), required=False),
        Param("flag", "boolean", False, required=False),
        Param("ratio", "number", 1.5, pattern=r"[0-9.]+", required=False),
    ),
)


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["n=3"], {"n": 3, "where": "tests", "level": "low", "flag": False, "ratio": 1.5}),
        (["3", "src"], {"n": 3, "where": "src"}),
        (["where=a=b", "3"], {"n": 3, "where": "a=b"}),
        (["-3", "flag=YES", "level=high", "ratio=2"], {"n": -3, "flag": True, "level": "high", "ratio": 2}),
        (["3", ""], {"where": ""}),
    ],
)
def test_values_by_name_and_in_order(words: list[str], some: dict[str, Any]) -> None:
    bound = bind(JOB, words)
    assert {key: bound[key] for key in some} == some


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "needs the parameter n (integer: how many)"),
        (["n=x"], "'x' is not a whole number"),
        (["n=3.0"], "not a whole number"),
        (["n=٣"], "not a whole number"),
        (["n=1", "n=2"], "given twice"),
        (["1", "level=mid"], "none of low, high"),
        (["1", "flag=perhaps"], "neither true nor false"),
        (["1", "ratio=1e5"], "does not match"),
        (["1", "lvel=low"], "no parameter of j named 'lvel'"),
        (["1", "a", "low", "true", "1.0", "more"], "left over"),
    ],
)
def test_what_does_not_fit_is_told_with_an_example(words: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(JOB, words)
    assert told in caught.value.message
    assert "bgrun start j" in caught.value.hint


def test_the_nearest_name_is_given() -> None:
    with pytest.raises(UsageError) as caught:
        bind(JOB, ["1", "lvel=low"])
    assert "did you mean 'level'" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5", 1.5), ("500ms", 0.5), ("1h30m", 5400), ("7d", 604800), (2, 2)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1y", "1h 30m", "m", "٣s", "1e3"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        duration(text)


@pytest.mark.parametrize("given", [str, str.upper, str.title])
@pytest.mark.parametrize(
    ("words", "value"),
    [(["true", "yes", "on", "1"], True), (["false", "no", "off", "0"], False)],
    ids=["true", "false"],
)
def test_the_eight_words_of_a_boolean(words: list[str], value: bool, given: Callable[[str], str]) -> None:
    for word in words:
        bound = bind(JOB, ["1", f"flag={given(word)}"])["flag"]
        assert bound is value, word
