"""The script of a group run reruns the job scripts of its runs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.render import group_script

if TYPE_CHECKING:
    from pathlib import Path

RUN_IDS = ["a_20260102_030405", "b_20260102_030405", "c_20260102_030405"]


def rerun(text: str, folder: Path, codes: dict[str, int]) -> subprocess.CompletedProcess[str]:
    """Run a group's script next to job scripts that print their name and exit with these codes."""
    for run_id in RUN_IDS:
        (folder / f"{run_id}.sh").write_text(f"echo {run_id}\nexit {codes.get(run_id, 0)}\n")
    script = folder / "group.sh"
    script.write_text(text)
    return subprocess.run(["bash", script], cwd="/", capture_output=True, text=True, timeout=30, check=False)


def test_with_dependencies_they_run_in_order(tmp_path: Path) -> None:
    done = rerun(group_script.sequential("all", RUN_IDS), tmp_path, {})
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, RUN_IDS, "")


def test_with_dependencies_the_first_failure_is_the_last_run(tmp_path: Path) -> None:
    done = rerun(group_script.sequential("all", RUN_IDS), tmp_path, {RUN_IDS[1]: 3})
    assert (done.returncode, done.stdout.split()) == (3, RUN_IDS[:2])


@pytest.mark.parametrize("max_parallel", [None, 1, 2])
def test_without_dependencies_all_run_whatever_fails(max_parallel: int | None, tmp_path: Path) -> None:
    text = group_script.parallel("all", RUN_IDS, max_parallel)
    done = rerun(text, tmp_path, {RUN_IDS[0]: 3})
    assert done.returncode != 0
    assert sorted(done.stdout.split()) == RUN_IDS
    assert rerun(text, tmp_path, {}).returncode == 0


def test_its_head_says_how_it_runs_them() -> None:
    assert "after its dependencies" in group_script.sequential("all", RUN_IDS)
    assert "at most 2 at once" in group_script.parallel("all", RUN_IDS, 2)
    assert "-P 3 " in group_script.parallel("all", RUN_IDS, None)
