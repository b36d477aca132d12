"""What the logs of `tests/fixtures/tools/go` do not show."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.parsers import terminal
from bgrun.parsers.recognize import Recognizer
from bgrun.parsers.test_runners.golang.go import Go
from tests.parsers.test_runners.test_javascript import found, read

TESTIFY = """\
--- FAIL: TestTotal (0.00s)
    cart_test.go:9: three prices
    cart_test.go:12:
        \tError Trace:\t/home/dev/project/cart/cart_test.go:12
        \tError:      \tNot equal:
        \t            \texpected: 4
        \t            \tactual  : 3
        \tTest:       \tTestTotal
        \tMessages:   \tof the cart
FAIL
FAIL\texample.com/shop/cart\t0.005s
"""


def test_the_message_of_testify_is_its_error() -> None:
    assert found(TESTIFY) == [("cart_test.go", 12, "TestTotal", "Not equal: expected: 4 actual : 3")]


def test_lines_of_parallel_tests_belong_to_the_test_that_continues() -> None:
    log = (
        "=== RUN   TestA\n=== PAUSE TestA\n=== RUN   TestB\n=== PAUSE TestB\n"
        "=== CONT  TestA\n=== CONT  TestB\n    x_test.go:9: of B\n=== NAME  TestA\n    x_test.go:5: of A\n"
        "--- FAIL: TestB (0.00s)\n--- FAIL: TestA (0.00s)\nFAIL\nFAIL\texample.com/x\t0.1s\n"
    )
    assert found(log) == [("x_test.go", 9, "TestB", "of B"), ("x_test.go", 5, "TestA", "of A")]


def test_a_failure_without_a_word_counts() -> None:
    log = "--- FAIL: TestA (0.00s)\nFAIL\nexit status 1\nFAIL\texample.com/x\t0.1s\n"
    assert found(log) == [(None, None, "TestA", "")]
    assert dict(read(log).counts) == {"failed": 1}


def test_a_go_that_was_killed_has_what_it_had_printed() -> None:
    assert found(TESTIFY.partition("FAIL\nFAIL")[0]) == found(TESTIFY)


def test_packages_in_json_may_be_mixed() -> None:
    events = [
        {"Action": "run", "Package": "a", "Test": "TestX"},
        {"Action": "run", "Package": "b", "Test": "TestX"},
        {"Action": "output", "Package": "b", "Test": "TestX", "Output": "    b_test.go:3: of b\n"},
        {"Action": "output", "Package": "a", "Test": "TestX", "Output": "    a_test.go:2: of a\n"},
        {"Action": "fail", "Package": "b", "Test": "TestX"},
        {"Action": "fail", "Package": "a", "Test": "TestX"},
        {"Action": "fail", "Package": "a"},
        {"Action": "fail", "Package": "b"},
    ]
    log = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    assert found(log) == [("b_test.go", 3, "TestX", "of b"), ("a_test.go", 2, "TestX", "of a")]
    assert not read('{"Action":"run"\n{"Action":"fail","level":"info"}\n').calls


def test_a_line_that_a_program_logs_is_no_error_of_the_compiler() -> None:
    assert not read("main.go:23: starting\n2026/01/02 03:04:05 main.go:23: starting\n").calls
    assert found("./main.go:5:2: undefined: y\n") == [("./main.go", 5, None, "undefined: y")]


def test_a_panic_that_is_only_printed_is_none() -> None:
    log = "--- FAIL: TestA (0.00s)\n    a_test.go:3: bad\npanic: only printed\nFAIL\nFAIL\texample.com/x\t0.1s\n"
    assert found(log) == [("a_test.go", 3, "TestA", "bad")]


NAMES = st.sampled_from(["TestA", "TestB", "TestC_d"])
LOGGED = st.sampled_from(
    [
        "",
        "    a_test.go:3: got 1, want 2\n",
        "    --- FAIL: TestA/x (0.00s)\n",
        "printed\n",
        "panic: no\n",
        "=== CONT  TestA\n",
    ]
)
ENDED = st.sampled_from(["PASS", "PASS", "PASS", "PASS", "FAIL", "SKIP"])


@st.composite
def verbose_tests(draw: st.DrawFn) -> str:
    """Return the output of one test with `-v`, which may have subtests."""
    name, subtests = draw(NAMES), draw(st.lists(st.sampled_from("xyz"), max_size=3, unique=True))
    runs = "".join(f"=== RUN   {name}/{one}\n{draw(LOGGED)}" for one in subtests)
    ends = "".join(f"    --- {draw(ENDED)}: {name}/{one} (0.00s)\n" for one in subtests)
    return f"=== RUN   {name}\n{draw(LOGGED)}{runs}{draw(LOGGED)}--- {draw(ENDED)}: {name} (0.01s)\n{ends}"


@given(st.lists(verbose_tests(), max_size=12), st.sampled_from(["", "FAIL\n", "PASS\n"]), st.integers(40, 1000))
def test_tests_that_passed_are_read_at_once_with_the_same_result(tests: list[str], end: str, size: int) -> None:
    log = ("".join(tests) + end + "FAIL\texample.com/shop\t0.1s\n").encode()
    results = []
    for leaps in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Go, "leaps", leaps)
            recognizer = Recognizer(lambda raw: terminal.clean(terminal.decode(raw)))
            for at in range(0, len(log), size):
                recognizer.feed(log[at : at + size])
            results.append(recognizer.result())
    assert results[0] == results[1]


PANIC = """\
panic: no such store

goroutine 1 [running]:
main.main()
\t/home/dev/project/main.go:16 +0x55
"""
UNITTEST = f"""\
.F..
{"=" * 70}
FAIL: test_total (test_a.CartTest.test_total)
{"-" * 70}
Traceback (most recent call last):
  File "/home/dev/project/test_a.py", line 6, in test_total
    self.assertEqual(3, 4)
AssertionError: 3 != 4

{"-" * 70}
Ran 4 tests in 0.001s

FAILED (failures=1)
"""


@pytest.mark.parametrize("end", ["", "exit status 2\n"])
def test_what_follows_the_panic_of_a_program_is_the_next_tools(end: str) -> None:
    seen = read(PANIC + end + UNITTEST)
    assert [(call.tool, dict(call.counts)) for call in seen.calls] == [
        ("go", {"failed": 0, "errors": 1}),
        ("unittest", {"failed": 1, "passed": 3}),
    ]
    assert [one.problem.message for one in seen.found] == ["panic: no such store", "AssertionError: 3 != 4"]


def test_a_panic_without_a_test_is_an_error() -> None:
    """`go run` has no tests; in a package it came before the first one."""
    for log in (PANIC + "exit status 2\n", PANIC + "FAIL\texample.com/x\t0.007s\nFAIL\n"):
        seen = read(log)
        assert (dict(seen.counts), [one.problem.test for one in seen.found]) == ({"errors": 1}, [False])


def test_a_million_tests_that_passed_are_not_read_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = 0
    feed = Go.feed

    def counted(parser: Go, line: str) -> bool:
        nonlocal lines
        lines += 1
        return feed(parser, line)

    monkeypatch.setattr(Go, "feed", counted)
    one = "=== RUN   Test{0}\n    a_test.go:3: ok\n=== RUN   Test{0}/x\n--- PASS: Test{0} (0.00s)\n    --- PASS: Test{0}/x (0.00s)\n"
    log = "".join(one.format(number) for number in range(2000)) + "FAIL\texample.com/shop\t0.1s\n"
    assert dict(read(log).counts) == {"errors": 1, "passed": 2000}
    assert lines < 200  # of 10,000
