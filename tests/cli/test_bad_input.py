"""Bad input: exit code 2 or the job's own, one clear message, no traceback, no half-made run."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

JOBS = """
jobs:
  pytest_full: {command: "true"}
  pr: {command: "echo {{ n }}", params: {n: {type: integer, description: which}}}
  sized: {command: "echo {{ n }}", params: {n: {type: integer, default: 3}, of: {type: choice, choices: [a, b], default: a}}}
  away: {command: "true", working_dir: nowhere}
  secret: {command: "true", env_file: .env}
  plain: {command: ./plain.txt}
  none: {command: [no-such-command-here]}
groups:
  checks: {jobs: [pytest_full]}
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    return bg


def nothing_ran(bg: Cli) -> bool:
    return not [path for path in bg.logs.rglob("*") if path.is_file() and path.name != ".gitignore"]


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        (("start", "pytest_ful"), "did you mean 'pytest_full'?"),
        (("start", "checks"), "bgrun group checks"),
        (("group", "pytest_full"), "bgrun start pytest_full"),
        (("group", "check"), "did you mean 'checks'?"),
        (("start", "pr"), "bgrun start pr n=1"),
        (("start", "pr", "n=x"), "invalid value 'x' for parameter 'n' of job 'pr': expected an integer"),
        (("start", "pr", "m=1"), "job 'pr' has no parameter 'm'"),
        (("start", "away"), "nowhere is not a directory"),
        (("start", "secret"), "cannot read env_file .env: No such file"),
        (("run", "a b", "--", "true"), "try 'a_b'"),
        (("run", "x"), "bgrun run x -- make test"),
        (("run", "x", "--"), "missing command"),
        (("run",), "missing argument LABEL\n  hint: for example: bgrun run build -- make -j4"),
        (("run", "--", "make", "a b"), "put a label before '--': bgrun run LABEL -- make 'a b'"),
        (("run", "x", "--", ""), "missing command"),
        (("run", "x", "--", " \n"), "missing command"),
        (("run", "x", "--", "CI=1", ""), "missing command"),
        (("rerun",), "missing argument REF\n  hint: for example: bgrun rerun tests"),
        (("status", "nope"), "no run, label or job named 'nope'"),
        (("status", "pytest_full"), "has no runs yet\n  hint: start it with 'bgrun start pytest_full'"),
        (("logs", "checks"), "has no runs yet\n  hint: start it with 'bgrun group checks'"),
        (("wait",), "no runs yet\n  hint: start a command with 'bgrun run LABEL -- COMMAND'"),
        (("latest",), "missing argument"),
        (("wait", "x", "--timeout", "soon"), "invalid duration 'soon'"),
        (("status", "--", "x"), "takes no arguments after '--'\n  hint: bgrun status x"),
        (("logs", "x", "-n", "0"), "invalid number '0'"),
        (("strat", "x"), "'start'"),
        (("start", "pytest_full", "--jsn"), "did you mean"),
        (("schema", "rums"), "did you mean 'run"),
        (("start", "pytest_full", "-v"), "after '--': bgrun start pytest_full -- -v"),
        (("start", "pytest_full", "-k", "a b", "--wait"), "bgrun start pytest_full --wait -- -k 'a b'"),
        (("start", "pytest_full", "-q", "-x", "--", "y"), "bgrun start pytest_full -q -- -x y"),
        (("start", "check"), "start the group 'checks' with 'bgrun group checks'"),
        (("group", "pytest"), "start the job 'pytest_full' with 'bgrun start pytest_full'"),
        (("start", "sized", "n=x", "of=b"), "hint: bgrun start sized n=3 of=b"),
        (("start", "sized", "of=c"), "hint: bgrun start sized of=a"),
        (("group", "checks", "n=3", "pr", "--wait"), "bgrun group checks --param n=3 --only pr --wait"),
        (("group", "checks", "--param", "n"), "give it a value: --param n=VALUE"),
        (("rerun", "pr", "n=3"), "start the job with others: bgrun start pr n=3"),
        (("rerun", "pr", "--failed", "--wait", "--", "-v"), "bgrun start pr --wait -- -v"),
        (("run", "x", "echo", "hi"), "bgrun run x -- echo hi"),
        (("run", "x", "--wait", "echo", "-n", "hi"), "bgrun run x --wait -- echo -n hi"),
        (("run", "echo hi"), "bgrun run LABEL -- 'echo hi'"),
        (("run", "x", "--cwd", "web", "--", "ls"), "did you mean '-C'?"),
        (("list", "--failed"), "did you mean '--state'?"),
        (("run", "x", "--env", "FOO", "--", "ls"), "give it a value: --env FOO=VALUE"),
        (("logs", "x", "-n"), "hint: give it a value: -n N"),
        (("logs", "x", "-20"), "unknown option '-20'\n  hint: bgrun logs x -n 20"),
        (("logs", "-C", "..", "x"), "-C of 'bgrun logs' is --context; did you mean '--directory'?"),
        (("logs", "-f", "bgjobs.yaml"), "give a job file with --file: bgrun --file bgjobs.yaml"),
        (("--bogus",), "unknown option '--bogus'\n  hint: run 'bgrun --help'"),
        (("--file", "gone.yaml", "jobs"), "job file gone.yaml does not exist"),
    ],
)
def test_it_is_reported_and_nothing_runs(project: Cli, words: tuple[str, ...], reported: str) -> None:
    done = project(*words, code=2)
    assert reported.lower() in done.err.lower(), done
    assert done.err.startswith("error: ")
    assert done.out == ""
    assert nothing_ran(project)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("version", "bgrun --version"),
        ("show", "'status' or 'report'"),
        ("delete", "bgrun prune --dry-run"),
        ("history", "bgrun list"),
        ("setup", "bgrun init"),
        ("attach", "bgrun follow"),
        ("output", "bgrun logs"),
        ("cancel", "bgrun stop"),
        ("exec", "bgrun run LABEL"),
        ("pytest_full", "bgrun start pytest_full"),
        ("pr n=2 --wait -- -v", "bgrun start pr n=2 --wait -- -v"),
        ("pytest_ful", "bgrun start pytest_full"),
        ("checks", "bgrun group checks"),
        ("stpo", "'stop'"),
        ("prun", "'prune'"),
        ("xyzzy", "bgrun --help"),
    ],
)
def test_an_unknown_command_leads_to_the_right_one(project: Cli, words: str, meant: str) -> None:
    done = project(*words.split(), code=2)
    assert f"unknown command {words.split(maxsplit=1)[0]!r}" in done.err
    assert meant in done.err
    assert nothing_ran(project)


