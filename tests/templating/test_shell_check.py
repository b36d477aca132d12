"""The shell of a command checks its syntax without running it."""

from __future__ import annotations

import pytest

from bgrun.errors import UsageError
from bgrun.templating.shell_check import check_syntax


def test_an_error_has_the_words_of_the_shell(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"job: command: invalid bash syntax: .*unexpected end of file") as caught:
        check_syntax("echo ran; if true; then", ["bash"], "job: command")
    assert caught.value.hint == "check quotes and brackets; 'bgrun render' shows the command"
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
