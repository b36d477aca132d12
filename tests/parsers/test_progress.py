"""How far a run is, from what tools print: real lines, odd ones, and patterns that never end."""

from __future__ import annotations

import pytest

from bgrun.errors import UsageError
from bgrun.parsers import bounded_regex, progress
from bgrun.parsers.progress import Progress


def told(line: str, *wanted: str) -> Progress | None:
    return progress.newest([line], progress.patterns(wanted))


@pytest.mark.parametrize(
    ("tool", "line", "expected"),
    [
        ("pytest", "tests/test_cart.py::test_total PASSED        [ 42%]", Progress(0.42)),
        ("pytest", "........................................ [120/300]", Progress(0.4, 120, 300)),
        ("ninja", "[12/48] Building CXX object foo.o", Progress(0.25, 12, 48)),
        ("ninja", "[ 50%] Linking CXX executable app", Progress(0.5)),
        ("cargo", "    Building [=====>       ] 30/120: serde, syn", Progress(0.25, 30, 120)),
        ("tqdm", " 76%|███████▌  | 760/1000 [00:33<00:10, 22.9it/s]", Progress(0.76, 760, 1000)),
        ("tqdm", "loading:  5%|▌         | ", Progress(0.05)),
        (r"step (\d+) of (\d+)", "step 3 of 4", Progress(0.75, 3, 4)),
        (r"(?P<percent>[\d.]+) percent", "12.5 percent done", Progress(0.125)),
        (r"at (\d+%)", "at 30%", Progress(0.3)),
        ("pytest", "1 failed in 0.1s [101%]", None),
        ("ninja", "[7/3] more than all", None),
        ("ninja", "[0/0] nothing to do", None),
    ],
)
def test_lines_of_tools(tool: str, line: str, expected: Progress | None) -> None:
    assert told(line, tool) == expected


def test_the_newest_line_counts() -> None:
    lines = ["warning: 3/4 of this is odd", "[9/10] b", "[8/10] a"]
    assert progress.newest(lines, progress.patterns(["ninja"])) == Progress(0.9, 9, 10)


def test_tools_are_known_from_the_command() -> None:
    assert progress.known_in("python -m pytest -q tests") == ["pytest"]
    assert progress.known_in("make test") == []


def test_a_pattern_that_backtracks_without_end_is_given_up() -> None:
    hostile = progress.patterns(["(a+)+$"])
    assert progress.newest(["a" * 4000 + "b"] * 1000, hostile) is None


def test_a_clock_that_is_up_searches_no_more() -> None:
    clock = bounded_regex.Clock(0.05)
    assert clock.search(bounded_regex.compiled("(a|aa)+$"), "a" * 4000 + "b") is None
    assert clock.is_up
    assert clock.search(bounded_regex.compiled("x"), "x") is None


def test_what_is_no_expression_is_reported() -> None:
    with pytest.raises(UsageError, match="pytest, ninja, cargo, tqdm"):
        progress.patterns(["(half"])