@pytest.mark.parametrize("word", ["shop", "show", "new", "setup", "step", "prose", "history", "top", "run-e"])
def test_no_command_that_stops_or_deletes_is_a_guess(bg: Cli, word: str) -> None:
    assert not {"'stop'", "'prune'", "'kill'"} & set(bg(word, code=2).err.replace(",", "").replace("?", "").split())


def test_a_misspelled_label_leads_to_the_label_and_not_to_its_runs(bg: Cli) -> None:
    run = bg.json("run", "tests", "--wait", "--", "true")
    for word in ("test", "tset", "tets"):
        assert bg("wait", word, code=2).err.endswith("did you mean 'tests'? List runs with 'bgrun list'\n")
        done = bg("list", word)
        assert (
            done.err == f"no runs with label {word!r} yet\n  hint: did you mean 'tests'? List runs with 'bgrun list'\n"
        )
    assert f"bgrun status {run['run_id']}" in bg("list", run["run_id"]).err
    assert run["run_id"] in bg("status", run["run_id"][:-1], code=2).err


def test_a_letter_that_a_command_has_itself_is_not_in_its_help_twice(bg: Cli) -> None:
    assert "The options --file FILE and --directory DIR" in bg("logs", "--help").out
    assert "The options -f FILE and -C DIR" in bg("start", "--help").out


@pytest.mark.parametrize("broken", ["x=(", "echo 'a", "if true; then", "echo $(", "}", "echo hi )"])
def test_a_command_that_the_shell_cannot_read_is_reported_before_anything_runs(bg: Cli, broken: str) -> None:
    bg.jobs(
        "jobs:\n  x:\n    params: {v: {default: ''}}\n    command: |\n      " + broken + "\n      : {{ v | raw }}\n"
    )
    done = bg("start", "x", "v=\ntouch hacked\n", code=2)
    assert "invalid bash syntax" in done.err
    assert nothing_ran(bg)
    assert not (bg.folder / "hacked").exists()


