"""What the logs of `tests/fixtures/tools` do not show of JavaScript test runners and TAP."""

from __future__ import annotations

import pytest

from bgrun.parsers.recognize import Recognized
from tests.conftest import TOP
from tests.parsers.test_tools import recognized


def read(log: str) -> Recognized:
    return recognized(log.encode())


def found(log: str) -> list[tuple[str | None, int | None, str | None, str]]:
    return [(one.problem.file, one.problem.line, one.problem.id, one.problem.message) for one in read(log).found]


JEST = """\
FAIL server tests/my dir/a.test.js (5.1 s)
  ● adds

    Error: no

      at Object.<anonymous> (tests/my dir/a.test.js:4:9)

FAIL tests/b c.test.js
  ● adds

    Error: other

      at Object.<anonymous> (tests/b c.test.js:7:9)

"""


def test_jest_prints_the_name_of_a_project_before_the_file() -> None:
    wanted = [("tests/my dir/a.test.js", 4, "adds", "Error: no"), ("tests/b c.test.js", 7, "adds", "Error: other")]
    assert found(JEST) == wanted
    assert found(JEST.replace("server tests", "  server   tests")) == wanted


def test_a_jest_that_was_killed_has_what_it_had_printed() -> None:
    seen = read(JEST)
    assert (dict(seen.counts), seen.missing) == ({"failed": 2}, 0)


def test_jest_counts_more_than_was_found() -> None:
    log = JEST + "Test Suites: 3 failed, 1 passed, 4 total\nTests:       5 failed, 2 passed, 7 total\n"
    seen = read(log)
    assert (dict(seen.counts), seen.missing) == ({"failed": 5, "passed": 2}, 3)


def test_jest_without_failed_tests_misses_its_threshold_of_coverage() -> None:
    log = (
        "PASS tests/a.test.js\n"
        'Jest: "global" coverage threshold for lines (80%) not met: 50%\n\n'
        "Test Suites: 1 passed, 1 total\nTests:       3 passed, 3 total\n"
    )
    assert found(log) == [
        (None, None, "coverage threshold", '"global" coverage threshold for lines (80%) not met: 50%')
    ]


def test_jest_that_cannot_start_says_why() -> None:
    log = "● Validation Error:\n\n  Module ./setup.js in the setupFiles option was not found.\n"
    assert found(log) == [(None, None, None, "Module ./setup.js in the setupFiles option was not found.")]
    assert found("No tests found, exiting with code 1\n") == [(None, None, None, "No tests found, exiting with code 1")]


VITEST = """\
 RUN  v3.2.4 /home/dev/project

⎯⎯⎯⎯⎯⎯⎯ Failed Tests 2 ⎯⎯⎯⎯⎯⎯⎯

 FAIL  |unit| tests/a.test.ts > adds
 FAIL  |unit| tests/b.test.ts > adds > twice
Error: no database
 ❯ connect lib/db.ts:3:9

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/2]⎯
"""


def test_tests_of_vitest_that_failed_alike_share_a_section() -> None:
    assert found(VITEST) == [
        ("tests/a.test.ts", None, "adds", "Error: no database"),
        ("tests/b.test.ts", None, "adds > twice", "Error: no database"),
    ]


def test_a_linter_after_vitest_has_its_own_problems() -> None:
    log = VITEST + "\n Test Files  2 failed (2)\n      Tests  2 failed (2)\n   Start at  10:00:00\n   Duration  1s\n"
    seen = read(log + "\nsrc/a.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n")
    assert [one.problem.tool for one in seen.found] == ["vitest", "vitest", "tsc"]


def test_what_follows_a_stream_of_tap_is_not_of_it() -> None:
    tap = "1..2\nok 1 works\nnot ok 2 adds\n# (in test file tests/a.bats, line 3)\n#   `false' failed\n"
    seen = read(tap + "src/a.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n")
    assert [one.problem.tool for one in seen.found] == ["tap", "tsc"]
    assert found(tap) == [("tests/a.bats", 3, "adds", "`false' failed")]


def test_two_streams_of_tap_are_counted_together() -> None:
    one = "1..2\nok 1 works\nnot ok 2 adds\n"
    assert dict(read(one + one.replace("adds", "subtracts")).counts) == {"failed": 2, "passed": 2}
    assert dict(read(f"TAP version 13\n{one}TAP version 13\n{one}").counts) == {"failed": 2, "passed": 2}


