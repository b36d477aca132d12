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
    ("words", "message"),
    [
        ([], "missing parameter 'n' (integer: how many) for job 'j'"),
        (["n=x"], "invalid value 'x' for parameter 'n' of job 'j': expected an integer"),
        (["n=3.0"], "invalid value '3.0' for parameter 'n' of job 'j': expected an integer"),
        (["n=٣"], "invalid value '٣' for parameter 'n' of job 'j': expected an integer"),
        (["n=1", "n=2"], "parameter 'n' of job 'j' is given twice"),
        (["1", "level=mid"], "invalid value 'mid' for parameter 'level' of job 'j': expected one of low, high"),
        (["1", "flag=perhaps"], "invalid value 'perhaps' for parameter 'flag' of job 'j': expected a boolean"),
        (["1", "ratio=1e5"], "invalid value '1e5' for parameter 'ratio' of job 'j': expected a match of [0-9.]+"),
    ],
)
def test_an_invalid_value_is_reported_with_an_example(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(JOB, words)
    assert caught.value.message.startswith(message)
    given = "".join(words[-1:]).partition("=")[0]
    default = {"level": " level=low", "flag": " flag=false", "ratio": " ratio=1.5"}.get(given, "")
    assert caught.value.hint == f"bgrun start j n=1{default}"


@pytest.mark.parametrize(
    ("job", "words", "message", "hint"),
    [
        (
            JOB,
            ["1", "lvel=low"],
            "job 'j' has no parameter 'lvel'",
            "did you mean 'level'? To pass it as a value: bgrun start j where=lvel=low",
        ),
        (JOB, ["1", "a", "lvel=low"], "job 'j' has no parameter 'lvel'", "did you mean 'level'?"),
        (
            JOB,
            ["1", "a", "zz=1"],
            "job 'j' has no parameter 'zz'",
            "available parameters: flag, level, n, ratio, where",
        ),
        (
            JOB,
            ["1", "a", "low", "true", "1.0", "it's"],
            "unexpected argument \"it's\": job 'j' takes only n, where, level, flag, ratio",
            "pass arguments to the command after '--': bgrun start j -- 'it'\"'\"'s'",
        ),
        (
            JobSpec("k", "x"),
            ["more"],
            "unexpected argument 'more': job 'k' takes no parameters",
            "pass arguments to the command after '--': bgrun start k -- more",
        ),
        (
            JobSpec("k", "x"),
            ["a=b"],
            "job 'k' has no parameter 'a'",
            "pass arguments to the command after '--': bgrun start k -- a=b",
        ),
    ],
)
def test_an_argument_that_no_parameter_takes(job: JobSpec, words: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(job, words)
    assert (caught.value.message, caught.value.hint) == (message, hint)


LINT = JobSpec("lint", "x", params=(Param("path", "string"),))
UNIT = JobSpec("unit", "x", params=(Param("only", "path", "", required=False),), matrix=({"python": 3.12}, {"os": "a"}))


@pytest.mark.parametrize(
    ("job", "word", "hint"),
    [
        (LINT, "pth=cart.py", "did you mean 'path'? To pass it as a value: bgrun start lint path=pth=cart.py"),
        (LINT, "pa-th=a b", "did you mean 'path'? To pass it as a value: bgrun start lint 'path=pa-th=a b'"),
        (LINT, "k=", "available parameters: path; to pass it as a value: bgrun start lint path=k="),
        (UNIT, "pyton=3.12", "did you mean 'python'? To pass it as a value: bgrun start unit only=pyton=3.12"),
        (
            JobSpec("bare", "x", matrix=({"python": 3.12},)),
            "pyton=3",
            "did you mean 'python'? Pass arguments to the command after '--': bgrun start bare -- pyton=3",
        ),
        (JobSpec("pr", "x", params=(Param("pr", "integer"),)), "p=1", "did you mean 'pr'?"),
    ],
)
def test_a_mistyped_name_never_becomes_a_value(job: JobSpec, word: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(job, [word])
    assert caught.value.message == f"job {job.name!r} has no parameter {word.partition('=')[0]!r}"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    "word", ["https://x.test/?a=b", "a/b=c", "a.b=c", "--x=1", "=", "1=2", "a b=c", "é=1", "a:b=c", "./a=b"]
)
def test_a_value_may_hold_an_equals_sign_after_what_is_no_name(word: str) -> None:
    assert bind(LINT, [word]) == {"path": word}
    assert bind(LINT, [f"path={word}"]) == {"path": word}
    assert bind(LINT, [f"path=pth={word}"]) == {"path": f"pth={word}"}


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