def test_a_command_that_is_not_there_is_the_jobs_own_127(project: Cli) -> None:
    assert project("start", "none", "--exit-code", code=127)
    assert "no-such-command-here: not found" in project("logs", "none").out
    assert project("run", "x", "--exit-code", "--", "also-not-here", code=127)


def test_a_command_that_is_not_executable_is_the_jobs_own_126(project: Cli) -> None:
    (project.folder / "plain.txt").write_text("hello")
    assert project("start", "plain", "--exit-code", code=126)
    assert project("run", "x", "--exit-code", "--", "./plain.txt", code=126)
    assert "ermission denied" in project("logs", "x").out


def test_an_unreadable_env_file(project: Cli) -> None:
    (project.folder / ".env").write_bytes(b"A=\xff\n")
    assert "not UTF-8" in project("start", "secret", code=2).err
    (project.folder / ".env").write_text("fine=1\nthis is no assignment\n")
    assert ".env:2: expected NAME=value" in project("start", "secret", code=2).err
    assert nothing_ran(project)


@pytest.mark.parametrize("log_dir", [".", "..", "src/.."])
def test_a_log_directory_that_is_something_else(bg: Cli, log_dir: str) -> None:
    (bg.folder / "src").mkdir(mode=0o755)
    (bg.folder / "src" / "main.c").touch()
    bg.jobs(f"log_dir: {log_dir}\njobs: {{}}\n")
    assert "is the directory of the job file or a parent of it" in bg("run", "x", "--", "true", code=2).err
    assert sorted(path.name for path in bg.folder.rglob("*")) == ["bgjobs.yaml", "main.c", "src"]
    assert (bg.folder / "src").stat().st_mode & 0o777 == 0o755


def test_logs_that_cannot_be_written(project: Cli) -> None:
    project.logs.write_text("a file")
    done = project("run", "x", "--", "true", code=2)
    assert "is not a directory" in done.err
    assert "is not a directory" in project("status", code=2).err


def test_logs_where_nothing_can_be_made(project: Cli) -> None:
    if not os.path.isdir("/proc/self"):
        pytest.skip("/proc stands for a folder that nobody can write in, not even root")
    project.jobs("log_dir: /proc/self/logs\njobs: {}\n")
    assert "log_dir" in project("run", "x", "--", "true", code=2).err


def test_a_job_file_with_errors_does_not_prevent_status(project: Cli) -> None:
    project("start", "pytest_full", "--wait")
    project.jobs("log_dir: .logs\njobs: {pytest_full: {comand: x}\n  broken")
    assert "bgjobs.yaml:" in project("start", "pytest_full", code=2).err
    assert "bgjobs.yaml:" in project("run", "x", "--", "true", code=2).err
    assert project.state("pytest_full")["state"] == "succeeded"
    for command in (("list",), ("logs", "pytest_full"), ("wait", "pytest_full"), ("stop", "pytest_full"), ("prune",)):
        project(*command)


def test_a_job_file_in_a_parent_directory(project: Cli) -> None:
    inner = project.folder / "a" / "b"
    inner.mkdir(parents=True)
    project("start", "pytest_full", "--wait", cwd=inner)
    assert project.logs.is_dir()
    assert not (inner / ".logs").exists()
    assert project("status", "pytest_full", cwd=inner).out.startswith("NOT RUNNING")
    project("run", "where", "--wait", "--", "pwd", cwd=inner)
    assert project("logs", "where").out == f"{inner}\n"


def test_without_git_the_facts_are_empty(project: Cli) -> None:
    run = project.json("start", "pytest_full", "--wait")
    assert (run["git_sha"], run["git_branch"]) == (None, None)


def test_without_a_job_file_run_works_and_start_explains(bg: Cli) -> None:
    bg("run", "x", "--wait", "--", "true")
    assert bg.logs.is_dir()
    done = bg("start", "x", code=2)
    assert "no bgjobs.yaml" in done.err
    assert "bgrun run LABEL" in done.err


@pytest.mark.parametrize("name", ["bgjobs.yml", ".bgjobs.yaml", "bgjob.yaml"])
def test_a_job_file_with_nearly_the_right_name(bg: Cli, name: str) -> None:
    (bg.folder / name).write_text("jobs: {}")
    (bg.folder / "sub").mkdir()
    for words in (("jobs",), ("start", "x"), ("validate",)):
        assert (
            bg(*words, code=2).err == f"error: no bgjobs.yaml, but {name}\n  hint: rename it: mv {name} bgjobs.yaml\n"
        )
        assert f"{bg.folder}/bgjobs.yaml" in bg(*words, code=2, cwd=bg.folder / "sub").err
    bg("run", "x", "--wait", "--", "true")


