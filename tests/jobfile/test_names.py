"""Labels, variables and units: what is valid, and the fix for what is not."""

from __future__ import annotations

import pytest

from bgrun.errors import UsageError
from bgrun.jobfile.env_names import refusal, secret_refusal
from bgrun.jobfile.label import check_label
from bgrun.jobfile.units import duration, size


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("bad label", "invalid label 'bad label': use letters, digits, '.', '_' and '-', not starting with '.' or '-'", "try 'bad_label'"),
        ("-é", "invalid label '-é': use letters, digits, '.', '_' and '-', not starting with '.' or '-'", "try 'tests'"),
        ("", "empty label", "give it a name, such as 'tests'"),
        ("x" * 101, f"label '{'x' * 20}…' has 101 characters", "use at most 100"),
    ],
)  # fmt: skip
def test_an_invalid_label(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_label(text)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("text", "size_in_bytes"), [("200MB", 200_000_000), ("64MiB", 1 << 26), ("1.5k", 1500), (7, 7)]
)
def test_sizes(text: str | int, size_in_bytes: int) -> None:
    assert size(text) == size_in_bytes


def test_an_invalid_duration_or_size() -> None:
    with pytest.raises(UsageError) as caught:
        duration("soon")
    assert (caught.value.message, caught.value.hint) == (
        "invalid duration 'soon'",
        "use a form such as 90s, 30m, 1h30m or 7d",
    )
    with pytest.raises(UsageError) as caught:
        size("much")
    assert (caught.value.message, caught.value.hint) == ("invalid size 'much'", "use a form such as 500MB or 1GiB")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bgrun_code", "variable bgrun_code is reserved for the job script"),
        ("SHELLOPTS", "variable SHELLOPTS would change the shell that runs the command"),
        ("PATH", ""),
        ("UID", ""),
    ],
)
def test_a_variable_that_a_job_must_not_set(name: str, message: str) -> None:
    assert refusal(name)[0] == message
    assert bool(refusal(name)[1]) == bool(message)


def test_a_variable_of_the_shell_holds_no_secret() -> None:
    assert secret_refusal("UID") == ("variable UID is set by the shell, so it cannot hold a secret", "rename it")
    assert secret_refusal("TOKEN") == ("", "")
