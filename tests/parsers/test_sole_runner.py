"""Whether a command is a test runner and nothing else."""

from __future__ import annotations

import pytest

from bgrun.parsers import registry
from bgrun.parsers.notes import sole_runner


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("pytest", "pytest"),
        ("CI=1 uv run pytest -q -s tests", "pytest"),
        ("python3 -m unittest -v", "unittest"),
        ("jest", "jest"),
        ("npx --no-install jest --ci", "jest"),
        ("NODE_ENV=test ./node_modules/.bin/vitest run", "vitest"),
        ("pnpm exec vitest run", "vitest"),
        ("yarn mocha test", "mocha"),
        ("go test ./...", "go"),
        ("cargo test --workspace", "cargo-test"),
        ("cargo +nightly nextest run", "cargo-test"),
    ],
)
def test_a_test_runner_alone(command: str, tool: str) -> None:
    found = sole_runner.sole_runner(command)
    assert found
    assert found.tools[0] == tool
    assert {*found.tools, *found.beside} <= set(registry.names())


@pytest.mark.parametrize(
    "command",
    [
        *("", "pytest; gcc a.c", "tsc && jest", "jest | tee log", "go build ./...", "cargo build", "cargo tester"),
        *("npm test", "make test", "jest-codemods x", "echo $(go test)", "sh -c 'pytest'", "go testing", "gotest"),
    ],
)
def test_any_other_command(command: str) -> None:
    assert sole_runner.sole_runner(command) is None


def test_several_commands() -> None:
    both = sole_runner.sole_runners(["pytest", "jest", "pytest -q"])
    assert both
    assert both.tools == ("pytest", "jest", "tap")
    assert sole_runner.sole_runners(["pytest", "tsc"]) is None
    assert sole_runner.sole_runners([]) is None