def test_a_line_like_a_result_before_a_stream_of_tap_is_not_of_it() -> None:
    tap = "1..3\nok 1 works\nnot ok 2 adds\n# (in test file tests/a.bats, line 3)\n#   `false' failed\nok 3 loads\n"
    for stray in ("not ok 3 - printed\n", "ok 200 GET /\nnot ok 404 GET /x\n"):
        seen = read(f"{stray}some text\n{tap}")
        assert dict(seen.counts) == {"failed": 1, "passed": 2}
        assert [one.problem.message for one in seen.found] == ["`false' failed"]
    assert dict(read("not ok 1 adds\nok 2 works\n1..2\n").counts) == {"failed": 1, "passed": 1}  # the plan may be last


@pytest.mark.parametrize(
    "tap",
    [
        "1..2\nok 1 works\nnot ok 2 adds\n",
        "ok 1 works\nnot ok 2 adds\n1..2\n",
        "TAP version 13\n1..2\nok 1 works\nnot ok 2 adds\n",
    ],
)
@pytest.mark.parametrize("stray", ["not ok 3 x\n", "uploading\nnot ok 3 x\n", "uploading\nok 3 x\nok 17\nnot ok 404\n"])
def test_a_line_like_a_result_after_a_stream_of_tap_keeps_what_it_counted(tap: str, stray: str) -> None:
    seen = read(tap + stray)
    assert [one.problem.id for one in seen.found][:1] == ["adds"]
    if stray.startswith("uploading"):
        assert (dict(seen.counts), len(seen.found)) == ({"failed": 1, "passed": 1}, 1)


def test_a_stream_of_tap_that_was_cut_has_what_it_had_printed() -> None:
    """Bats prints its plan first; it was killed."""
    seen = read(
        "1..60\nok 1 works\nnot ok 2 adds\n# (in test file tests/a.bats, line 3)\n#   `false' failed\nok 3 lo\n"
    )
    assert dict(seen.counts) == {"failed": 1, "passed": 2}
    assert [one.problem.file for one in seen.found] == ["tests/a.bats"]


def test_lines_like_results_are_no_stream_of_tap() -> None:
    assert not read("not ok 3 - forged\nit is not ok 4\n").calls
    assert not read("1..3\nok 1 - forged\n").calls


def test_tap_keeps_a_parent_that_failed_for_a_reason_of_its_own() -> None:
    log = (
        "TAP version 14\n"
        "# Subtest: outer\n    ok 1 - inner\n    1..1\n"
        "not ok 1 - outer\n  ---\n  message: 'teardown failed'\n  at: /p/a.js:3:1\n  ...\n1..1\n"
    )
    assert found(log) == [("/p/a.js", 3, "outer", "teardown failed")]


def test_of_node_a_listed_failure_that_is_lost_counts_as_not_recognized() -> None:
    """Parents account for what the list leaves out only if the list has every test within them."""
    log = (TOP / "tests/fixtures/tools/node/node24-subtests.log").read_bytes()
    start = log.index(b"\ntest at ", log.index("✖ failing tests".encode()))
    end = log.index(b"\ntest at ", start + 1)
    assert recognized(log).missing == 0
    assert recognized(log[:start] + log[end:]).missing > 0


def test_the_code_of_an_option_is_no_file() -> None:
    """As Node.js prints a test that is given with `node -e`."""
    frame = "at TestContext.<anonymous> ([eval]:1:65)"
    listed = f"✖ failing tests:\n\ntest at [eval]:1:30\n✖ evaled (1.1ms)\n  Error: no\n      {frame}\n"
    assert found(f"✖ evaled (1.1ms)\nℹ tests 1\nℹ fail 1\n\n{listed}") == [(None, None, "evaled", "Error: no")]
    fields = f"  ---\n  location: '[eval]:1:30'\n  error: 'no'\n  stack: |-\n    {frame}\n  ...\n"
    assert found(f"TAP version 13\nnot ok 1 - evaled\n{fields}1..1\n# fail 1\n") == [(None, None, "evaled", "no")]
