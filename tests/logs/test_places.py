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
