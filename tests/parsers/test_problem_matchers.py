"""Problem matchers over the output of real tools: of those that are here, and lines recorded from the others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.parsers import bounded_regex, problem_matchers
from bgrun.parsers.shape import Problem
from bgrun.wording import short

# Matchers of several kinds: for one line, for two, and one whose last pattern loops.
DOCUMENTS: dict[str, list[dict[str, Any]]] = {
    "tsc": [
        {
            "owner": "tsc",
            "pattern": [
                {
                    "regexp": "^([^\\s(][^(]*)\\((\\d+),(\\d+)\\): (error|warning) (TS\\d+): (.*)$",
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "code": 5,
                    "message": 6,
                }
            ],
        },
        {
            "owner": "tsc-pretty",
            "pattern": [
                {
                    "regexp": "^([^\\s:][^:]*):(\\d+):(\\d+) - (error|warning) (TS\\d+): (.*)$",
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "code": 5,
                    "message": 6,
                }
            ],
        },
    ],
    "eslint-stylish": [
        {
            "owner": "eslint-stylish",
            "pattern": [
                {"regexp": "^((?:[A-Za-z]:)?[^\\s].*\\.[A-Za-z]+)$", "file": 1},
                {
                    "regexp": "^\\s+(\\d+):(\\d+)\\s+(error|warning|info)\\s+(.*?)(?:\\s\\s+(\\S+))?$",
                    "line": 1,
                    "column": 2,
                    "severity": 3,
                    "message": 4,
                    "code": 5,
                    "loop": True,
                },
            ],
        }
    ],
    "cargo": [
        {
            "owner": "rustc",
            "pattern": [
                {"regexp": "^(error|warning)(?:\\[(E\\d+)\\])?: (.*)$", "severity": 1, "code": 2, "message": 3},
                {"regexp": "^\\s*--> ([^:]+):(\\d+):(\\d+)$", "file": 1, "line": 2, "column": 3},
            ],
        }
    ],
    "gcc": [
        {
            "owner": "gcc",
            "pattern": [
                {
                    "regexp": "^([^\\s:][^:]*):(\\d+):(?:(\\d+):)? (fatal error|error|warning): (.*?)(?: \\[(-W[^\\]]+)\\])?$",
                    "file": 1,
                    "line": 2,
                    "column": 3,
                    "severity": 4,
                    "message": 5,
                    "code": 6,
                }
            ],
        },
        {
            "owner": "linker",
            "pattern": [
                {
                    "regexp": "^(?:\\S*ld|collect2|\\S+\\.o)(?:\\.\\w+)?: .*?((?:undefined reference|error|cannot find|multiple definition).*)$",
                    "message": 1,
                }
            ],
        },
    ],
}

# As the tools' own documentation and test suites show them.
RECORDED = {
    "tsc": (
        "src/app.ts(12,5): error TS2322: Type 'string' is not assignable to type 'number'.\n"
        "src/b.ts:3:7 - error TS2304: Cannot find name 'x'.\n",
        [
            Problem("src/app.ts", 12, "TS2322", "Type 'string' is not assignable to type 'number'.", column=5),
            Problem("src/b.ts", 3, "TS2304", "Cannot find name 'x'.", column=7),
        ],
    ),
    "eslint-stylish": (
        "\n/code/lib/a.js\n  1:10  error    'x' is defined but never used  no-unused-vars\n"
        "  5:1   warning  Missing semicolon               semi\n\n/code/b.js\n  2:3  error  Parsing error: Unexpected token\n",
        [
            Problem("/code/lib/a.js", 1, "no-unused-vars", "'x' is defined but never used", column=10),
            Problem("/code/lib/a.js", 5, "semi", "Missing semicolon", "warning", column=1),
            Problem("/code/b.js", 2, None, "Parsing error: Unexpected token", column=3),
        ],
    ),
    "cargo": (
        "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:5\n  |\n",
        [Problem("src/main.rs", 2, "E0425", "cannot find value `x` in this scope", column=5)],
    ),
    "gcc": (
        "a.c:4:9: warning: unused variable 'x' [-Wunused-variable]\na.c:9:2: fatal error: x.h: No such file\n"
        "/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `foo'\n"
        "collect2: error: ld returned 1 exit status\n",
        [
            Problem("a.c", 4, "-Wunused-variable", "unused variable 'x'", "warning", column=9),
            Problem("a.c", 9, None, "x.h: No such file", column=2),
            Problem(None, None, None, "error: ld returned 1 exit status"),
        ],
    ),
}


def found_in(text: str, *names: str) -> list[Problem]:
    documents = [one for name in names for one in DOCUMENTS[name]]
    return list(problem_matchers.find(text.splitlines(), problem_matchers.parse(documents), bounded_regex.Clock(5)))


@pytest.mark.parametrize("tool", RECORDED)
def test_recorded_output(tool: str) -> None:
    text, expected = RECORDED[tool]
    assert found_in(text, tool) == expected


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"owner": "x"},
        {"owner": "x", "pattern": []},
        {"owner": "x", "pattern": [{"message": 1}]},
        {"owner": "x", "pattern": [{"regexp": "a", "message": -1}]},
        {"owner": "x", "pattern": [{"regexp": "(", "message": 1}]},
        {"owner": "x", "pattern": ["a"]},
        {"owner": "x", "pattern": 3},
        [],
        None,
    ],
)
def test_what_is_no_matcher_is_reported(document: object) -> None:
    with pytest.raises(UsageError):
        problem_matchers.parse([document])  # type: ignore[list-item]


def test_a_group_that_the_regexp_lacks_is_as_if_it_were_not_named() -> None:
    document = {"owner": "x", "pattern": [{"regexp": "^raise (.*)$", "file": 7, "code": 1, "message": 2}]}
    assert problem_matchers.stray_groups(document) == [
        "file is group 7, and the regexp has 1",
        "message is group 2, and the regexp has 1",
    ]
    clock = bounded_regex.Clock(5)
    (found,) = problem_matchers.find(["raise Oops"], problem_matchers.parse([document]), clock)
    assert (found.file, found.id, found.message) == (None, "Oops", "raise Oops")


def test_a_matcher_that_never_ends_is_given_up() -> None:
    hostile = problem_matchers.parse([{"owner": "x", "pattern": [{"regexp": "^(a|aa)+$", "message": 1}]}])
    clock = bounded_regex.Clock(0.2)
    assert list(problem_matchers.find(["a" * 4000 + "b"] * 100, hostile, clock)) == []
    assert clock.is_up


@given(st.text(), st.integers(1, 200))
def test_short_is_one_short_line(text: str, most: int) -> None:
    assert len(short(text, most)) <= most
    assert "\n" not in short(text, most)


def test_matchers_of_the_published_form_are_parsed() -> None:
    for documents in DOCUMENTS.values():
        assert problem_matchers.parse(documents)
