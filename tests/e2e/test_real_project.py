"""A known project with a large test suite: as a job and in a group, with the same outcome as by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli, pip_install
from tests.surroundings import setting

# Its sdist carries its test suite, which needs nothing but pytest and takes seconds.
PROJECT = "jinja2==3.1.4"
JOBS = """
defaults: {venv: ../venv}
jobs:
  suite: {command: python -m pytest -q -p no:cacheprovider tests}
  filters: {command: python -m pytest -q -p no:cacheprovider tests/test_filters.py}
  lexing: {command: [python, -m, pytest, -q, -p, "no:cacheprovider", tests/test_lexnparse.py, -k, "nothing_like_this"]}
groups:
  both: {jobs: [filters, lexing], max_parallel: 2}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist beside a venv that it is installed in."""
    folder = tmp_path_factory.mktemp("real")
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    fetched = subprocess.run([*fetch, "-d", str(folder), PROJECT], capture_output=True, text=True, check=False)
    if fetched.returncode:
        assert not setting("CI"), f"in CI {PROJECT} has to be there:\n{fetched.stderr}"
        pytest.skip(f"{PROJECT} cannot be fetched: {fetched.stderr.strip().splitlines()[-1]}")
    archive = next(folder.glob("*.tar.gz"))
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(folder)], check=True)
    source = folder / archive.name.removesuffix(".tar.gz")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip_install(folder / "venv", "pytest", str(source))
    (source / "bgjobs.yaml").write_text(JOBS)
    return source


def by_hand(project: Path, *words: str) -> tuple[int, str]:
    """Run pytest as a person would, and return its exit code and output."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "BGRUN_"))}
    env["PATH"] = f"{project.parent / 'venv' / 'bin'}:{env['PATH']}"
    done = subprocess.run(
        ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=project, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode()


def counts(text: str) -> str:
    """Return pytest's closing line without its duration."""
    return re.sub(r" in [0-9.]+s.*", "", text.strip().splitlines()[-1])


def comparable(text: str) -> str:
    """Return a log without what differs from run to run."""
    return re.sub(r"[0-9.]+s( \([0-9:]+\))?", "", text)


def test_a_whole_suite_as_a_job(project: Path, bgrun_bin: Path, clean_env: dict[str, str]) -> None:
    bg = Cli(project, [str(bgrun_bin / "bgrun")], clean_env)
    code, text = by_hand(project, "tests")
    bg("start", "suite")
    ended = bg.ended("suite", "100s")
    log = Path(ended["log"]).read_text()
    assert ended["exit_code"] == code
    assert counts(log) == counts(text)
    assert comparable(log) == comparable(text)
    assert int(re.findall(r"(\d+) passed", log)[0]) > 800


def test_two_jobs_as_a_group(project: Path, bgrun_bin: Path, clean_env: dict[str, str]) -> None:
    bg = Cli(project, [str(bgrun_bin / "bgrun")], clean_env)
    expected = {
        "filters": by_hand(project, "tests/test_filters.py"),
        "lexing": by_hand(project, "tests/test_lexnparse.py", "-k", "nothing_like_this"),
    }
    run = bg.json("group", "both", "--wait", code=1)  # no test is selected in `lexing`: pytest ends with 5
    assert (run["state"], run["exit_code"]) == ("failed", 1)
    for one in run["runs"]:
        code, text = expected[one["label"]]
        log = Path(one["log"]).read_text()
        assert (one["exit_code"], counts(log), comparable(log)) == (code, counts(text), comparable(text))
    assert [one["exit_code"] for one in run["runs"]] == [0, 5]
