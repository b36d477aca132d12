"""Shell completion, in real shells."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

JOBS = """
jobs:
  pytest_full: {command: "true", params: {level: {type: choice, choices: [low, high], default: low}}}
  py.docs-1: {command: "true"}
  lint: {command: "true"}
groups: {checks: {jobs: [lint]}}
"""


def bash(bg: Cli, programs: Path, line: str) -> list[str]:
    """Complete a line in a real bash, as its completion function is called there."""
    words = line.split(" ")
    script = f"""
eval "$(bgrun completion bash)"
COMP_WORDS=({" ".join(words[:-1])} {words[-1] or "''"}); COMP_CWORD={len(words) - 1}
_bgrun_completion bgrun
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    env = {**bg.env, "PATH": f"{programs}:{bg.env['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=bg.folder, env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_in_a_real_bash(bg: Cli, bgrun_bin: Path) -> None:
    bg.jobs(JOBS)
    run_id = bg("start", "lint", "--wait", "-q").out.strip()
    bg("run", "own.label", "--wait", "--", "true")
    assert {"start", "status", "stop", "stats"} <= set(bash(bg, bgrun_bin, "bgrun st"))
    assert bash(bg, bgrun_bin, "bgrun start py") == ["pytest_full", "py.docs-1"]
    assert bash(bg, bgrun_bin, "bgrun start pytest_full level") == ["level=low", "level=high"]
    assert bash(bg, bgrun_bin, "bgrun group ") == ["checks"]
    assert bash(bg, bgrun_bin, "bgrun status l") == ["lint", run_id]
    assert bash(bg, bgrun_bin, "bgrun latest o") == ["own.label"]
    assert bash(bg, bgrun_bin, "bgrun wait --ti") == ["--timeout"]
    assert bash(bg, bgrun_bin, "bgrun schema re") == ["render", "report"]
    assert bash(bg, bgrun_bin, "bgrun group checks --only l") == ["lint"]
    bg.jobs("jobs: broken")
    assert bash(bg, bgrun_bin, "bgrun start ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_sound(bg: Cli, shell: str) -> None:
    script = bg("completion", shell).out
    assert "_BGRUN_COMPLETE" in script
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here to read its script")
    words = [shell, "--no-execute" if shell == "fish" else "-n", "-c", script]
    subprocess.run(words, check=True, capture_output=True)


def test_a_shell_that_is_none(bg: Cli) -> None:
    assert "'zsh'" in bg("completion", "tcsh", code=2).err
