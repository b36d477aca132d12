"""Lines and tables for people."""

from __future__ import annotations

from bgrun.cli import format

ROWS = [["start tests [path=tests]", "The whole test suite, with coverage of every module"], ["start lint", ""]]


def test_descriptions_wrap_below_each_other() -> None:
    assert format.wrapped_table(ROWS, 50) == [
        "start tests [path=tests]  The whole test suite,",
        "                          with coverage of every",
        "                          module",
        "start lint",
    ]


def test_without_room_to_wrap_lines_are_long() -> None:
    assert format.wrapped_table(ROWS, 30) == format.table(ROWS)
