"""What the logs of `tests/fixtures/tools/swift` do not show: the totals of XCTest, in the form of its issue 472."""

from __future__ import annotations

from tests.parsers.test_runners.test_javascript import found, read

XCTEST = """\
Test Suite 'All tests' started at 2024-01-03 15:08:21.364
Test Suite 'debug.xctest' started at 2024-01-03 15:08:21.364
Test Suite 'CartTests' started at 2024-01-03 15:08:21.364
Test Case 'CartTests.testTotal' started at 2024-01-03 15:08:21.364
/home/dev/shop/Tests/ShopTests/CartTests.swift:9: error: CartTests.testTotal : XCTAssertEqual failed: ("3") is not equal to ("4") - totals
/home/dev/shop/Tests/ShopTests/CartTests.swift:10: error: CartTests.testTotal : XCTAssertTrue failed -
Test Case 'CartTests.testTotal' failed (0.001 seconds)
Test Case 'CartTests.testLater' started at 2024-01-03 15:08:21.364
Test Case 'CartTests.testLater' skipped (0.001 seconds)
Test Case 'CartTests.testWorks' started at 2024-01-03 15:08:21.364
Test Case 'CartTests.testWorks' passed (0.001 seconds)
Test Suite 'CartTests' failed at 2024-01-03 15:08:21.364
\t Executed 3 tests, with 1 test skipped and 2 failures (0 unexpected) in 0.003 (0.003) seconds
Test Suite 'debug.xctest' failed at 2024-01-03 15:08:21.364
\t Executed 3 tests, with 1 test skipped and 2 failures (0 unexpected) in 0.003 (0.003) seconds
Test Suite 'All tests' failed at 2024-01-03 15:08:21.364
\t Executed 3 tests, with 1 test skipped and 2 failures (0 unexpected) in 0.003 (0.003) seconds
"""


def test_a_test_with_several_failures_is_one_and_nested_suites_count_once() -> None:
    message = 'XCTAssertEqual failed: ("3") is not equal to ("4") - totals'
    assert found(XCTEST) == [("/home/dev/shop/Tests/ShopTests/CartTests.swift", 9, "CartTests.testTotal", message)]
    assert (dict(read(XCTEST).counts), read(XCTEST).missing) == ({"failed": 1, "passed": 1, "skipped": 1}, 0)


def test_swift_testing_after_xctest_adds_to_it() -> None:
    log = XCTEST + "◇ Test run started.\n✔ Test run with 4 tests in 2 suites passed after 0.001 seconds.\n"
    assert dict(read(log).counts) == {"failed": 1, "passed": 5, "skipped": 1}
