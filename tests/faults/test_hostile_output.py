"""Fault 7: arguments and output of every kind."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import in_folder

if TYPE_CHECKING:
    from tests.conftest import Cli

ARGUMENTS = [
    "plain", "two words", "", "'", '"', "$HOME", "$(id)", "`id`", "a\nb", "--", "--help", "-n", "ünïcödé ✓",
    "\\", "\\n", "*", "~", "#x", "a;b", "a&&b", "!", "%s", "=", "k=v", "\t", "\x1b[31m", "{{ x }}",
]  # fmt: skip
SHOW = "import json, os, sys; print(json.dumps([os.fsencode(a).hex() for a in sys.argv[1:]]))"


def shown(bg: Cli, arguments: list[str]) -> list[bytes]:
    bg("run", "x", "--wait", "--", sys.executable, "-c", SHOW, *arguments)
    return [bytes.fromhex(word) for word in json.loads(Path(bg.state("x")["log"]).read_text())]


def test_arguments_reach_the_command_exactly(bg: Cli) -> None:
    assert shown(bg, ARGUMENTS) == [argument.encode() for argument in ARGUMENTS]


def test_arguments_that_are_not_utf8(bg: Cli) -> None:
    odd = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    assert shown(bg, [odd]) == [b"caf\xe9 \xff"]
    assert bg.json("status", "x")["runs"][0]["state"] == "succeeded"


@in_folder(15)
@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=8))
def test_any_arguments(bg: Cli, arguments: list[str]) -> None:
    assert shown(bg, arguments) == [argument.encode() for argument in arguments]


@pytest.mark.parametrize("name", ["a b", "it's", 'say "hi"', "$HOME `id`", "ünï", "%s -n", "-x", "a\nb", ".hidden"])
def test_a_project_directory_of_any_name(bg: Cli, name: str) -> None:
    folder = bg.folder / name
    folder.mkdir()
    (folder / "bgjobs.yaml").write_text("jobs: {x: {command: 'pwd; exit 3'}}\ngroups: {g: {jobs: [x]}}")
    bg("start", "x", "--exit-code", code=3, cwd=folder)
    assert (folder / ".logs").is_dir()
    assert Path(bg("latest", "x", "--json", cwd=folder).json["log"]).read_text() == f"{folder}\n"
    bg("group", "g", "--wait", code=1, cwd=folder)
    bg("run", "y", "--", "sleep", "300", cwd=folder)
    assert bg("stop", "y", cwd=folder).out.startswith("stopped")


@pytest.mark.parametrize(
    "odd",
    [
        {"BASH_ENV": "trap.sh"}, {"SHELLOPTS": "braceexpand:errexit:noexec"}, {"BASH_FUNC_printf%%": "() { exit 0; }"},
        {"BASH_FUNC_exec%%": "() { exit 0; }"}, {"PATH": "/nonexistent"}, {"CDPATH": "/"}, {"POSIXLY_CORRECT": "1"}, {"IFS": "x"},
        {"ENV": "trap.sh"}, {"OPTIND": "x"}, {"PPID": "1"}, {"a.b": "c"},
    ],
    ids=lambda odd: next(iter(odd)),
)  # fmt: skip
@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
def test_the_callers_shell_settings_change_no_result(bg: Cli, odd: dict[str, str], supervised: bool) -> None:
    (bg.folder / "trap.sh").write_text("trap 'exit 0' EXIT\nset -e\n")
    python = sys.executable
    wait = "import os, sys, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nsys.exit(3)"
    run = bg.json("run", "x", "--", python, "-c", wait, **odd)
    if not supervised:
        os.kill(int(bg.meta(run)["supervisor_pid"]), 9)
    (bg.folder / "go").touch()
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)


def test_a_variable_with_a_name_that_no_shell_can_give_it_reaches_the_command(bg: Cli) -> None:
    bg("run", "x", "--wait", "--", "env", **{"a.b": "c"})
    assert "a.b=c\n" in bg("logs", "x", "-n", "1000").out


def test_a_program_without_a_first_line_is_run_as_by_bash(bg: Cli) -> None:
    script = bg.folder / "check"
    script.write_text("a=(1 2 3)\nif [[ -e check ]]; then exit ${#a[@]}; fi\n")
    script.chmod(0o755)
    bg("run", "x", "--exit-code", "--", "./check", code=3)
    bg.jobs("jobs: {x: {command: [./check]}, y: {command: ./check}}")
    for job in ("x", "y"):
        bg("start", job, "--exit-code", code=3)


def test_another_program_of_the_name_of_a_shell_is_not_taken_for_it(bg: Cli) -> None:
    away = bg.folder / "bin"
    away.mkdir()
    (away / "dash").write_text("#!/bin/sh\nexit 0\n")
    (away / "dash").chmod(0o755)
    bg.jobs("jobs: {x: {command: 'exit 7'}}")
    bg("start", "x", "--exit-code", code=7, PATH=f"{away}:{bg.env['PATH']}")


@pytest.mark.parametrize("name", ["OPTIND", "LINENO", "PS4", "ENV", "IFS", "_", "RANDOM"])
def test_a_declared_variable_that_means_something_to_a_shell_ends_no_job(bg: Cli, name: str) -> None:
    bg.jobs(f"jobs: {{x: {{command: 'exit 7', env: {{{name}: odd}}}}}}")
    bg("start", "x", "--exit-code", code=7)


def test_a_directory_whose_name_looks_like_a_template(bg: Cli) -> None:
    bg.jobs("jobs: {}")
    for name in ("{{ 7*7 }}", "{% raw %}"):
        (bg.folder / name).mkdir()
        bg("run", "x", "--wait", "--", "pwd", cwd=bg.folder / name)
        assert bg("logs", "x").out == f"{bg.folder / name}\n"


def test_a_command_too_long_for_the_system_fails_and_says_so(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'echo {{ \"x\" * 200000 }}'}}")
    assert bg.json("start", "x", "--wait", code=1)["exit_code"] == 126
    assert "too long" in bg("logs", "x").out


OUTPUTS = {
    "binary": bytes(range(256)) * 64,
    "ansi": b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x9b31m\n",
    "a 4 MiB line": b"x" * (4 << 20) + b"\n",
    "invalid utf-8": b"caf\xe9 \xff\xfe \xed\xa0\x80\n",
    "a progress bar": b"".join(b"%d%%\r" % n for n in range(100)) + b"\n",
    "no line end": b"the end",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_log_is_byte_for_byte_and_every_reader_survives(bg: Cli, kind: str) -> None:
    data = OUTPUTS[kind]
    (bg.folder / "data").write_bytes(data)
    bg("run", "x", "--wait", "--", "cat", "data")
    assert Path(bg.state("x")["log"]).read_bytes() == data
    document = bg.json("logs", "x")
    assert document["size"] == len(data)
    for reader in (("logs", "x"), ("follow", "x"), ("logs", "x", "--since-start")):
        assert not set(bg(*reader).out) & {"\x1b", "\x07", "\x9b", "\x00", "\x7f"}
    assert bg("logs", "x", "--raw", "--since-start").out.encode("utf-8", "surrogateescape") == data
    assert bg("follow", "x", "--raw").out.encode("utf-8", "surrogateescape") == data
