"""What an error about an unknown name suggests."""

from __future__ import annotations

import pytest

from bgrun.errors import UnknownNameError


@pytest.mark.parametrize(
    ("known", "hint", "shown"),
    [
        (["tests", "lint"], "", "did you mean 'tests'?"),
        (["tests", "lint"], "list jobs with 'bgrun jobs'", "did you mean 'tests'? List jobs with 'bgrun jobs'"),
        (["lint"], "list jobs with 'bgrun jobs'", "list jobs with 'bgrun jobs'"),
        (["lint", "docs"], "", "available jobs: docs, lint"),
        (
            [f"n{number}" for number in range(10, 20)],
            "",
            f"available jobs: {', '.join(f'n{n}' for n in range(10, 20))}",
        ),
        ([f"n{number}" for number in range(10, 27)], "", "available jobs: n10, n11, n12, n13, n14, … (12 more)"),
        ([], "", ""),
    ],
)
def test_the_hint_names_what_is_near_or_what_exists(known: list[str], hint: str, shown: str) -> None:
    error = UnknownNameError("job", "test", known, hint)
    assert (error.message, error.hint) == ("no job named 'test'", shown)
