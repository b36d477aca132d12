"""The checker behind the job docs_refs_full."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path


def checked(root: Path) -> tuple[int, str]:
    command = [sys.executable, str(TOP / "scripts" / "docs_refs.py"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# One Two\n\n## One Two\n\n[up](../README.md) [here](#one-two-1)\n")
    (tmp_path / "README.md").write_text("# Top\n\n[a](docs/a.md#one-two) `docs/a.md` [w](https://example.org/x)\n")
    return tmp_path


def test_what_resolves_is_counted(site: Path) -> None:
    assert checked(site) == (0, "5 references checked in 2 files, 0 broken\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[x](docs/b.md)", "README.md:3: no such file (nearest: docs/a.md): docs/b.md"),
        ("text\n[x](docs/a.md#one)", "README.md:4: no such heading (nearest: #one-two): docs/a.md#one"),
        ("`docs/none.md`", "README.md:3: no such file"),
        ("[x](/etc/passwd)", "README.md:3: an absolute path"),
        ("[x](../../etc/passwd)", "README.md:3: outside the repository"),
        ("[text][nowhere]", "README.md:3: no such link is defined"),
        ("![p](pic.png)", "README.md:3: no such file"),
        ("[x](http://)", "README.md:3: no address"),
    ],
)
def test_what_is_broken_is_told_with_its_place(site: Path, text: str, told: str) -> None:
    (site / "README.md").write_text(f"# Top\n\n{text}\n")
    code, out = checked(site)
    assert code == 1
    assert told in out


def test_code_blocks_hold_no_references(site: Path) -> None:
    (site / "README.md").write_text("# Top\n\n```\n[x](nowhere.md)\n```\n")
    assert checked(site)[0] == 0


def test_a_folder_without_pages_is_a_fault(tmp_path: Path) -> None:
    assert checked(tmp_path)[0] == 1
