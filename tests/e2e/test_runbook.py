"""The shell lines of the old runbook, unchanged; and after each of them `status` still tells the truth."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli
from tests.faults.conftest import command_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bg(tmp_path: Path, bgrun_bin: Path, clean_env: dict[str, str]) -> Cli:
    """An installed bgrun, as somebody has it who follows the runbook."""
    folder = tmp_path / "project"
    folder.mkdir()
    env = {**clean_env, "PATH": f"{bgrun_bin}:{clean_env['PATH']}"}
    return Cli(folder, [str(bgrun_bin / "bgrun")], env)


def shell(bg: Cli, line: str) -> str:
    done = subprocess.run(["bash", "-c", line], cwd=bg.folder, env=bg.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture
def ended(bg: Cli) -> Cli:
    bg("run", "docs_refs_full", "--wait", "--", "bash", "-c", "echo FAILED one; exit 3", code=1)
    bg("run", "docs_refs_full_2", "--wait", "--", "true")
    bg("run", "X", "--wait", "--", "bash", "-c", "echo FAILED two; exit 4", code=1)
    return bg


def test_cat_the_newest_exit(ended: Cli) -> None:
    os.utime(next(ended.logs.glob("docs_refs_full_2_*.exit")), (0, 0))
    assert shell(ended, 'cat "$(ls -t .logs/docs_refs_full_*.exit | head -1)"') == "3\n"
    assert ended.state("docs_refs_full")["exit_code"] == 3


def test_the_job_script_is_a_program(ended: Cli) -> None:
    run = ended.state("X")
    assert os.stat(run["script"]).st_mode & 0o777 == 0o700
    done = subprocess.run([run["script"]], cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "FAILED two\n")


def test_the_meta_names_the_shell_and_the_whole_commit(bg: Cli) -> None:
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-C", str(bg.folder)]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    bg.jobs("""jobs: {a: {command: "true"}, b: {command: ["true"]}, c: {command: "true", shell: "/bin/sh -e"}}""")
    for job, shell in (("a", "bash"), ("b", "bash"), ("c", "sh")):
        bg("start", job, "--wait")
        facts = bg.meta(bg.state(job))
        assert (facts["shell"], len(facts["git_sha"])) == (shell, 40)
        bg("rerun", job, "--wait")
        assert bg.meta(bg.state(job))["shell"] == shell


def test_cat_the_newest_meta(ended: Cli) -> None:
    lines = shell(ended, 'cat "$(ls -t .logs/X_*.meta | head -1)"').splitlines()
    facts = dict(line.split("=", 1) for line in lines)
    assert (facts["label"], facts["state"], facts["exit_code"]) == ("X", "failed", "4")
    assert ended.state("X")["exit_code"] == 4


def test_grep_in_the_newest_log(ended: Cli) -> None:
    assert shell(ended, 'grep FAILED "$(bgrun latest X)"') == "FAILED two\n"
    assert ended.state("X")["state"] == "failed"


@pytest.mark.parametrize(
    "line",
    [
        'kill -9 "$(cat .logs/X_*.pid | tail -1)"',
        'kill -9 -"$(grep \'^pgid=\' "$(ls -t .logs/X_*.meta | head -1)" | cut -d= -f2)"',
    ],
    ids=["pid", "group"],
)
def test_kill(bg: Cli, line: str) -> None:
    run = bg.start("X", "sleep 300; true")
    command_of(run)
    shell(bg, line)
    state = bg.ended("X")
    assert (state["run_id"], state["state"], state["exit_code"]) == (run["run_id"], "failed", 137)
    assert bg("status", "X").out.splitlines()[:2] == [
        f"NOT RUNNING label=X pid={run['pid']}",
        f"EXITCODE 137 (file: .logs/{run['run_id']}.exit)",
    ]


def test_kill_takes_the_newest_of_one_second(bg: Cli) -> None:
    """The shell sorts by name: that of the newest run has to come last."""
    ahead = {"TZ": "EAST-14"}  # the next run of the label is in the same second, however long its start takes
    older = bg.json("run", "X", "--", "sleep", "300", **ahead)
    newer = bg.start("X", "exec sleep 300")
    assert newer["run_id"] == f"{older['run_id']}z2"
    shell(bg, 'kill -9 "$(cat .logs/X_*.pid | tail -1)"')
    assert bg.ended(newer["run_id"])["state"] == "failed"
    assert bg.state(older["run_id"])["state"] == "running"
    assert bg("latest", "X").out.endswith(f"/{newer['run_id']}.log\n")
    bg("stop", "X")


def test_find_and_delete_old_logs(ended: Cli) -> None:
    for path in ended.logs.glob("X_*"):
        os.utime(path, (0, 0))
    shell(ended, "find .logs -name '*.log' -mtime +7 -delete")
    assert not list(ended.logs.glob("X_*.log"))
    assert len(list(ended.logs.glob("*.log"))) == 2
    assert ended.state("X")["exit_code"] == 4
    assert "does not exist" in ended("logs", "X", code=2).err


def test_status_says_the_words_of_the_runbook(bg: Cli) -> None:
    run = bg.start("X", "sleep 300; true")
    assert bg("status", "X").out.startswith(f"RUNNING label=X pid={run['pid']}\n")
    bg("stop", "X")
