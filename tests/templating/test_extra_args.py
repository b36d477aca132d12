"""The arguments after `--` reach the command that they are meant for, or the start is refused."""

from __future__ import annotations

import subprocess

import pytest

from bgrun.errors import UsageError
from bgrun.templating.extra_args import HINT, placed

SHOW = "show() { printf '%s|' \"$@\"; }; "
WORDS = ["-k", "a b", "$(touch hacked)", "'"]
SHOWN = "-k|a b|$(touch hacked)|'|"


def output(text: str, shell: str = "bash") -> str:
    return subprocess.run([shell, "-c", text], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize(
    "text",
    [
        "printf '%s|'",
        "cd / && printf '%s|'",
        "false | cat; printf '%s|'",
        "false || true && printf '%s|'",
        "# a comment\nprintf '%s|' 2>&1  \n",
        "cat <<EOF >/dev/null\n$(true)\nEOF\nprintf '%s|'",
        SHOW + "show",
        'sh -c \'printf "%s|" "$@"\' sh',
        "set -- a; shift; printf '%s|' \"$@\"",
        "printf '%s|' 2>&1 >&1",
        "case x in a|b) ;; esac; printf '%s|'",
    ],
)
def test_appended_words_are_those_of_the_last_command(text: str, shell: str) -> None:
    assert output(placed(text, WORDS, "w"), shell) == SHOWN


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize(
    "text",
    [
        "printf '%s|' \"$@\" | cat",
        "printf '%s|' \"$@\"  # all of them",
        "printf '%s|' \"${@}\" || true",
        'for one in "$@"; do printf \'%s|\' "$one"; done',
        "(printf '%s|' \"$@\")",
        "printf '%s|' \"$@\"; cat <<EOF\nEOF",
    ],
)
def test_a_text_that_uses_its_arguments_gets_them_there(text: str, shell: str) -> None:
    assert output(placed(text, WORDS, "w"), shell) == SHOWN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pytest  # fast", "would be lost in a comment"),
        ("cat <<EOF\n$x\nEOF", "would be lost in a here-document"),
        ("cat <<'E-F'\nx\nE-F", "would be lost in a here-document"),
        ("pytest | tee log", "would go to the last command of the pipe"),
        ("pytest |\n  tee log", "would go to the last command of the pipe"),
        ("pytest |& tee log", "would go to the last command of the pipe"),
        ("pytest || true", "would go to the command after `||`"),
        ("pytest &", "would follow the `&` at the end"),
        ("pytest;", "would follow the `;` at the end"),
        ("awk '{ print $@ }' x | sort", "would go to the last command of the pipe"),
        (SHOW + 'show "$@" | cat', "would go to the last command of the pipe"),
    ],
)
def test_words_that_would_not_arrive_are_refused_with_the_place_for_them(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        placed(text, ["-k"], "w")
    assert reason in caught.value.message
    assert caught.value.hint == HINT
