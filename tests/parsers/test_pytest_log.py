"""Where tests failed and how many, from a log of pytest."""

from __future__ import annotations

import pytest

from bgrun.parsers import pytest_log
from bgrun.parsers.problem_matchers import Problem

LOG = """\
=================================== FAILURES ===================================
______________________________ TestCart.test_total ______________________________

    def test_total(self):
>       assert total() == 4
E       assert 3 == 4

tests/test_cart.py:12: AssertionError
_________________________________ test_helper __________________________________

tests/test_cart.py:20: in test_helper
tests/helpers.py:7: ValueError
E   ValueError: a long message that the summary cuts off
=========================== short test summary info ============================
FAILED tests/test_cart.py::TestCart::test_total - assert 3 == 4
FAILED tests/test_cart.py::test_helper - ValueError: a long mess...
========================= 2 failed, 3 passed in 0.12s =========================
""".splitlines()


def problem(test: str, message: str) -> Problem:
    return Problem("tests/test_cart.py", None, f"tests/test_cart.py::{test}", message)


def test_a_failure_has_the_line_and_the_whole_message_of_its_section() -> None:
    found = pytest_log.located(
        [problem("TestCart::test_total", "assert 3 == 4"), problem("test_helper", "ValueError: a long mess...")], LOG
    )
    assert [(one.line, one.message) for one in found] == [
        (12, "assert 3 == 4"),
        (None, "ValueError: a long message that the summary cuts off"),  # its last line is in another file
    ]


def test_a_problem_without_a_section_stays_as_it_is() -> None:
    one = problem("test_other", "assert 0")
    assert pytest_log.located([one], LOG) == [one]
    assert pytest_log.located([one], []) == [one]


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("== 2 failed, 3 passed in 0.12s ==", {"failed": 2, "passed": 3}),
        ("1 passed in 0.01s", {"passed": 1}),
        ("=== 1 error, 10 warnings in 125.03s (0:02:05) ===", {"error": 1, "warnings": 10}),
        ("2 failed in the end", None),
        ("", None),
    ],
)
def test_counts_are_those_of_the_summary_line(line: str, counts: dict[str, int] | None) -> None:
    assert pytest_log.counts([line]) == counts


def test_the_first_summary_line_counts() -> None:
    assert pytest_log.counts(reversed(LOG)) == {"failed": 2, "passed": 3}
