"""What the logs of `tests/fixtures/tools/rspec` and `minitest` do not show."""

from __future__ import annotations

from tests.parsers.test_runners.test_javascript import found, read

RAILS = """\
Running 3 tests in a single process (parallelization threshold is 50)
Run options: --seed 30021

# Running:

.F

Failure:
CartTest#test_total [test/models/cart_test.rb:6]:
Expected: 4
  Actual: 3


bin/rails test test/models/cart_test.rb:5

E

Error:
CartTest#test_load:
RuntimeError: no such file
    app/models/cart.rb:2:in `load'
    test/models/cart_test.rb:10:in `block in <class:CartTest>'


bin/rails test test/models/cart_test.rb:9



Finished in 0.043s, 69.7 runs/s, 46.5 assertions/s.
3 runs, 2 assertions, 1 failures, 1 errors, 0 skips
"""


def test_rails_prints_failures_as_they_come() -> None:
    assert found(RAILS) == [
        ("test/models/cart_test.rb", 6, "CartTest#test_total", "Expected: 4 Actual: 3"),
        ("test/models/cart_test.rb", 10, "CartTest#test_load", "RuntimeError: no such file"),
    ]
    assert dict(read(RAILS).counts) == {"failed": 1, "errors": 1, "passed": 1}


def test_a_hook_of_rspec_that_fails_is_no_example() -> None:
    log = (
        "\nAn error occurred in a `before(:suite)` hook.\nFailure/Error: raise 'no database'\n\n"
        "RuntimeError:\n  no database\n# ./spec/spec_helper.rb:3:in `block in <top (required)>'\n\n\n"
        "Finished in 0.00006 seconds (files took 0.38786 seconds to load)\n"
        "0 examples, 0 failures, 1 error occurred outside of examples\n"
    )
    assert found(log) == [("spec/spec_helper.rb", 3, "`before(:suite)` hook", "RuntimeError: no database")]
    assert dict(read(log).counts) == {"errors": 1}


def test_a_total_that_a_program_prints_is_not_of_rspec() -> None:
    assert not read("4 examples, 2 failures\n").calls


def test_failures_after_those_of_jasmine_are_not_rspecs() -> None:
    jasmine = (
        "Randomized with seed 1\nStarted\nF\n\nFailures:\n1) cart total\n  Message:\n    Expected 3 to equal 4.\n"
        "  Stack:\n        at <Jasmine>\n\n1 spec, 1 failure\nFinished in 0.01 seconds\n"
    )
    minitest = (
        "Run options: --seed 1\n\n# Running:\n\nF\n\nFinished in 0.001s, 1000.0 runs/s, 1000.0 assertions/s.\n\n"
        "  1) Failure:\nCartTest#test_total [test/cart_test.rb:6]:\nExpected: 4\n  Actual: 3\n\n"
        "1 runs, 1 assertions, 1 failures, 0 errors, 0 skips\n"
    )
    assert [(call.tool, call.counts["failed"]) for call in read(jasmine + minitest).calls] == [
        ("jasmine", 1),
        ("minitest", 1),
    ]
