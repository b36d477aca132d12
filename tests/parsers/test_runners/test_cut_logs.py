"""A run that is killed leaves the beginning of a log: what is found in it is true, though not complete."""

from __future__ import annotations

import pytest

from bgrun.parsers.shape import WEAK
from tests.parsers.test_tools import CASES, Case, recognized

TOOLS = ("jest/jest30", "vitest/vitest4", "mocha/mocha11", "node/node24", "playwright/list", "tap/tape", "go/verbose",
         "go/json", "cargo/cargo", "nextest/nextest", "rspec/rspec", "minitest/minitest", "bats/bats", "prove/prove",
         "ctest/output", "dotnet-test/nunit", "phpunit/phpunit9", "exunit/exunit", "bun/bun1", "deno/deno2", "gtest/gtest",
         "catch2/catch2", "robot/robot", "behave/behave", "jasmine/jasmine7")  # fmt: skip
CHOSEN = [case for case in CASES if case.name in TOOLS]


@pytest.mark.parametrize("case", CHOSEN, ids=[case.name for case in CHOSEN])
def test_the_beginning_of_a_log_has_no_other_problems(case: Case) -> None:
    assert len(CHOSEN) == len(TOOLS)
    wanted = {(one["id"], one["file"]) for one in case.wanted["problems"]}
    lines = case.log.splitlines(keepends=True)
    for part in (3, 5, 7):
        seen = recognized(b"".join(lines[: len(lines) * part // 8]))
        # A traceback that a test printed counts while nothing surer follows.
        found = [one.problem for call in seen.calls if call.certainty > WEAK for one in call.found]
        assert len(found) <= len(wanted)
        for problem in (one for one in found if one.file):
            # A section that ends before its stack trace has no file yet, and a subtest may lack the name of its test.
            assert any(id.endswith(problem.id or "") and file == problem.file for id, file in wanted)
