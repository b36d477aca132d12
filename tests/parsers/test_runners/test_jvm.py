"""What the logs of `tests/fixtures/tools/gradle-test` do not show."""

from __future__ import annotations

from tests.parsers.test_runners.test_javascript import found, read

JUNIT5 = """\

> Task :test FAILED

AssumptionsTest > nothing() SKIPPED

CartTest > adds(int, int) > [2] 2, 2 FAILED
    org.opentest4j.AssertionFailedError: expected: <5> but was: <4>
        at org.junit.jupiter.api.AssertionFailureBuilder.build(AssertionFailureBuilder.java:151)
        at app//org.junit.jupiter.api.Assertions.assertEquals(Assertions.java:531)
        at app//com.example.CartTest.adds(CartTest.java:21)

CartTest > Discounts > rounded down FAILED
    java.lang.IllegalArgumentException: negative price: -1
        at com.example.Price.of(Price.java:8)
        at com.example.CartTest$Discounts.rounds(CartTest.java:33)

        Caused by:
        java.io.IOException: no such store
            at com.example.Price.load(Price.java:17)
            ... 2 more

Gradle Test Run :test > Gradle Test Executor 12 > LoadTest > loads() FAILED
    org.opentest4j.AssertionFailedError at LoadTest.kt:9

12 tests completed, 3 failed, 1 skipped
"""


def test_gradle_with_junit_5_names_nested_and_parameterized_tests() -> None:
    failed = "org.opentest4j.AssertionFailedError"
    assert found(JUNIT5) == [
        (
            "com/example/CartTest.java",
            21,
            "CartTest > adds(int, int) > [2] 2, 2",
            f"{failed}: expected: <5> but was: <4>",
        ),
        (
            "com/example/CartTest.java",
            33,
            "CartTest > Discounts > rounded down",
            "java.lang.IllegalArgumentException: negative price: -1",
        ),
        ("LoadTest.kt", 9, "LoadTest > loads()", failed),
    ]
    assert dict(read(JUNIT5).counts) == {"failed": 3, "passed": 8, "skipped": 1}


def test_each_test_task_of_gradle_has_its_total() -> None:
    seen = read(
        JUNIT5
        + "\n> Task :other:test FAILED\n\nShopTest > opens FAILED\n    java.lang.AssertionError at ShopTest.java:3\n\n1 test completed, 1 failed\n"
    )
    assert dict(seen.counts) == {"failed": 4, "passed": 8, "skipped": 1}
    assert len(seen.found) == 4


def test_what_another_program_says_failed_is_not_gradles() -> None:
    assert not read("a > b FAILED\nc > d FAILED\n3 tests completed\n").calls
