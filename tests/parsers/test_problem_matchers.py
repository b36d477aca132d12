"""Problem matchers over the output of real tools: of those that are here, and lines recorded from the others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.parsers import bounded_regex, problem_matchers
from bgrun.parsers.shape import Problem
from bgrun.wording import short

if TYPE_CHECKING:
    from pathlib import Path

# As the tools' own documentation and test suites show them.
RECORDED = {
    "tsc": (
        "src/app.ts(12,5): error TS2322: Type 'string' is not assignable to type 'number'.\n"
        "src/b.ts:3:7 - error TS2304: Cannot find name 'x'.\n",
        [
            Problem("src/app.ts", 12, "TS2322", "Type 'string' is not assignable to type 'number'."),
            Problem("src/b.ts", 3, "TS2304", "Cannot find name 'x'."),
        ],
    ),
    "eslint-stylish": (
        "\n/code/lib/a.js\n  1:10  error    'x' is defined but never used  no-unused-vars\n"
        "  5:1   warning  Missing semicolon               semi\n\n/code/b.js\n  2:3  error  Parsing error: Unexpected token\n",
        [
            Problem("/code/lib/a.js", 1, "no-unused-vars", "'x' is defined but never used"),
            Problem("/code/lib/a.js", 5, "semi", "Missing semicolon", "warning"),
            Problem("/code/b.js", 2, None, "Parsing error: Unexpected token"),
        ],
    ),
    "cargo": (
        "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:5\n  |\n",
        [Problem("src/main.rs", 2, "E0425", "cannot find value `x` in this scope")],
    ),
    "gcc": (
        "a.c:4:9: warning: unused variable 'x' [-Wunused-variable]\na.c:9:2: fatal error: x.h: No such file\n"
        "/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `foo'\n"
        "make: *** [Makefile:3: all] Error 1\n",
        [
            Problem("a.c", 4, "-Wunused-variable", "unused variable 'x'", "warning"),
            Problem("a.c", 9, None, "x.h: No such file"),
            Problem("Makefile", 3, None, "all] Error 1"),
        ],
    ),
}


def found_in(text: str, *names: str) -> list[Problem]:
    documents = [one for name in names for one in problem_matchers.built_in()[name]]
    return list(problem_matchers.find(text.splitlines(), problem_matchers.parse(documents), bounded_regex.Clock(5)))


def output_of(folder: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("tool", RECORDED)
def test_recorded_output(tool: str) -> None:
    text, expected = RECORDED[tool]
    assert found_in(text, tool) == expected


def test_real_mypy_and_ruff(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text('import os\nx: int = "a"\n')
    (mypy,) = found_in(output_of(tmp_path, "mypy", "--cache-dir", "cache", "bad.py"), "mypy")
    assert (mypy.file, mypy.line, mypy.id) == ("bad.py", 2, "assignment")
    for style in ("full", "concise"):
        words = ("ruff", "check", "--no-cache", "--isolated", "--select=F", "--output-format", style, "bad.py")
        (ruff,) = found_in(output_of(tmp_path, *words), "ruff")
        assert (ruff.file, ruff.line, ruff.id) == ("bad.py", 1, "F401")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_a_real_gcc(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int main(void) {\n  return x;\n}\n")
    done = subprocess.run(["gcc", "-c", "a.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    first = found_in(done.stderr, "gcc")[0]
    assert (first.file, first.line) == ("a.c", 2)


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


def test_the_built_ins_have_the_published_form() -> None:
    for documents in problem_matchers.built_in().values():
        assert json.loads(json.dumps(documents)) == documents
        assert problem_matchers.parse(documents)
