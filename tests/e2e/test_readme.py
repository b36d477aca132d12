"""The README's two set-up commands, in a clone of this repository."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOP
from tests.docs.blocks import CLONE, blocks

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS = [block for block in blocks(TOP / "README.md") if block.note == CLONE]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git has of this checkout, and what was changed since."""
    folder = tmp_path_factory.mktemp("clone") / "bgrun"
    subprocess.run(["git", "clone", "-q", str(TOP), str(folder)], check=True)
    listed = ["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (TOP / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((TOP / name).read_bytes())
            (folder / name).chmod((TOP / name).stat().st_mode)
    return folder


def test_both_are_there() -> None:
    assert len(BLOCKS) == 2


@pytest.mark.timeout(280)
@pytest.mark.parametrize("block", BLOCKS, ids=["checks", "tests"])
def test_a_set_up_command(block, clone: Path, clean_env: dict[str, str]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    # Only a few tests run in there: all of them would contain this one again.
    env = {**clean_env, "PYTEST_ADDOPTS": "-n 0 -k 'test_state or test_meta'"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", block.text], cwd=clone, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    if "group checks" in block.text:
        for word in ("docs_refs_full", "lint", "types", "pytest_full", "succeeded checks_"):
            assert word in done.stdout, done.stdout
