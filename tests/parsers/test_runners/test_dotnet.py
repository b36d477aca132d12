"""What the logs of `tests/fixtures/tools/dotnet-test` do not show."""

from __future__ import annotations

from tests.parsers.test_runners.test_javascript import found, read

FAILED = """\
  Failed Shop.CartTests.{name} [7 ms]
  Error Message:
   Assert.Equal() Failure: Values differ
Expected: 4
Actual:   3
  Stack Trace:
     at Shop.Cart.Check(Int32 n) in /home/dev/project/Cart.cs:line 3
   at Shop.CartTests.{name}() in /home/dev/project/CartTests.cs:line {line}
"""
MESSAGE = "Assert.Equal() Failure: Values differ Expected: 4 Actual: 3"


def total(failed: int) -> str:
    return f"Failed!  - Failed:     {failed}, Passed:     2, Skipped:     1, Total:     4, Duration: 7 ms - a.dll (net8.0)\n"


def test_the_place_is_that_of_the_test_in_a_stack_trace() -> None:
    log = "Starting test execution, please wait...\n" + FAILED.format(name="Adds", line=10) + total(1)
    assert found(log) == [("/home/dev/project/CartTests.cs", 10, "Shop.CartTests.Adds", MESSAGE)]


def test_assemblies_that_are_tested_at_once_are_counted_together() -> None:
    start = "Starting test execution, please wait...\n"
    tests = FAILED.format(name="Adds", line=10), FAILED.format(name="Takes", line=20)
    log = start + tests[0] + start + tests[1] + total(1) + "noise\n" + total(1)
    assert [one[2] for one in found(log)] == ["Shop.CartTests.Adds", "Shop.CartTests.Takes"]
    assert (dict(read(log).counts), read(log).missing) == ({"failed": 2, "passed": 4, "skipped": 2}, 0)
    assert read(log.replace(tests[1], "")).missing == 1


def test_a_test_host_that_crashes_is_a_problem() -> None:
    log = (
        "Starting test execution, please wait...\n"
        "The active test run was aborted. Reason: Test host process crashed\n"
        "Total tests: Unknown\n     Passed: 1\n Total time: 1.6 Seconds\n"
    )
    assert found(log) == [(None, None, None, "Test host process crashed")]
    assert dict(read(log).counts) == {"errors": 1, "passed": 1}


def test_the_form_of_the_first_versions_is_known() -> None:
    log = (
        "Starting test execution, please wait...\n"
        "Passed   Shop.UnitTest1.PassingTest\n"
        "Failed   Shop.UnitTest1.FailingTest\n"
        "Error Message:\n Assert.AreEqual failed. Expected:<2>. Actual:<3>.\n"
        "Stack Trace:\n   at Shop.UnitTest1.FailingTest() in /home/dev/project/Tests.cs:line 29\n\n"
        "Skipped  Shop.UnitTest1.SkippingTest\nTest Run Failed.\n"
    )
    message = "Assert.AreEqual failed. Expected:<2>. Actual:<3>."
    assert found(log) == [("/home/dev/project/Tests.cs", 29, "Shop.UnitTest1.FailingTest", message)]
