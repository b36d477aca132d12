"""Where the project is, also while its job file is broken, and without reading YAML unless it must."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import NoJobFileError
from bgrun.jobfile.project import LOG_DIR, find_job_file, locate, peek_log_dir
from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"yaml", "jsonschema", "jinja2", "click", "dotenv"}


@pytest.mark.parametrize(
    ("text", "log_dir"),
    [
        ("", LOG_DIR),
        ("jobs: {x: {command: y}}\n", LOG_DIR),
        ("log_dir: out\n", "out"),
        ("log_dir: 2026-11-25\n", "2026-11-25"),
        ("log_dir: yes\n", "yes"),
        ("log_dir: .5\n", ".5"),
        ("log_dir: null\n", LOG_DIR),
        ("log_dir : build/runs\n", "build/runs"),
        ("log_dir: .runs # here\n", ".runs"),
        ("jobs: {\nlog_dir: 'out put' # here\n broken: [", "out put"),
        ("x:\n  log_dir: nested\n", LOG_DIR),
        ("# log_dir: commented\n", LOG_DIR),
        ("log_dir: [1]\n", LOG_DIR),
        ("log_dir: 'open\n", LOG_DIR),
        ("{log_dir: out, jobs: {}}", "out"),
        ('\n{"jobs": {}, "log_dir": "out"}', "out"),
        ("{log_dir: out, jobs: {", LOG_DIR),
    ],
)
def test_the_log_directory_is_peeked(text: str, log_dir: str) -> None:
    assert peek_log_dir(text) == log_dir


def places(start: str) -> tuple[str, str | None, str]:
    """Return the root, the job file and the log directory of the project of a directory."""
    project = locate(start)
    return project.root, project.job_file, project.store.log_dir


def test_the_nearest_job_file_and_its_directory(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "bgjobs.yaml").write_text("log_dir: out\n")
    top = str(tmp_path)
    assert find_job_file(str(below)) == f"{top}/bgjobs.yaml"
    assert places(str(below)) == (top, f"{top}/bgjobs.yaml", f"{top}/out")
    (tmp_path / "a" / "bgjobs.yaml").touch()
    assert locate(str(below)).root == f"{top}/a"
    assert locate(str(below), f"{top}/bgjobs.yaml").root == top


def test_without_a_job_file_the_git_top_or_the_directory_itself(tmp_path: Path) -> None:
    below = tmp_path / "a"
    below.mkdir()
    assert places(str(below)) == (str(below), None, f"{below}/{LOG_DIR}")
    (tmp_path / ".git").touch()  # a file, as in a linked worktree
    assert places(str(below)) == (str(tmp_path), None, f"{tmp_path}/{LOG_DIR}")


def test_a_job_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(NoJobFileError, match=r"gone\.yaml"):
        locate(str(tmp_path), str(tmp_path / "gone.yaml"))


@pytest.mark.parametrize("text", ["jobs: {x: {command: y}}\n", "jobs: [broken\n"])
def test_looking_for_the_project_imports_nothing_heavy(text: str, tmp_path: Path) -> None:
    (tmp_path / "bgjobs.yaml").write_text(text)
    code = "import sys, bgrun.jobfile.project as f; f.locate(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=TOP, capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())
