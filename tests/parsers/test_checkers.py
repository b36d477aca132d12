"""Compilers and linters that are installed here, and lines recorded from others, through all parsers at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.parsers.recognize import Recognizer
from bgrun.parsers.shape import Found, Problem

if TYPE_CHECKING:
    from pathlib import Path

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
    "eslint": (
        "\n/code/lib/a.js\n  1:10  error    'x' is defined but never used  no-unused-vars\n"
        "  5:1   warning  Missing semicolon               semi\n\n/code/b.js\n  2:3  error  Parsing error: Unexpected token\n",
        [
            Problem("/code/lib/a.js", 1, "no-unused-vars", "'x' is defined but never used", column=10),
            Problem("/code/lib/a.js", 5, "semi", "Missing semicolon", "warning", column=1),
            Problem("/code/b.js", 2, None, "Parsing error: Unexpected token", column=3),
        ],
    ),
    "rustc": (
        "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:5\n  |\n",
        [Problem("src/main.rs", 2, "E0425", "cannot find value `x` in this scope", column=5)],
    ),
    "gcc": (
        "a.c:4:9: warning: unused variable 'x' [-Wunused-variable]\na.c:9:2: fatal error: x.h: No such file\n",
        [
            Problem("a.c", 4, "-Wunused-variable", "unused variable 'x'", "warning", column=9),
            Problem("a.c", 9, None, "x.h: No such file", column=2),
        ],
    ),
    "ld": (
        "/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `foo'\n"
        "collect2: error: ld returned 1 exit status\nmake: *** [Makefile:3: all] Error 1\n",
        [Problem("a.c", None, None, "undefined reference to `foo'")],
    ),
    "make": ("make: *** [Makefile:3: all] Error 1\n", [Problem("Makefile", 3, "all", "Error 1")]),
}


def recognized(text: str) -> list[Found]:
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(text.encode())
    return recognizer.result().found


def found_in(text: str) -> list[Problem]:
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(text.encode())
    return [one.problem for one in recognizer.result().found]


def output_of(folder: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("tool", RECORDED)
def test_recorded_output(tool: str) -> None:
    text, expected = RECORDED[tool]
    assert found_in(text) == [one._replace(tool=tool) for one in expected]


def test_real_mypy_and_ruff(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text('import os\nx: int = "a"\n')
    (mypy,) = found_in(output_of(tmp_path, "mypy", "--cache-dir", "cache", "bad.py"))
    assert (mypy.tool, mypy.file, mypy.line, mypy.id) == ("mypy", "bad.py", 2, "assignment")
    for style in ("full", "concise"):
        words = ("ruff", "check", "--no-cache", "--isolated", "--select=F", "--output-format", style, "bad.py")
        (ruff,) = found_in(output_of(tmp_path, *words))
        assert (ruff.tool, ruff.file, ruff.line, ruff.id) == ("ruff", "bad.py", 1, "F401")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_a_real_gcc(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int main(void) {\n  return x;\n}\n")
    done = subprocess.run(["gcc", "-c", "a.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    first = found_in(done.stderr)[0]
    assert (first.tool, first.file, first.line) == ("gcc", "a.c", 2)


def test_flake8_and_ruff_one_after_the_other() -> None:
    flake8 = "a.py:1:1: F401 'os' imported but unused\n"
    ruff = "a.py:1:8: F401 [*] `os` imported but unused\na.py:2:1: D100 Missing docstring\nFound 2 errors.\n"
    assert [(one.tool, one.line) for one in found_in(flake8 + ruff)] == [("flake8", 1), ("ruff", 1), ("ruff", 2)]
    assert [(one.tool, one.id) for one in found_in("a.py:2:1: D100 Missing docstring\nFound 1 error.\n")] == [
        ("ruff", "D100")
    ]


def test_findings_of_workspaces_that_are_linted_at_once() -> None:
    text = (
        "packages/a lint: /code/packages/a/x.js\npackages/b lint: /code/packages/b/y.js\n"
        "packages/a lint:   2:1  error  'm' is not defined  no-undef\n"
        "packages/b lint:   3:1  error  'n' is not defined  no-undef\n"
    )
    assert [(one.file, one.line) for one in found_in(text)] == [
        ("/code/packages/a/x.js", 2),
        ("/code/packages/b/y.js", 3),
    ]


def test_errors_of_workspaces_have_their_directory() -> None:
    error = "src/x.ts(1,14): error TS2322: It is not assignable.\n"
    pnpm = f"packages/a check$ tsc -p .\npackages/a check: {error}packages/a check: Failed\n"
    turbo = f"web:check: cache miss, executing 294c633ca7fdb321\nweb:check: {error}web:check: ERROR: it failed\n"
    found = recognized(pnpm + turbo)
    assert [(one.problem.file, one.base) for one in found] == [("src/x.ts", "packages/a"), ("src/x.ts", "")]
    npm = "".join(
        f"> {name}@1.0.0 check\n> tsc -p .\n\n{error}npm error Lifecycle script `check` failed with error:\n"
        f"npm error location /code/packages/{name}\n"
        for name in ("a", "b")
    )
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(npm.encode())
    assert [one.base for one in recognizer.result().found] == ["/code/packages/a", "/code/packages/b"]


@pytest.mark.parametrize(
    "line",
    [
        "12:30:45: error: connection lost",
        "Nov 26 12:30:45: error: connection lost",
        "2026-11-26 12:30:45: error: connection lost",
        "localhost:8080: error: refused",
        "127.0.0.1:8080: error: refused",
        "[ERROR] Could not find the settings",
        "error: it did not work",
        "worker 3: warning: slow",
    ],
)
def test_lines_of_other_programs_are_no_findings(line: str) -> None:
    assert found_in(f"{line}\n") == []


def test_a_language_that_prints_as_gcc_does() -> None:
    (one,) = found_in("src/main.zig:3:14: error: expected type 'u8'\n")
    assert (one.file, one.line, one.message) == ("src/main.zig", 3, "expected type 'u8'")
