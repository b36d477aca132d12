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
        ("=== Failed\n", "=== FAIL: cart Test{0} (0.00s)\n", "\nDONE {0} tests, {0} failures in 1.0s\n"),
        ("Failures:\n", "{0}) works {0}\n  Message:\n    no\n", "{0} specs, {0} failures\nFinished in 1.0 seconds\n"),
        (
            "PHPUnit 9.6.7 by Sebastian Bergmann\n\nTime: 00:01, Memory: 4.00 MB\n\nThere were 9 failures:\n\n",
            "{0}) A::test{0}\nno\n\n/a/A.php:{0}\n\n",
            "Tests: {0}, Assertions: {0}, Failures: {0}.\n",
        ),
    ],
    ids=["jest", "tap", "gotestsum", "jasmine", "phpunit"],
)
def test_more_failed_tests_than_are_kept_are_counted(head: str, test: str, total: str) -> None:
    seen = read(head + "".join(test.format(number) for number in range(1, MANY + 1)) + total.format(MANY))
    assert (len(seen.found), seen.dropped) == (MOST_FOUND, MOST_FAILED - MOST_FOUND)
    assert (dict(seen.counts), seen.missing) == ({"failed": MANY}, 500)
