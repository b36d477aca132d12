"""`bgrun run` is as able as a declared job: shell text, variables, a directory, tags, a timeout, retries, defaults."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.render import command

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.mark.parametrize(
    ("text", "printed", "code"),
    [
        ("echo a | tr a b", "b\n", 0),
        ("echo $((1 + 2)); exit 3", "3\n", 3),
        ("A=1 sh -c 'echo $A'", "1\n", 0),
        ("cd sub && pwd", "{}/sub\n", 0),
        ("false | cat", "", 1),
        ("echo\ttab", "tab\n", 0),
        ("echo one\necho two", "one\ntwo\n", 0),
        ("(exit 4)", "", 4),
    ],
)
def test_one_word_of_shell_text(bg: Cli, text: str, printed: str, code: int) -> None:
    (bg.folder / "sub").mkdir()
    done = bg("run", "x", "--exit-code", "--", text, code=code)
    assert done.err.startswith(f"running shell text: {' '.join(text.split())}\n")
    assert bg("logs", "x").out == printed.format(bg.folder)
    assert bg.state("x")["cmd"] == text if "\n" not in text else True


def test_what_is_no_shell_text(bg: Cli) -> None:
    (bg.folder / "my tool").write_text("#!/bin/sh\necho tool $#\n")
    (bg.folder / "my tool").chmod(0o755)
    assert bg("run", "x", "--wait", "--", "./my tool").err == ""
    assert bg("logs", "x").out == "tool 0\n"
    assert bg("run", "x", "--wait", "--", "./my tool", "a | b").err == ""
    assert bg("logs", "x").out == "tool 1\n"
    for word in ("no~such", "no*such", "no?such", "no[such", "./no=such"):
        assert bg("run", "x", "--exit-code", "--", word, code=127).err == ""
    assert "invalid bash syntax" in bg("run", "x", "--", "echo (", code=2).err


@given(st.lists(st.text("aA1_=| \n", max_size=5), max_size=4), st.sets(st.text("aA1_=| \n", max_size=5)))
def test_the_words_of_a_command(words: list[str], files: set[str]) -> None:
    found = command.parse(words, files.__contains__)
    assert [*found.env, *found.argv] == words
    assert all(one.partition("=")[0].isidentifier() and one not in files for one in found.env)
    first = found.argv[0] if found.argv else ""
    assert first in files or found.is_text or "=" not in first or not first.partition("=")[0].isidentifier()
    assert found.is_text == (len(found.argv) == 1 and first not in files and bool(set(" |\n") & set(first)))


def test_variables(bg: Cli) -> None:
    (bg.folder / "v.env").write_text("ONE=file\nTWO=file\nTHREE=file\n")
    bg.jobs("defaults: {env: {ZERO: default, ONE: default}}\njobs: {}\n")
    show = "echo $ZERO $ONE $TWO $THREE"
    for _ in range(2):
        bg("run", "x", "--wait", "--env-file", "v.env", "--env", "TWO={{ a }}", "--", "THREE=a b", "sh", "-c", show)
        assert bg("logs", "x").out == "default file {{ a }} a b\n"
    (bg.folder / "v.env").write_text("ONE=other\n")
    bg("run", "x", "--wait", "--env-file", "v.env", "--env", "TWO=", "--", show)
    assert bg("logs", "x").out == "default other\n"
    bg("run", "x", "--wait", "--env", "IFS=,", "--", "sh", "-c", "echo ok")
    assert bg("logs", "x").out == "ok\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--env", "1=2", "--", "true"), "error: invalid variable '1=2': expected NAME=VALUE\n"),
        (("--env", "A", "--", "true"), "error: invalid variable 'A': expected NAME=VALUE\n"),
        (("--", "BGRUN_GATE=1", "true"), "error: variable BGRUN_GATE is reserved"),
        (("--", "A=1"), "error: missing command\n  hint: put it after the variables"),
        (("--env-file", "no.env", "--", "true"), "error: cannot read env_file {}/no.env: No such file"),
        (("-C", "nowhere", "--", "true"), "error: 'nowhere' is not a directory"),
        (("--retry", "0", "--", "true"), "error: invalid number '0'"),
        (("--", "source", "env.sh"), "bgrun run LABEL -- 'source env.sh'"),
        (("--", "cd", "sub"), "bgrun run LABEL -C DIR -- COMMAND"),
        (("--", "ulimit", "-n", "64"), "'ulimit' is a builtin of the shell, not a program"),
    ],
)
def test_bad_input(bg: Cli, words: tuple[str, ...], expected: str) -> None:
    empty = bg.folder / "empty"
    empty.mkdir()
    done = bg("run", "x", *words, code=2, PATH=str(empty))
    assert expected.format(bg.folder) in done.err
    assert not list(bg.logs.glob("x_*"))


def test_a_builtin_that_is_a_program_here_is_run(bg: Cli) -> None:
    (bg.folder / "bin").mkdir()
    (bg.folder / "bin" / "ulimit").write_text("#!/bin/sh\necho program\n")
    (bg.folder / "bin" / "ulimit").chmod(0o755)
    bg("run", "x", "--wait", "--", "ulimit", PATH=f"{bg.folder}/bin:{bg.env['PATH']}")
    assert bg("logs", "x").out == "program\n"


def test_tags_a_timeout_and_retries(bg: Cli) -> None:
    bg.jobs("defaults: {tags: [own], timeout: 1h}\njobs: {}\n")
    run = bg.json("run", "x", "--tag", "a", "--tag", "b", "--retry", "1", "--wait", "--", "echo try; exit 3", code=1)
    assert run["tags"] == ["own", "a", "b"]
    assert bg("logs", "x").out.splitlines()[::2] == ["try", "try"]
    assert bg("list", "--tag", "a", "-q").out == f"{run['run_id']}\n"
    assert bg.meta(run)["timeout_s"] == "3600"
    run = bg.json("run", "x", "--job-timeout", "200ms", "--wait", "--", "sleep", "300", code=1)
    assert run["state"] == "timed_out"


def test_where_a_command_runs(bg: Cli) -> None:
    for folder in ("sub", "work", "other"):
        (bg.folder / folder).mkdir()
    (bg.folder / "jobs.yaml").write_text("defaults: {working_dir: work}\njobs: {}\n")
    (bg.folder / "plain.yaml").write_text("jobs: {}\n")

    def ran_in(*words: str, inside: str = "sub") -> str:
        at, _, rest = " ".join(words).partition(" | ")
        run = bg.json(*at.split(), "run", "x", *rest.split(), "--wait", "--", "pwd", cwd=bg.folder / inside)
        with open(run["log"]) as log:
            return os.path.relpath(log.read().strip(), bg.folder)

    assert ran_in("-f ../plain.yaml | ") == "."
    assert ran_in("-f ../jobs.yaml | ") == "work"
    assert ran_in("-C .. -f jobs.yaml | ") == "."
    assert ran_in(" | -C ../other -f ../plain.yaml") == "other"
    (bg.folder / "jobs.yaml").rename(bg.folder / "bgjobs.yaml")
    assert ran_in(" | ") == "work"
    assert ran_in(" | -C .") == "sub"
    (bg.folder / "bgjobs.yaml").unlink()
    (bg.folder / "plain.yaml").rename(bg.folder / "bgjobs.yaml")
    assert ran_in(" | ") == "sub"


@pytest.mark.parametrize(
    ("name", "why", "code"),
    [
        *((name, "not found", 127) for name in ("nosuchcmd", "./nosuch", "a'b")),
        ("./plain", "Permission denied", 126),
        ("./folder", "Is a directory", 126),
    ],
)
def test_a_program_that_cannot_run_is_named_without_the_insides_of_the_script(
    bg: Cli, name: str, why: str, code: int
) -> None:
    (bg.folder / "plain").write_text("true\n")
    (bg.folder / "folder").mkdir()
    bg.jobs(f'jobs: {{j: {{command: ["{name}", x]}}}}\n')
    bg("run", "x", "--exit-code", "--", name, "x", code=code)
    bg("start", "j", "--exit-code", code=code)
    for label in ("x", "j"):
        assert bg("logs", label).out == f"bgrun: {name}: {why}\n"


def test_a_summary_names_no_line_of_the_job_script(bg: Cli) -> None:
    (bg.folder / "bad.sh").write_text("#!/nowhere/sh\n")
    (bg.folder / "bad.sh").chmod(0o755)
    bg("run", "x", "--wait", "--", "./bad.sh", code=1)
    (line,) = bg.json("report", "x")["digest"]["tail"]
    assert line.startswith("bgrun: ./bad.sh: ")


def test_a_start_names_the_runs_that_it_started(bg: Cli) -> None:
    bg.jobs(
        "jobs: {a: {command: 'true'}, b: {command: 'true', depends_on: [a]}, c: {command: 'true', depends_on: [b]}}"
    )
    lines = bg("start", "c").out.splitlines()
    assert [line.split()[1].rsplit("_", 2)[0] for line in lines if line.startswith("  ")] == ["a", "b"]
    bg("wait", "c")
