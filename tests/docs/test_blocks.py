"""The harness that runs the documentation: it has to be able to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.blocks import blocks, matches, run_page

if TYPE_CHECKING:
    from pathlib import Path


def failures(tmp_path: Path, text: str, timeout_s: float = 20.0) -> list[str]:
    page = tmp_path / "page.md"
    page.write_text(text)
    project = tmp_path / "scratch" / "project"
    project.mkdir(parents=True)
    found = run_page(page, project=project, env={"PATH": "/usr/bin:/bin"}, timeout_s=timeout_s)
    return [f"{one.where} {one.found.splitlines()[0]}" for one in found]


def test_blocks_are_run_in_order_and_share_a_folder(tmp_path: Path) -> None:
    assert (
        failures(tmp_path, "```bash\necho hi > f\n```\ntext\n```console\n$ cat f\nhi\n$ x=1\n$ echo $x\n1\n```\n") == []
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```console\n$ echo no\nyes\n```\n", "page.md:2 no"),
        ("```bash\nfalse\ntrue\n```\n", "page.md:2 exit code 1"),
        ("```console\n$ true\n$ false\n```\n", "page.md:3 exit code 1"),
        ("<!-- exits: 3 -->\n```console\n$ true\n```\n", "page.md:3 exit code 0"),
    ],
)
def test_what_a_page_claims_wrongly_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert failures(tmp_path, text) == [told]


def test_a_page_has_a_deadline(tmp_path: Path) -> None:
    assert failures(tmp_path, "```bash\nsleep 300\n```\n", 0.5) == ["page.md:2 none within the deadline"]


def test_an_expected_exit_code_is_accepted(tmp_path: Path) -> None:
    assert failures(tmp_path, "<!-- exits: 3 -->\n```console\n$ (exit 3)\n```\n") == []


def test_other_fences_are_left_alone_and_reasons_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```yaml\na: 1\n```\n<!-- not run: needs a Mac -->\n```bash\nfalse\n```\n")
    assert [block.skipped for block in blocks(page)] == ["needs a Mac"]


def test_an_ellipsis_stands_for_what_differs() -> None:
    assert matches("a … c\n…\nend\n", "a b c\nx\ny\nend\n")
    assert not matches("a … c\n", "a b d\n")
