"""What a parser keeps has a limit; what the tool counts beyond it is reported as a number."""

from __future__ import annotations

import pytest

from bgrun.parsers.shape import MOST_FOUND
from bgrun.parsers.test_runners import MOST_FAILED
from tests.parsers.test_runners.test_javascript import read

MANY = MOST_FAILED + 500


@pytest.mark.parametrize(
    ("head", "test", "total"),
    [
        ("FAIL a.test.js\n", "  ● works {}\n", "Test Suites: 1 failed, 1 total\nTests:       {0} failed, {0} total\n"),
        ("TAP version 13\n", "not ok {0} works {0}\n", "1..{0}\n# fail {0}\n"),
    ],
    ids=["jest", "tap"],
)
def test_more_failed_tests_than_are_kept_are_counted(head: str, test: str, total: str) -> None:
    seen = read(head + "".join(test.format(number) for number in range(1, MANY + 1)) + total.format(MANY))
    assert (len(seen.found), seen.dropped) == (MOST_FOUND, MOST_FAILED - MOST_FOUND)
    assert (dict(seen.counts), seen.missing) == ({"failed": MANY}, 500)
