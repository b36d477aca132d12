"""The file that a tool names is found from where the tool ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.logs.places import Places
from bgrun.parsers.shape import Problem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("base", "file", "expected"),
    [
        # Go prints a file relative to its package, and the package by the path of its module.
        ("example.com/shop/cart", "cart_test.go", "cart/cart_test.go"),
        ("example.com/shop/inner/cart", "cart_test.go", "inner/cart/cart_test.go"),
        ("example.com/shop", "main_test.go", "main_test.go"),
        ("example.com/shop/cart", "cart/cart_test.go", "cart/cart_test.go"),
        ("example.com/other/gone", "gone_test.go", "example.com/other/gone/gone_test.go"),
    ],
)
def test_a_file_of_a_package_of_go(tmp_path: Path, base: str, file: str, expected: str) -> None:
    for name in ("cart/cart_test.go", "inner/cart/cart_test.go", "main_test.go"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    places = Places(str(tmp_path), str(tmp_path), "go test ./...")
    assert places.placed(Problem(file, 3, None, ""), base).file == expected


def placed(root: Path, file: str, base: str = "", *, working_dir: str = "", cmd: str = "make") -> str | None:
    places = Places(str(root), str(root / working_dir), cmd)
    return places.placed(Problem(file, 1, None, ""), base).file


def files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_file_is_named_relative_to_the_project_wherever_the_tool_ran(tmp_path: Path) -> None:
    files(tmp_path, "a.c", "sub/b.c", "sub/deep/c.c")
    assert placed(tmp_path, "a.c") == "a.c"
    assert placed(tmp_path, "b.c", working_dir="sub") == "sub/b.c"
    assert placed(tmp_path, "c.c", cmd="cd sub && cd deep && gcc c.c") == "sub/deep/c.c"
    assert placed(tmp_path, "b.c", cmd="cd 'sub'; gcc b.c") == "sub/b.c"
    assert placed(tmp_path, "../a.c", working_dir="sub") == "a.c"
    assert placed(tmp_path, str(tmp_path / "sub" / "b.c")) == "sub/b.c"


def test_the_directory_that_the_log_names_comes_first(tmp_path: Path) -> None:
    files(tmp_path, "x.c", "one/x.c", "two/x.c")
    assert placed(tmp_path, "x.c", "two") == "two/x.c"
    assert placed(tmp_path, "x.c", str(tmp_path / "one")) == "one/x.c"
    assert placed(tmp_path, "x.c", cmd="cd one && make") == "one/x.c"
    assert placed(tmp_path, "x.c") == "x.c"


def test_a_file_elsewhere_is_taken_if_there_is_only_one(tmp_path: Path) -> None:
    files(tmp_path, "packages/a/src/only.ts", "packages/a/src/both.ts", "packages/b/src/both.ts")
    assert placed(tmp_path, "src/only.ts") == "packages/a/src/only.ts"
    assert placed(tmp_path, "src/both.ts") == "src/both.ts"
    assert placed(tmp_path, "node_modules/x.ts") == "node_modules/x.ts"


def test_a_file_outside_or_of_another_machine(tmp_path: Path) -> None:
    root = tmp_path / "project"
    files(tmp_path, "above.c", "project/src/a.c")
    assert placed(root, "../above.c") == str(tmp_path / "above.c")
    assert placed(root, "/build/42/src/a.c") == "src/a.c"
    assert placed(root, "/usr/include/none.h") == "/usr/include/none.h"


def test_through_a_symbolic_link_to_the_project_it_is_the_same(tmp_path: Path) -> None:
    files(tmp_path, "real/a.c")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert placed(tmp_path / "link", str(tmp_path / "real" / "a.c")) == "a.c"
    assert placed(tmp_path / "link", str(tmp_path / "link" / "a.c")) == "a.c"


def test_without_a_file_or_a_project_a_problem_stays_as_it_is(tmp_path: Path) -> None:
    assert placed(tmp_path, "") == ""
    problem = Problem("a.c", 1, None, "")
    assert Places("", "", "").placed(problem) is problem


def test_the_files_that_a_name_may_mean(tmp_path: Path) -> None:
    files(tmp_path, "t.py", "a/t.py", "b/t.py")
    places = Places(str(tmp_path), str(tmp_path / "a"), "cd ../b && pytest")
    assert places.of_name("t.py") == [str(tmp_path / one) for one in ("b/t.py", "a/t.py", "t.py")]
    assert places.of_name("none.py") == []