def test_a_directory_that_is_gone(bg: Cli) -> None:
    bg.jobs("jobs: {}")
    gone = bg.folder / "gone"
    gone.mkdir()
    done = bg("run", "x", "--wait", "--", "bash", "-c", "cd ..; rmdir gone", cwd=gone)
    assert done.code == 0
    assert "does not exist" in bg("rerun", "x", code=2).err
    gone.mkdir()
    line = f"rmdir ../gone; {' '.join(bg.command)} status"
    inside = subprocess.run(["bash", "-c", line], cwd=gone, env=bg.env, capture_output=True, text=True)
    assert inside.returncode == 2
    assert inside.stderr.startswith("error: the current directory no longer exists")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(project: Cli, closed: str) -> None:
    words = " ".join(project.command)
    line = f"{words} start pytest_full --wait {closed} && {words} status {closed}"
    done = subprocess.run(["bash", "-c", line], cwd=project.folder, env=project.env, capture_output=True, text=True)
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    assert project.state("pytest_full")["state"] == "succeeded"


def test_a_reader_that_leaves_is_no_failed_job(project: Cli) -> None:
    project("run", "x", "--wait", "--", "seq", "200000")
    line = f"{' '.join(project.command)} logs x --since-start | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], cwd=project.folder, env=project.env, capture_output=True, text=True)
    assert done.stdout == "1\n141\n", done
    assert done.stderr == ""


GARBAGE = ["", "=", "state=succeeded", "\0" * 50, "ts=x\nlabel=x\nstarted_at=yesterday\npid=-1\npid_start=1",
           "label=x\nstarted_at=9999999999999\nduration_s=nan\nstate=failed\nexit_code=1e9\nsuccess_exit_codes=\u00b2",
           "label=x\nmembers={run}\nstarted_at=x", "label=x\ngroup_run={run}\nmax_parallel=\u00b2\nmembers=",
           "label=\x1b[2J\nreason=\x1b]0;x\x07\nstate=lost"]  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_a_meta_full_of_garbage_harms_nobody(project: Cli, text: str) -> None:
    run = project.json("start", "pytest_full", "--wait")
    meta = project.logs / f"{run['run_id']}.meta"
    meta.write_text(text.replace("{run}", run["run_id"]))
    (project.logs / f"{run['run_id']}.exit").write_text("perhaps")
    for command in ("status", "list", "wait", "logs", "follow", "stop", "latest", "rerun"):
        words = (command,) if command == "list" else (command, run["run_id"])
        done = project(*words, code=None, **{"BGRUN_DEBUG": ""})
        assert "internal error" not in done.err, done
        assert not set(done.out + done.err) & {"\x1b", "\x07"}, done
    project("start", "pytest_full", "--wait")
    project("prune")


def test_help_of_everything(bg: Cli) -> None:
    from bgrun.cli.spec.overview import COMMANDS

    shown = bg("--help").out
    for command in COMMANDS:
        assert command.name in shown
        assert command.summary in shown
        assert command.description.split()[0] in bg(command.name, "--help").out
    assert bg("--version").out.startswith("bgrun ")


def test_a_job_file_is_checked_once_and_again_when_it_changes(bg: Cli) -> None:
    good = "jobs: {a: {command: echo good}}\n"
    bg.jobs(good)
    for _ in range(3):
        bg("start", "a", "--wait")
    mark = bg.logs / ".cache" / "checked"
    kept = mark.read_bytes()
    bg.jobs(good.replace("command", "comand"))
    assert "unknown key" in bg("start", "a", code=2).err
    assert mark.read_bytes() == kept
    bg.jobs(good.replace("good", "new"))
    bg("start", "a", "--wait")
    assert bg("logs", "a").out == "new\n"
    assert mark.read_bytes() != kept


