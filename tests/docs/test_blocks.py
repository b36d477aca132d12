"""The harness that runs the documentation: it has to be able to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.blocks import blocks, clone_blocks, fixture, install_blocks, matches, run_page, runnable

if TYPE_CHECKING:
    from pathlib import Path


def failures(tmp_path: Path, text: str, timeout_s: float = 20.0) -> list[str]:
    page = tmp_path / "page.md"
    page.write_text(text)
    project = tmp_path / "scratch" / "project"
    project.mkdir(parents=True)
    found = run_page(page, project=project, env={"PATH": "/usr/bin:/bin"}, timeout_s=timeout_s)
    return [f"{one.where} {one.found.splitlines()[0]}" for one in found]


def test_blocks_are_run_in_order_and_share_a_directory(tmp_path: Path) -> None:
    assert (
        failures(tmp_path, "```bash\necho hi > f\n```\ntext\n```console\n$ cat f\nhi\n$ x=1\n$ echo $x\n1\n```\n") == []
    )


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("```console\n$ echo no\nyes\n```\n", "page.md:2 no"),
        ("```bash\nfalse\ntrue\n```\n", "page.md:2 exit code 1, and the end of the page's shell"),
        ("```sh title=x\necho $unset\n```\n", "page.md:2 exit code 1, and the end of the page's shell"),
        ("```bash\nfalse | true\n```\n", "page.md:2 exit code 1, and the end of the page's shell"),
        ("```console\n$ exit 4\n$ true\n```\n", "page.md:2 exit code 4, and the end of the page's shell"),
        ("```console\n$ echo unclaimed\n```\n", "page.md:2 unclaimed"),
        ("<!-- exits: 3 -->\n```bash\ntrue\n```\n", "page.md:3 exit code 0"),
        ("```console\n$ true\n$ false\n```\n", "page.md:3 exit code 1"),
        ("<!-- exits: 3 -->\n```console\n$ true\n```\n", "page.md:3 exit code 0"),
    ],
)
def test_what_a_page_claims_wrongly_is_reported_with_its_line(tmp_path: Path, text: str, reported: str) -> None:
    assert failures(tmp_path, text) == [reported]


def test_a_page_has_a_deadline(tmp_path: Path) -> None:
    assert failures(tmp_path, "```bash\nsleep 300\n```\n", 0.5) == ["page.md:2 no end within 0.5 s"]


@pytest.mark.parametrize("block", ["```console\n$ (exit 3)\n```\n", "```bash\nexit 3\n```\n"])
def test_an_expected_exit_code_is_accepted(tmp_path: Path, block: str) -> None:
    assert failures(tmp_path, f"<!-- exits: 3 -->\n{block}\n```console\n$ echo on\non\n```\n") == []


def test_a_command_is_run_again_until_it_prints_what_the_page_waits_for(tmp_path: Path) -> None:
    text = "<!-- until: xxx -->\n```console\n$ true\n$ printf x >> f; cat f\nxxx\n```\n```console\n$ cat f\nxxx\n```\n"
    assert failures(tmp_path, text) == []


def test_directories_and_variables_carry_over(tmp_path: Path) -> None:
    text = "```bash\nmkdir d\ncd d\nexport X=1\n```\n\n```console\n$ echo $X $(basename $PWD)\n1 d\n```\n"
    assert failures(tmp_path, text) == []


def test_a_failure_shows_the_command_what_was_expected_and_what_came(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo no\nyes\n```\n")
    project = tmp_path / "project"
    project.mkdir()
    found = run_page(page, project=project, env={"PATH": "/usr/bin:/bin"})
    assert str(found[0]) == "page.md:2: echo no\n--- expected\nyes\n\n--- found\nno\n"


def test_comments_sort_the_blocks_and_name_the_fixture(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    clone, plain = "<!-- run in a clone of this repo -->\n```bash\na\n```\n", "```bash\nb\n```\n"
    page.write_text(f"# Page\n\n<!-- fixture: empty -->\n\n{clone}{plain}<!-- not run: no -->\n{plain}")
    assert [block.text for block in clone_blocks(page)] == ["a\n"]
    assert [block.line for block in runnable(page)] == [9]
    assert fixture(page) == "empty"
    page.write_text("# Page\n")
    assert fixture(page) == "project"


def test_other_fences_are_left_alone_and_reasons_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```yaml\na: 1\n```\n<!-- not run: needs a Mac -->\n```bash\nfalse\n```\n")
    assert [block.skipped for block in blocks(page)] == ["needs a Mac"]


def test_an_ellipsis_stands_for_what_differs() -> None:
    assert matches("a … c\n…\nend\n", "a b c\nx\ny\nend\n")
    assert not matches("a … c\n", "a b d\n")


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ("STARTED a_20261126_101530 pid=12\n", "STARTED a_20270101_000000z2 pid=9\n"),
        ("failed a_… exit=1 in 0.2s: x\n", "failed a_20270101_000000 exit=1 in 1m2s: x\n"),
        ("STATE running a_20261126_101530 for 1.0s\n", "STATE running a_20270101_000000 for 12s\n"),
        ("succeeded  0     3.0s  10:17:30  checks\n", "succeeded  0     0.1s  23:59:59  checks\n"),
    ],
)
def test_ids_pids_and_durations_of_a_real_run_stand_for_any(shown: str, found: str) -> None:
    assert matches(shown, found)
    assert not matches(shown, found.replace("exit=1", "exit=0").replace("a_", "b_").replace("checks", "tests"))


def test_blocks_that_install_are_left_to_the_test_of_installers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- install: uv -->\n```bash\nfalse\n```\n```bash\ntrue\n```\n")
    assert [block.text for block in install_blocks(page)] == ["false\n"]
    assert [block.text for block in runnable(page)] == ["true\n"]


def test_an_open_quote_is_reported_where_it_stands(tmp_path: Path) -> None:
    (reported,) = failures(tmp_path, '```console\n$ echo "a\n```\n```bash\ntrue\n```\n')
    assert reported.startswith("page.md:2 exit code")
