"""Where a value may stand in shell text, place by place: what a mutant of the reader changed without any test noticing."""

from __future__ import annotations

import subprocess

import pytest

from bgrun.errors import UsageError
from bgrun.templating.template import render_shell

BEHIND = "after $ or $name; write ${name}"


def filled(template: str) -> str:
    """Return the text with the value 2 in it, or why it may not stand there."""
    try:
        return render_shell(template, {"v": 2}, "test")
    except UsageError as error:
        return error.message.partition("{{ value }} ")[2]


@pytest.mark.parametrize(
    "before", ["$", "$a", "$a_", "$_", "$9", "$a_9z", "$a\\\n", *(f"${mark}" for mark in "#?!@*-$")]
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_value_does_not_go_on_with_a_variable(before: str, quote: str) -> None:
    assert filled(f"echo {quote}{before}{{{{ v }}}}{quote}") == BEHIND


@pytest.mark.parametrize("before", ["a", "a_", "9", "?", "!", "@", "*", "-", "${a}", "$a.", "$?.", "\\$a_", "'$a'"])
def test_behind_what_is_no_variable_it_may_stand(before: str) -> None:
    assert filled(f"echo {before}{{{{ v }}}}") == f"echo {before}'2'"


@pytest.mark.parametrize("count", range(7))
@pytest.mark.parametrize(("quote", "value"), [("", "'2'"), ('"', "2")], ids=["bare", "quoted"])
def test_each_second_backslash_takes_the_dollar_from_the_shell(count: int, quote: str, value: str) -> None:
    escaped = "\\" * count
    template = f"printf %s {quote}{escaped}${{{{ v }}}}{quote}"
    if count % 2 == 0:
        assert filled(template) == BEHIND
        return
    assert filled(template) == f"printf %s {quote}{escaped}${value}{quote}"
    printed = subprocess.run(["bash", "-c", filled(template)], capture_output=True, text=True, check=True).stdout
    assert printed == "\\" * (count // 2) + "$2"


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "|"])
def test_behind_a_substitution_that_only_some_shells_have(blank: str) -> None:
    assert "(${ …; })" in filled(f"x=${{{blank}echo a; }}; echo {{{{ v }}}}")
    assert filled("x=${a}; echo {{ v }}") == "x=${a}; echo 2"


def test_the_first_reason_is_reported() -> None:
    reason = filled("x=$[1+1]; cat << $x\n{{ v }}\n$x")
    assert "$[…]" in reason
    assert "here-document" not in reason


@pytest.mark.parametrize("text", ["echo `a {{ v }}", "echo `a {{ v }}`", 'echo "`a {{ v }}"', "echo `a \\` {{ v }}"])
def test_in_backquotes_closed_or_not(text: str) -> None:
    assert filled(text) == "in backquotes; write $(…) instead"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ v }}", "2"),
        ("echo {{ v }}", "echo 2"),
        ("echo\t{{ v }}\n", "echo\t2\n"),
        ("x={{ v }}", "x=2"),
        ("(echo {{ v }})", "(echo 2)"),
        ("echo {{ v }};", "echo 2;"),
        ("echo a{{ v }}", "echo a'2'"),
        ("echo {{ v }}a", "echo '2'a"),
        ("echo {{ v }}>out", "echo '2'>out"),
        ("{{ v }}{{ v }}", "'2''2'"),
        ("echo '{{ v }}'", "echo '2'"),
        ('echo "{{ v }}"', 'echo "2"'),
    ],
)
def test_a_plain_value_that_stands_alone_is_not_quoted(template: str, text: str) -> None:
    assert filled(template) == text


@pytest.mark.parametrize("before", ["^a$|", "a$.", "$/", "a$ "])
def test_a_dollar_that_ends_before_the_value_is_no_variable(before: str) -> None:
    """As the end of a line in an expression: no shell takes it for a name together with what follows."""
    assert filled(f'grep -E "{before}{{{{ v }}}}"') == f'grep -E "{before}2"'


@pytest.mark.parametrize("line", ["EOF2", "EOF x", "EOFEOF"])
def test_a_line_that_only_begins_as_the_end_of_a_here_document(line: str) -> None:
    """Every shell reads on; within `$(…)` bash 3.2 takes it for the end."""
    assert filled(f"cat <<'EOF'\n{line}\nEOF\necho {{{{ v }}}}") == f"cat <<'EOF'\n{line}\nEOF\necho 2"
    assert "whose end may be elsewhere" in filled(f"x=$(cat <<'EOF'\n{line}\nEOF\n); echo {{{{ v }}}}")
