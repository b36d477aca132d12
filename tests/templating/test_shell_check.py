"""The shell of a command checks its syntax without running it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.templating import shell_check
from bgrun.templating.shell_check import check_syntax

if TYPE_CHECKING:
    from pathlib import Path


def test_an_error_has_the_words_of_the_shell(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"job: command: invalid bash syntax: .*unexpected end of file") as caught:
        check_syntax("echo ran; if true; then", ["bash"], "job: command")
    assert caught.value.hint.startswith("close each quote, bracket and block")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("text", ["true", "case x in !(a)) ;; esac # extglob", "exit 3"])
def test_a_valid_command_is_not_run(text: str) -> None:
    check_syntax(text, ["bash", "-eo", "pipefail"], "job: command")


def test_without_the_shell_the_run_reports_it() -> None:
    check_syntax("(", ["no-such-shell-here"], "job: command")


def test_variables_that_shells_read_first_are_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELLOPTS", "noexec")
    monkeypatch.setenv("BASH_ENV", "/dev/nonexistent")
    check_syntax("true", ["bash"], "job: command")


PLAIN = [
    "true",
    "make -j4 test",
    "python3 -m pytest tests/unit -x --maxfail=1",
    "cd build && cmake .. && make -j$N || exit 3",
    "echo 'a; b' \"c d\" | tee log.txt; true",
    "if-up eth0",
    "a.out *.txt",
]
OTHERS = [
    "-x true",
    "+x",
    "if true",
    "fi",
    "in x",
    "a=1 true",
    "true ;",
    "true &",
    "true && done",
    "a;for",
    "do;",
    "(true)",
    "echo $(true)",
    "echo ${x}",
    "echo `true`",
    'echo "$x"',
    "echo 'x",
    "echo é",
    "true\nfalse",
    "# x",
    "echo > x",
    "{ true",
    "! true",
    "time -p true",
    "echo =x",
    "echo ~x",
    "~x",
    "[[ x",
    "true ;; true",
    "true | | true",
    "",
]


def is_plain(text: str) -> bool:
    return bool(shell_check._PLAIN.fullmatch(text))


def test_only_commands_of_plain_words_are_plain() -> None:
    assert [text for text in PLAIN if not is_plain(text)] == []
    assert [text for text in OTHERS if is_plain(text)] == []


@settings(max_examples=40)
@given(st.from_regex(shell_check._PLAIN, fullmatch=True))
@example("a\t'\\' =b* || then1 ;\"'\"$_")
def test_a_shell_parses_whatever_is_plain(text: str) -> None:
    for shell in ("bash", "dash"):
        if shutil.which(shell):
            done = subprocess.run([shell, "-n", "-c", text], check=False, capture_output=True)
            assert (done.returncode, done.stderr) == (0, b""), (shell, text)


def test_a_shell_is_started_once_for_all_plain_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shell = tmp_path / "bash"
    shell.write_text(f'#!/bin/sh\necho >>{tmp_path}/calls\nexec bash "$@"\n')
    shell.chmod(0o755)
    monkeypatch.setattr(shell_check, "_takes_plain", set())
    for text in ("true 1", "true 2 && false", "true 3"):
        check_syntax(text, [str(shell), "-e"], "x")
    assert (tmp_path / "calls").read_text() == "\n"
    check_syntax("true 1", [str(shell), "-u"], "x")
    check_syntax("(true)", [str(shell), "-e"], "x")
    assert (tmp_path / "calls").read_text() == "\n" * 3


def test_a_shell_that_takes_no_plain_command_is_reported_each_time() -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match=r"x: invalid bash syntax: .*badoption"):
            check_syntax("true", ["bash", "-o", "badoption"], "x")
