"""Every command block of README and docs does what the page says, with an installed bgrun."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOP
from tests.docs.blocks import EMPTY, PAGE_S, blocks, fixture, run_page, runnable

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("**/*.md"))]


@pytest.mark.timeout(PAGE_S + 60)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, bgrun_bin: Path, tmp_path: Path, clean_env: dict[str, str]
) -> None:
    if not runnable(page):
        pytest.skip("no command blocks to run on this page")
    project = tmp_path / "scratch" / "project"
    if (named := fixture(page)) == EMPTY:
        project.mkdir(parents=True)
    else:
        shutil.copytree(TOP / "tests" / "docs" / "fixtures" / named, project)
    subprocess.run(["git", "init", "-q", str(project)], check=True, env=clean_env)
    env = {**clean_env, "PATH": f"{bgrun_bin}:{clean_env['PATH']}", "NO_COLOR": "1"}
    assert "\n".join(map(str, run_page(page, project=project, env=env))) == ""


@pytest.mark.timeout(PAGE_S + 60)
@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_a_newcomer_may_type_it_into_zsh(name: str, bgrun_bin: Path, tmp_path: Path, clean_env: dict[str, str]) -> None:
    """The shell of a Mac; the line of completion is another one there."""
    if not shutil.which("zsh"):
        pytest.skip("there is no zsh on this machine")
    page = tmp_path / "page.md"
    page.write_text((TOP / name).read_text(encoding="utf-8").replace("bgrun completion bash", "bgrun completion zsh"))
    project = tmp_path / "scratch" / "project"
    project.mkdir(parents=True)
    env = {**clean_env, "PATH": f"{bgrun_bin}:{clean_env['PATH']}", "NO_COLOR": "1"}
    assert "\n".join(map(str, run_page(page, project=project, env=env, typed_into=("zsh", "-f")))) == ""


@pytest.mark.timeout(PAGE_S + 60)
def test_the_runbook_can_be_typed_after_the_quick_start(
    bgrun_bin: Path, tmp_path: Path, clean_env: dict[str, str]
) -> None:
    """Each row of the README's table is typed where the quick start ends; whatever a run's result, none is refused."""
    readme = TOP / "README.md"
    _, _, table = readme.read_text(encoding="utf-8").partition("| To… | Run |\n")
    rows = [line.rpartition(" | ")[2] for line in table.partition("\n\n")[0].splitlines()[1:]]
    typed = [command.replace("\\|", "|") for row in rows for command in re.findall(r"`([^`]+)`", row)]
    assert len(typed) > 15
    project = tmp_path / "scratch" / "project"
    (project / "web").mkdir(parents=True)
    env = {**clean_env, "PATH": f"{bgrun_bin}:{clean_env['PATH']}", "NO_COLOR": "1"}
    assert run_page(readme, project=project, env=env) == []
    (project / "cart.py").write_text("def total(prices):\n    return 0\n")  # something fails, or nothing is rerun
    for command in typed:
        done = subprocess.run(
            ["bash", "-c", command], cwd=project, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), (command, done)
        assert "error:" not in done.stderr, (command, done)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_that_completes_in_a_shell_works_there(
    shell: str, bgrun_bin: Path, tmp_path: Path, clean_env: dict[str, str]
) -> None:
    (line,) = re.findall(rf"^\| {shell} \| `([^`]+)` \|", (TOP / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} on this machine")
    words, shown = {
        "bash": (["--norc"], "complete -p bgrun"),
        "zsh": (["-f"], "for hook in $precmd_functions; do $hook; done; print $_comps[bgrun]"),  # as before a prompt
        "fish": (["--no-config"], "complete --command bgrun"),
    }[shell]
    env = {**clean_env, "PATH": f"{bgrun_bin}:{clean_env['PATH']}", "TERM": "dumb"}
    script = line.replace("\\|", "|") + f"\n{shown}"
    done = subprocess.run(
        [shell, *words, "-i", "-c", script],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done
    assert re.search(r"_bgrun\w*", done.stdout), done


def test_no_block_is_left_out() -> None:
    """A block that is left out is left out on purpose: whoever adds one adds it here."""
    left_out = [(block.page.name, block.skipped) for page in PAGES for block in blocks(page) if block.skipped]
    assert left_out == [("run-on-a-cluster.md", "needs a Slurm cluster")] * 2
