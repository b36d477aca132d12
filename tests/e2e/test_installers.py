"""bgrun is installed as README and docs say, with each tool that is on this machine, into a home of its own.

`.ci/full installers` brings uv and pipx and sets BGRUN_REQUIRE_INSTALLERS, without which all is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import surroundings
from tests.conftest import TOP, Cli, build_wheel
from tests.docs.blocks import INSTALL, Block, install_blocks
from tests.e2e.test_installed import check

if TYPE_CHECKING:
    from pathlib import Path

PAGES = (TOP / "README.md", *sorted((TOP / "docs").glob("**/*.md")))
BLOCKS = [block for page in PAGES for block in install_blocks(page)]


def tool_of(block: Block) -> str:
    return block.note.removeprefix(INSTALL).strip()


def require(tool: str) -> None:
    """Skip the test, which takes a quarter of a minute, but in `.ci/full`; fail it there where the tool is missing."""
    if not surroundings.setting("BGRUN_REQUIRE_INSTALLERS"):
        pytest.skip("`.ci/full installers` runs it")
    if not shutil.which(tool):
        pytest.fail(f"there is no {tool} on this machine")


@pytest.fixture
def home_env(clean_env: dict[str, str]) -> dict[str, str]:
    """An environment as after a login: an own home with a blank and a letter beyond ASCII, no virtual environment."""
    home = f"{clean_env['HOME']}/Älice's home"
    os.mkdir(home)
    ours = ("VIRTUAL_ENV", "XDG_", "UV_", "PIPX_", "PYTHON")
    kept = {key: value for key, value in clean_env.items() if not key.startswith(ours)}
    folders = [one for one in clean_env["PATH"].split(os.pathsep) if one != f"{sys.prefix}/bin"]
    # A pyenv shim finds its versions by HOME: the interpreter itself has to come first.
    python = os.path.dirname(os.path.realpath(sys.executable))
    return {**kept, "HOME": home, "TMPDIR": home, "PATH": os.pathsep.join([python, *folders])}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout, as the sdist has it."""
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(TOP)]
    subprocess.run(build, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path)], check=True)
    return tmp_path / archive.name.removesuffix(".tar.gz")


def run(words: list[str], cwd: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_installer_is_tried() -> None:
    assert [(block.page.name, tool_of(block)) for block in BLOCKS] == [
        ("README.md", "uv"),
        ("README.md", "pipx"),
        ("README.md", "python3"),
        ("use-with-agents.md", "uv"),
    ]


@pytest.mark.timeout(300)  # pip alone takes a minute on a machine with other work
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page.stem}-{tool_of(block)}")
def test_the_block_installs_a_command_that_works(
    block: Block, source: Path, tmp_path: Path, home_env: dict[str, str]
) -> None:
    require(tool_of(block))
    run(["bash", "-eo", "pipefail", "-c", block.text], source, home_env)
    shutil.rmtree(source)
    (tmp_path / "a project").mkdir()
    bg = Cli(tmp_path / "a project", [f"{home_env['HOME']}/.local/bin/bgrun"], home_env)
    check(bg)
    if tool_of(block) == "python3":
        return  # what follows takes pip half a minute
    if "[mcp]" not in block.text:
        refused = bg("mcp", code=2)
        hint = refused.err.partition("hint: install it: ")[2]
        run(["bash", "-c", hint], tmp_path, home_env)
    bg("mcp")  # its input ends at once


def test_pip_installs_it_for_a_user(tmp_path: Path, home_env: dict[str, str]) -> None:
    python = os.path.realpath(sys.executable)
    asked = [python, "-c", "import sys, sysconfig; print(sysconfig.get_path('stdlib'))"]
    library = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if os.path.exists(f"{library}/EXTERNALLY-MANAGED"):
        pytest.skip("the system's own package manager owns this interpreter (PEP 668)")
    wheel = build_wheel(tmp_path / "wheel")
    run([python, "-m", "pip", "install", "-q", "--user", str(wheel)], tmp_path, home_env)
    (tmp_path / "project").mkdir()
    check(Cli(tmp_path / "project", [f"{home_env['HOME']}/.local/bin/bgrun"], home_env))
