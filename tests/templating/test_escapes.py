"""Attacks on the reading of shell text: a hostile value in a strange template either is inert or is refused."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import UsageError
from bgrun.templating.placeholders import placeholder
from bgrun.templating.shell_check import check_syntax
from bgrun.templating.shell_lexer import find_placeholders
from bgrun.templating.template import render_shell

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "hacked"
VALUES = [f"'; : >{CANARY}; '", f'"; : >{CANARY}; "', f";: >{CANARY};", f"$(: >{CANARY})", f"'$(: >{CANARY})'", f"`: >{CANARY}`",
          f"`$(: >{CANARY})`", f"(: >{CANARY})", f"\nE\n: >{CANARY}\n", f"\nEOF\n: >{CANARY}\n", f"}}; : >{CANARY}; {{", "\\"]  # fmt: skip
BASH32 = os.environ.get("BGRUN_TEST_BASH32", "")
SHELLS = [
    *(shell for shell in ("bash", "dash") if shutil.which(shell)),
    pytest.param(BASH32, id="bash32", marks=pytest.mark.skipif(not BASH32, reason="BGRUN_TEST_BASH32 names no bash")),
]

# Each of these once let a value out.
ONCE_OPEN = [
    'echo "${{ v }}"',
    'echo "$x${{ v }}"',
    'echo "$(case x in x) echo "{{ v }}";; esac)"',
    "echo \"${x:-'}\"'} {{ v }}\"' #'",
    "echo `'` \"' ` {{ v }} ` \"",
    "echo \\ #'\n{{ v }}\n'",
    "echo $(true)#'\n{{ v }}\n'",
    "((1))#'\necho '{{ v }}' #'\n",
    'cat <<E"O"F\nE\n{{ v }}\nEOF\n',
    "cat <<E\na\\\nE\n{{ v }}\nE\n",
    "cat <<\\E\nit's\nE\necho {{ v }} '\n",
    'echo "$\\\n( echo "{{ v }}" )"',
    'echo "$$(" {{ v }} ")"',
    'echo "$${" {{ v }} "}"',
    'echo "$$((" {{ v }} "))"',
    "echo $$( {{ v }} )",
    'echo "$$$(echo "{{ v }}")"',
    'echo "$(echo "a {{ v }}" {{ v }})" "{{ v }}"',
    "((1<<2)) #\n: {{ v }}\n",
    "echo $'\\'' {{ v }}'",
    "(\\\n(\\\necho {{ v }}\n))#",
]
WHOLE = ["echo a", "echo \"it's\"", "echo 'a\"b'", "x=$(echo \\))", "echo ${x:-'}'}", 'echo "${x%\\"}"', 'echo "${x:-"a"}"', "echo \\ #b",
         "echo a#b'c'", "# it's", "echo $((1<<2)) # '", "((x=1))", "cat <<E\nit's $x\nE", "cat <<'E'\n$(\nE", "cat <<-E | cat\n\tE",
         "echo `echo a`", "echo `echo \\`echo a\\``", "case x in x) echo ')';; esac", "(echo a)# '", "echo $'a'", 'echo $"a"', "echo $$ $# $?",
         "echo \\'", "echo \\\n  a", "f() { echo a; }", "[[ a == (a|b) ]]", "echo {a,b}", "echo <<<\"'\"", "echo $[1]", "echo a \\\n# it's"]  # fmt: skip
AROUND = ["{}", "({})", "$({})", 'x="$({})"', "x=$({})", "{{ {}; }}", "if true; then {}; fi", "case x in (x) {};; esac", "echo \"a$(\n{}\n)'\"",
          "case x in x) {};; esac", ": ${{x:-$({})}}", "true && \\\n {}"]  # fmt: skip
WITHIN = ["echo {{ v }}", 'echo "{{ v }}"', "echo '{{ v }}'", "echo a{{ v }}b", 'echo "$x{{ v }}"', 'echo "${x}{{ v }}\'"', "echo 2>&1 {{ v }}>out",
          "x={{ v }}", "echo \"it's {{ v }}\" '{{ v }}'", "echo \"$(echo \"{{ v }}\")\"", "echo \\\\{{ v }}", "for i in {{ v }}; do :; done"]  # fmt: skip


def escapes(template: str, value: str, shell: str, folder: Path) -> bool | None:
    """Return whether the value became code; None if the template was refused."""
    try:
        text = render_shell(template, {"v": value}, "test")
        check_syntax(text, [shell], "test")
    except UsageError:
        return None
    subprocess.run(
        [shell, "-c", text], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=False
    )
    return (folder / CANARY).exists()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("template", ONCE_OPEN)
def test_what_once_let_a_value_out(template: str, shell: str, tmp_path: Path) -> None:
    assert [value for value in VALUES if escapes(template, value, shell, tmp_path)] == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("seed", range(4))
def test_no_value_gets_out_of_templates_at_random(shell: str, seed: int, tmp_path: Path) -> None:
    chance, seen = random.Random(seed), 0  # noqa: S311 (a seed makes it repeatable)
    for _ in range(60):
        lines = [*chance.choices(WHOLE, k=chance.randint(0, 3)), chance.choice(WITHIN), chance.choice(WHOLE)]
        template = chance.choice(AROUND).format(chance.choice(["\n", "\n", "\n "]).join(lines))
        value = chance.choice(VALUES)
        escaped = escapes(template, value, shell, tmp_path)
        assert not escaped, f"{template!r} with {value!r}"
        seen += escaped is False
    assert seen > 5, "nearly every template was refused: this proves nothing"


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        ("echo {{ v }}>out; cat out", "2\n"),
        ("echo {{ v }}{{ v }}>out; cat out", "22\n"),
        ("f() { printf '%s\\n' \"$@\"; }; f x=~{{ v }} {{ v }}", "x=~2\n2\n"),
        ("echo a\\#{{ v }} '#' a#{{ v }}", "a#2 # a#2\n"),
        ('echo ${x:-a} "${x:-"b"}" $(( (1 << 2) + 3 )) {{ v }}', "a b 7 2\n"),
        ("cat <<E\n$(echo a) ${HOME:+b}\nE\necho {{ v }}", "a b\n2\n"),
        ("x=$(echo '(' \"a b\" \\)) ; echo \"$x{{ '' }}\" '{{ v }}'", None),
        ("if ((1 < 2)) && [[ ab =~ ^(a|b) ]]; then echo \"${HOME:+$(echo '}')}\" {{ v }}; fi", "} 2\n"),
        ("echo a && \\\n  echo {{ v }} | \\\n  cat", "a\n2\n"),
        ("shopt -s extglob\nx=b; case $x in !(a)) echo {{ v }};; esac", "2\n"),
    ],
)
def test_an_ordinary_command_is_understood(template: str, printed: str | None, tmp_path: Path) -> None:
    try:
        text = render_shell(template, {"v": 2}, "test")
    except UsageError as error:
        assert printed is None, error.message
        assert "after $ or $name" in error.message
        return
    check_syntax(text, ["bash", "-eo", "pipefail"], "test")
    done = subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout == printed


def test_a_command_without_values_is_left_alone() -> None:
    for text in (*WHOLE, 'cat <<"E F"\nx\nE F\n', "echo `echo \\'`", "echo ${ echo; }", "echo '"):
        assert render_shell(text, {}, "test") == text


def test_an_assignment_is_a_plain_word(tmp_path: Path) -> None:
    text = render_shell("{{ v }} env", {"v": "PATH=nowhere"}, "test")
    done = subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "PATH=nowhere: command not found" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("count", range(7))
def test_backslashes_before_a_dollar(count: int, quote: str, shell: str, tmp_path: Path) -> None:
    """Each two are one; an odd one makes the dollar plain, behind which a value may stand."""
    template = f"printf %s {quote}{chr(92) * count}${{{{ v }}}}{quote}"
    for value in ("HOME", "(echo a)", "{HOME}"):
        if count % 2 == 0:
            with pytest.raises(UsageError, match=r"unsafe \{\{ value \}\}"):
                render_shell(template, {"v": value}, "test")
            continue
        text = render_shell(template, {"v": value}, "test")
        done = subprocess.run([shell, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == chr(92) * (count // 2) + "$" + value


@pytest.mark.parametrize(
    "tail", ["`", "`a", "`a{{ v }}", "`{{ v }}" + chr(92), "`a" + chr(92) + "` {{ v }}", "`" + chr(92) * 3]
)
def test_an_unclosed_backquote_is_reported(tail: str, tmp_path: Path) -> None:
    """Whatever is behind it, to the end of the text, is in it; and no shell takes it."""
    found = find_placeholders(tail.replace("{{ v }}", placeholder(0))).found
    assert all(one.refusal.startswith("in backquotes;") for one in found)
    assert len(found) == tail.count("{{")
    for template in (f"echo {tail}", f"echo {{{{ v }}}} {tail}"):
        assert [value for value in VALUES if escapes(template, value, "bash", tmp_path) is not None] == []
