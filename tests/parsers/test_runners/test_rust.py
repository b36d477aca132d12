"""What the logs of `tests/fixtures/tools/cargo` and `nextest` do not show."""

from __future__ import annotations

from tests.parsers.test_runners.test_javascript import found, read

OLD = """\
     Running unittests src/lib.rs (target/debug/deps/shop-507999230d6984fa)

running 2 tests
test tests::adds ... FAILED
test tests::works ... ok

failures:

---- tests::adds stdout ----
thread 'tests::adds' panicked at 'assertion failed: `(left == right)`
  left: `3`,
 right: `4`: totals', src/lib.rs:7:9
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace


failures:
    tests::adds

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

"""
ERRORS = """\
     Running unittests src/lib.rs (target/debug/deps/{crate}-507999230d6984fa)

running 1 test
test tests::loads ... FAILED

failures:

---- tests::loads stdout ----
Error: "no {crate}"


failures:
    tests::loads

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

"""


def test_a_panic_of_rust_before_1_73_has_its_message_first() -> None:
    message = "assertion failed: `(left == right)` left: `3`, right: `4`: totals"
    assert found(OLD) == [("src/lib.rs", 7, "tests::adds", message)]
    one_line = OLD.replace("`\n  left: `3`,\n right: `4`: totals", "`")
    assert found(one_line) == [("src/lib.rs", 7, "tests::adds", "assertion failed: `(left == right)`")]


def test_two_crates_may_have_a_test_of_one_name() -> None:
    log = ERRORS.format(crate="one") + ERRORS.format(crate="two")
    assert [one[2:] for one in found(log)] == [
        ("tests::loads", 'Error: "no one"'),
        ("two tests::loads", 'Error: "no two"'),
    ]
    assert dict(read(log).counts) == {"failed": 2}


def test_a_harness_that_was_killed_has_what_it_had_printed() -> None:
    assert found(OLD.partition("failures:")[0]) == [("src/lib.rs", None, "tests::adds", "")]


def test_a_test_that_succeeds_at_another_attempt_has_not_failed() -> None:
    log = (
        "    Starting 2 tests across 1 binary\n"
        "  TRY 1 FAIL [   0.018s] (───) shop tests::a\n  stderr ───\n\n"
        "    thread 'tests::a' (1) panicked at src/lib.rs:3:9:\n    no luck\n\n"
        "  TRY 2 PASS [   0.011s] (1/2) shop tests::a\n"
        '        FAIL [   0.018s] (2/2) shop tests::b\n  stderr ───\n\n    Error: "no"\n\n'
        "     Summary [   0.238s] 2 tests run: 1 passed (1 flaky), 1 failed, 0 skipped\n"
    )
    assert found(log) == [(None, None, "shop tests::b", 'Error: "no"')]
    assert dict(read(log).counts) == {"failed": 1, "passed": 1, "flaky": 1}