def spoil(path: Path, odd: str) -> None:
    """Put something else in place of a file."""
    data = path.read_bytes()
    path.unlink()
    makers = {"link": lambda: path.symlink_to("elsewhere"), "folder": path.mkdir, "fifo": lambda: os.mkfifo(path)}
    makers["half"] = lambda: path.write_bytes(data[: len(data) // 2])
    makers.get(odd, lambda: path.write_text(odd, encoding="latin-1"))()


@pytest.mark.parametrize("odd", ["", "x" * 64, "\xff", "link", "folder", "fifo", "i\x01\x00\x00\x00", "half"])
def test_what_is_odd_in_the_cache_is_not_used(bg: Cli, odd: str) -> None:
    bg.jobs("jobs: {a: {command: echo good}}\n")
    bg("start", "a", "--wait")
    kept = [path for path in (bg.logs / ".cache").iterdir() if not path.is_symlink()]
    assert len(kept) == 2, kept
    for path in kept:
        spoil(path, odd)
    bg("start", "a", "--wait")
    assert bg("logs", "a").out == "good\n"
    bg.jobs("jobs: {a: {comand: echo good}}\n")
    assert "unknown key" in bg("start", "a", code=2).err


def test_a_file_of_matchers_is_checked_each_time(bg: Cli) -> None:
    bg.jobs("jobs: {a: {command: echo good, problems: [m.json]}}\n")
    (bg.folder / "m.json").write_text('{"problemMatcher": [{"owner": "o", "pattern": [{"regexp": "x"}]}]}')
    for _ in range(2):
        bg("start", "a", "--wait")
    (bg.folder / "m.json").write_text("{}")
    assert "m.json" in bg("start", "a", code=2).err
    assert "m.json" in bg("jobs", code=2).err


def test_the_help_fits_80_columns_and_names_every_command_once(bg: Cli) -> None:
    from bgrun.cli.spec.overview import COMMANDS

    shown = bg("--help").out
    assert max(map(len, shown.splitlines())) <= 80
    assert [line.split()[0] for line in shown.splitlines() if line[:2] == "  " and line.split()[0].isalpha()] == [
        "bgrun",
        "bgrun",
        "bgrun",
        *(command.name for command in COMMANDS),
    ]
    assert all(len(command.summary) <= 60 for command in COMMANDS)


def test_without_a_command_the_help_goes_to_standard_error(bg: Cli) -> None:
    done = bg(code=2)
    assert (done.out, done.err) == ("", bg("--help").out)


def test_each_line_of_a_hint_is_marked(bg: Cli) -> None:
    assert (
        bg("star", code=2).err == "error: unknown command 'star'\n  hint: did you mean 'start', 'stats' or 'status'?\n"
    )
    assert bg("report", "x", "y", code=2).err == "error: unexpected argument 'y'\n  hint: run 'bgrun report --help'\n"


def test_every_example_of_the_help_is_a_command_line() -> None:
    import shlex

    from bgrun.cli import click_parser
    from bgrun.cli.spec.overview import COMMANDS, EXAMPLES

    every = [example for command in COMMANDS for example in command.examples] + [example for example, _ in EXAMPLES]
    lines = [example for example in every if example.startswith("bgrun ")]
    assert len(lines) > 30
    for line in lines:
        name, *words = shlex.split(line.split(" | ")[0].split(" > ")[0])[1:]
        words = words[: words.index("--")] if "--" in words else words
        click_parser.build().commands[name].make_context(name, words)


@pytest.mark.parametrize(
    "text",
    [
        "jobs:\n  - name: a\n    command: ls\n",
        "jobs: 1\ngroups: [[a]]\n",
        "jobs: {a: {command: x, params: [{name: p}], matrix: [{os: 1}]}}\ninclude: [{a: {b: c}}, 1, null]\n",
        "log_dir: !!timestamp x\njobs: {a: {command: x, timeout: !!bool maybe}}\n",
    ],
)
def test_no_command_ends_in_an_internal_error_over_a_job_file_of_another_form(bg: Cli, text: str) -> None:
    bg.jobs(text)
    for words in (["validate"], ["jobs"], ["start", "a"], ["group", "a"], ["render", "a"], ["rerun", "a"]):
        done = bg(*words, code=2)
        assert done.err.startswith("error: ")
        assert "Traceback" not in done.out + done.err
    assert bg("run", "adhoc", "--wait", "--", "true", code=None).code in (0, 2), "the defaults may have errors"
    bg("status")
    bg("doctor", code=None)
    assert bg("init", "--agents", code=None).code in (0, 2)
    bg("start", "", _BGRUN_COMPLETE="zsh", BGRUN_DEBUG="1")  # with that it raises what it would hide
