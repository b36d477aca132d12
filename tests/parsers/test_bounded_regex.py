"""Regular expressions from users end in time, whatever they are."""

from __future__ import annotations

import pytest

from bgrun.errors import UsageError
from bgrun.parsers import bounded_regex

SLOW = "(a|aa)+$"
TEXT = "a" * 4000 + "b"


def test_a_search_that_takes_too_long_ends_and_finds_nothing_more() -> None:
    clock = bounded_regex.Clock(0.05)
    assert clock.search(bounded_regex.compiled("b"), TEXT)
    assert clock.search(bounded_regex.compiled(SLOW), TEXT) is None
    assert clock.is_up
    assert clock.search(bounded_regex.compiled("b"), TEXT) is None, "its time is used up"


def test_only_the_beginning_of_a_line_is_searched() -> None:
    clock = bounded_regex.Clock(60)
    most = bounded_regex.LONGEST_LINE
    assert clock.search(bounded_regex.compiled("x"), " " * (most - 1) + "x")
    assert not clock.search(bounded_regex.compiled("x"), " " * most + "x")


@pytest.mark.parametrize("pattern", [r"(?<n>\d+)", r"(?P<n>\d+)"])
def test_both_ways_to_name_a_group_are_read(pattern: str) -> None:
    found = bounded_regex.compiled(pattern).search("a 42")
    assert found
    assert found.groupdict() == {"n": "42"}


def test_what_is_no_expression_is_named_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"invalid regular expression '\('.*position"):
        bounded_regex.compiled("(")
    with pytest.raises(UsageError, match="takes longer than"):
        bounded_regex.fits("(a|aa)+", TEXT)
    assert bounded_regex.fits("a+b", TEXT)
    assert not bounded_regex.fits("a+", TEXT)
