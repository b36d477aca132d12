"""The caller's environment has no say in a verdict, whichever shell runs the job script."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import kill

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """
jobs:
  bad: {command: "echo ran; exit 3"}
  argv: {command: [bash, -c, "echo ran; exit 3"]}
  again: {command: "echo ran; exit 3", retry: {max: 1, backoff: 10ms}}
  env: {command: env}
"""
# What a shell goes by, or the job script uses itself; each would change what one of the two shells does.
OF_THE_CALLER = {
    "SHELLOPTS": "noexec",
    "BASHOPTS": "failglob",
    "BASH_XTRACEFD": "8",
    "TMOUT": "1",
    "EXECIGNORE": "*",
    "POSIXLY_CORRECT": "1",
    "IFS": "1234567890/",
    "CDPATH": "/usr",
    "GLOBIGNORE": "*",
    "PS4": "$(kill $$)",
    "FUNCNEST": "1",
    "OPTIND": "7",
    "PPID": "1",
    "ENV": "/dev/null",
    "BASH_COMPAT": "31",
    "bgrun_code": "0",
    "bgrun_interrupted": "1",
    "bgrun_last": "0",
    "BGRUN_GATE": "1",
    "BGRUN_RUN_ID": "other_20200101_000000",
    "BASH_FUNC_exit%%": "() {  command exit 0; }",
    "BASH_FUNC_bgrun_record_code%%": "() {  :; }",
    "BASH_FUNC_read%%": "() {  return 1; }",
}
NO_EFFECT_ON_THE_COMMAND = set(OF_THE_CALLER) - {"BASH_FUNC_exit%%", "BASH_FUNC_read%%"}
BY_BASH = {"a.b": "a name that no shell can give a variable, which only bash hands on"}


@pytest.mark.parametrize("more", [{}, BY_BASH], ids=["dash", "bash"])
@pytest.mark.parametrize("name", OF_THE_CALLER)
def test_a_variable_of_the_caller_changes_no_result(bg: Cli, name: str, more: dict[str, str]) -> None:
    """A function that is exported is one of the command's own shell: it reaches that, and not the job script's."""
    bg.jobs(JOBS)
    for job in ("bad", "argv"):
        done = bg("start", job, "--exit-code", code=None, **{name: OF_THE_CALLER[name]}, **more)
        expected = 3 if name in NO_EFFECT_ON_THE_COMMAND else 0 if name == "BASH_FUNC_exit%%" else 3
        assert done.code == expected, done
        assert bg("logs", job).out == "ran\n"


@pytest.mark.parametrize("more", [{}, BY_BASH], ids=["dash", "bash"])
def test_all_of_them_at_once_change_no_result(bg: Cli, more: dict[str, str]) -> None:
    bg.jobs(JOBS)
    some = {name: OF_THE_CALLER[name] for name in NO_EFFECT_ON_THE_COMMAND if not name.startswith("BASH_FUNC")}
    bg("start", "again", "--exit-code", code=3, **some, **more)
    assert bg("logs", "again").out.count("ran\n") == 2
    assert bg.json("run", "x", "--wait", "--", "bash", "-c", "exit 3", code=1, **some, **more)["exit_code"] == 3


@pytest.mark.parametrize("more", [{}, BY_BASH], ids=["dash", "bash"])
def test_what_of_it_reaches_the_command(bg: Cli, more: dict[str, str]) -> None:
    bg.jobs(JOBS)
    some = {name: value for name, value in OF_THE_CALLER.items() if not name.startswith("BASH_FUNC")}
    bg("start", "env", "--wait", **some | {"BASH_ENV": "/dev/null", "PS4": "+ "}, **more)
    names = {line.partition("=")[0] for line in bg("logs", "env").out.splitlines()}
    assert names >= {"BASH_ENV", "ENV", "CDPATH", "GLOBIGNORE", "POSIXLY_CORRECT", "FUNCNEST", "BASH_COMPAT"}
    assert not names & {"SHELLOPTS", "BASHOPTS", "BASH_XTRACEFD", "EXECIGNORE", "TMOUT", "BGRUN_GATE"}
    assert not [name for name in names if name.startswith("bgrun_")]


def test_a_killed_job_is_failed_whatever_the_caller_set(bg: Cli) -> None:
    """Its script's second record would be that of the caller's variable."""
    bg.jobs("jobs: {x: {command: 'kill -9 $PPID; sleep 60'}}\n")
    bg("start", "x", "--wait", code=1, bgrun_code="0", bgrun_reserve="/nowhere")
    assert bg.state("x")["exit_code"] == 137


@pytest.mark.parametrize("more", [{}, BY_BASH], ids=["dash", "bash"])
def test_without_a_supervisor_the_code_is_recorded_whatever_the_caller_set(bg: Cli, more: dict[str, str]) -> None:
    bg.jobs("jobs: {x: {command: 'until [ -e go ]; do sleep 0.02; done; exit 4'}}\n")
    some = {name: OF_THE_CALLER[name] for name in NO_EFFECT_ON_THE_COMMAND if not name.startswith("BASH_FUNC")}
    run = bg.json("start", "x", **some, **more)
    kill(int(bg.meta(run)["supervisor_pid"]))
    (bg.folder / "go").touch()
    assert bg.ended("x")["exit_code"] == 4


def test_the_options_of_the_callers_shell_stay_there(bg: Cli) -> None:
    """As a person has it: a shell that exports its own options, and starts a run."""
    bg.jobs(JOBS)
    text = 'export SHELLOPTS BASHOPTS; set -o noclobber; shopt -s failglob; exec "$@" start bad --exit-code'
    done = subprocess.run(["bash", "-c", text, "-", *bg.command], cwd=bg.folder, env=bg.env, check=False)
    assert done.returncode == 3
    assert bg("logs", "bad").out == "ran\n"


def test_a_hook_has_none_of_it_either(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'true', on_finish: 'env >hooked; touch done'}}\n")
    bg("start", "x", "--wait", SHELLOPTS="noexec", bgrun_code="1", KEPT="1")
    bg("wait", "x")
    names = {line.partition("=")[0] for line in _read(bg, "hooked")}
    assert "KEPT" in names
    assert not names & {"SHELLOPTS", "bgrun_code"}


def _read(bg: Cli, name: str) -> list[str]:
    from tests.conftest import wait_until

    wait_until((bg.folder / "done").exists, "the hook has run")
    return (bg.folder / name).read_text().splitlines()
