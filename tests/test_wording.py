"""Numbers, durations and lists of names as messages have them."""

from __future__ import annotations

import pytest

from bgrun import wording
from bgrun.jobfile.units import duration


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "group", "0 groups"),
        (1, "group", "1 group"),
        (2, "job", "2 jobs"),
        (1, "process", "1 process"),
        (3, "process", "3 processes"),
        (2, "match", "2 matches"),
        (2, "failed run", "2 failed runs"),
    ],
)
def test_a_noun_agrees_with_its_number(number: int, noun: str, text: str) -> None:
    assert wording.count(number, noun) == text


def test_an_irregular_plural_is_given() -> None:
    assert wording.count(1, "directory", "directories") == "1 directory"
    assert wording.count(2, "directory", "directories") == "2 directories"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m00s"),
        (187, "3m07s"),
        (3599.7, "1h00m"),
        (604800, "168h00m"),
    ],
)
def test_a_measured_duration_is_rounded(seconds: float | None, text: str) -> None:
    assert wording.span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "0.5s"),
        (60, "1m"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (604800, "7d"),
        (90061.5, "1d1h1m1.5s"),
    ],
)
def test_a_configured_duration_is_exact_and_can_be_written_in_a_job_file(seconds: float, text: str) -> None:
    assert wording.limit(seconds) == text
    assert duration(text) == seconds


def test_a_list_of_names_stays_short() -> None:
    assert wording.names([]) == ""
    assert wording.names("abcde") == "a, b, c, d, e"
    assert wording.names("abcdefgh") == "a, b, c, d, e, … (3 more)"
    assert wording.names(range(4), 2) == "0, 1, … (2 more)"


@pytest.mark.parametrize(
    ("every", "text"), [(["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (["a", "b", "c"], "'a', 'b' or 'c'")]
)
def test_names_as_alternatives(every: list[str], text: str) -> None:
    assert wording.either(every) == text
