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
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# One Two\n\n## One Two\n\n[up](../README.md) [here](#one-two-1)\n")
    (tmp_path / "README.md").write_text("# Top\n\n[a](docs/a.md#one-two) `docs/a.md` [w](https://example.org/x)\n")
    return tmp_path


def test_what_resolves_is_counted(site: Path) -> None:
    assert checked(site) == (0, "5 references checked in 2 files, 0 broken\n")


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("[x](docs/b.md)", "README.md:3: no such file (nearest: docs/a.md): docs/b.md"),
        ("text\n[x](docs/a.md#one)", "README.md:4: no such heading (nearest: #one-two): docs/a.md#one"),
        ("`docs/none.md`", "README.md:3: no such file"),
        ("[x](/etc/passwd)", "README.md:3: an absolute path"),
        ("[x](../../etc/passwd)", "README.md:3: outside the repository"),
        ("[text][nowhere]", "README.md:3: no such link is defined"),
        ("![p](pic.png)", "README.md:3: no such file"),
        ("[x](http://)", "README.md:3: no address"),
        ("[x](mailto:nobody)", "README.md:3: no address"),
        ("[x](file:///etc/passwd)", "README.md:3: an absolute path"),
        ("[x](//host/share)", "README.md:3: an absolute path"),
        ("[x](ftp://example.org/x)", "README.md:3: neither a file nor an address on the web"),
        ("[x](READNE.md)", "README.md:3: no such file (nearest: README.md): READNE.md"),
        ("[x](a%00b)", "README.md:3: cannot be followed"),
        (f"[x]({'a' * 300})", "README.md:3: cannot be followed"),
        ("[`code`][nowhere]", "README.md:3: no such link is defined: [nowhere]"),
        ("text\n[name][]", "README.md:4: no such link is defined: [name]"),
        ("[used][one]\n\n[one]: gone.md", "README.md:3: no such file: gone.md"),
        ("| t |\n|---|\n| [x](gone.md) |", "README.md:5: no such file: gone.md"),
        ("`code over\ntwo lines` [x](gone.md)", "README.md:4: no such file: gone.md"),
        ("run `./docs/none.md`", "README.md:3: no such file"),
    ],
)
def test_what_is_broken_is_reported_with_its_place(site: Path, text: str, reported: str) -> None:
    (site / "README.md").write_text(f"# Top\n\n{text}\n")
    code, out = checked(site)
    assert code == 1
    assert reported in out


@pytest.mark.parametrize(
    "text",
    ["`/usr/lib/docs/x.md`", "`src/tests/x.py`", "`a[0][1]`", "`./docs/a.md`", "[x](docs/)", "[x](docs/a%2Emd)"],
)
def test_what_is_no_reference_or_a_good_one_is_not_reported(site: Path, text: str) -> None:
    (site / "README.md").write_text(f"# Top\n\n{text}\n")
    assert checked(site)[0] == 0


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    heads = ["A 1", "A", "Step", "Step 2", "Step", "`run` & *go*, über_x!", "<b>B</b>"]
    slugs = ["a-1", "a", "step", "step-2", "step-1", "run--go-über_x", "b"]
    page.write_text("".join(f"## {head}\n\n" for head in heads) + " ".join(f"[x](#{slug})" for slug in slugs))
    assert checked(tmp_path) == (0, "7 references checked in 1 files, 0 broken\n")


def test_a_page_that_is_not_utf_8_is_checked_all_the_same(site: Path) -> None:
    (site / "README.md").write_bytes(b"# \xff\n\n[x](gone.md)\n")
    assert "README.md:3: no such file" in checked(site)[1]


def test_code_blocks_hold_no_references(site: Path) -> None:
    (site / "README.md").write_text("# Top\n\n```\n[x](nowhere.md)\n```\n")
    assert checked(site)[0] == 0


def test_a_directory_without_pages_is_a_fault(tmp_path: Path) -> None:
    code, reported = checked(tmp_path)
    assert code == 2
    assert "no page to check in" in reported
