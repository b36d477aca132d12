"""No value becomes code, and every value arrives exactly."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.templating.template import Words, render_raw, render_shell
from tests.conftest import in_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASH32 = os.environ.get("BGRUN_TEST_BASH32", "")
"""A bash 3.2, as macOS has it."""

HOSTILE = ["", " ", "'", '"', "\\", "$(touch hacked)", "`touch hacked`", "$HOME", "; touch hacked", "a\nb", "*",
           "'; touch hacked; '", '"; touch hacked; "', "'\"'\"'", "-n", "#", "~", "!x", "{a,b}", "\\'", "\t", "é✓"]  # fmt: skip
PLACES = [
    "printf '%s\\0' {{ v }}",
    "printf '%s\\0' \"{{ v }}\"",
    "printf '%s\\0' '{{ v }}'",
    'x={{ v }}; printf "%s\\0" "$x"',
    "printf '%s\\0' \"$(printf '%s' \"{{ v }}\"; echo .)\"",
    "# it's a comment\nprintf '%s\\0' {{ v }}",
    "cat > /dev/null <<'E'\nit's\nE\nprintf '%s\\0' {{ v }}",
    "(printf '%s\\0' {{ v }})",
    "case x in x) printf '%s\\0' \"{{ v }}\";; esac",
]


SHELLS = ["bash", pytest.param(BASH32, marks=pytest.mark.skipif(not BASH32, reason="BGRUN_TEST_BASH32 names no bash"))]


def printed(template: str, value: str, folder: Path, shell: str = "bash", **env: str) -> bytes:
    script = render_shell(template, {"v": value}, "test").encode("utf-8", "surrogateescape")
    command = [shell, "-c", script]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, check=True)
    assert not list(folder.iterdir())
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_values_arrive_exactly(place: str, shell: str, tmp_path: Path) -> None:
    for value in HOSTILE:
        expected = value + ".\0" if "echo ." in place else value + "\0"
        assert (
            printed(place, value, tmp_path, shell)
            .decode()
            .replace("\n.\0", ".\0" if not value.endswith("\n") else "\n.\0")
            == expected
        )


@in_folder(60)
@given(
    st.text(st.characters(exclude_characters="\0\ue0f0\ue0f1", codec="utf-8"), max_size=20), st.sampled_from(PLACES[:4])
)
def test_any_value_arrives_exactly(tmp_path: Path, value: str, place: str) -> None:
    assert printed(place, value, tmp_path) == value.encode() + b"\0"


NESTED = [
    "printf '%s\\0' \"$(printf '%s' \"{{ v }}\")\"",
    "printf '%s\\0' \"$(printf '%s' {{ v }})\"",
    "printf '%s\\0' \"$(printf '%s' '{{ v }}')\"",
    "printf '%s\\0' \"$(printf '%s' \"$(printf '%s' {{ v }})\")\"",
    "printf '%s\\0' \"$(printf '%s' \"$(printf '%s' \"{{ v }}\")\")\"",
]
BRACES = ["{a,b}", '"{a,b}"', "'{a,b}'", 'x"{a,$(touch hacked)}"y', '"{\'$(touch hacked)\',x}"', "\\{a,b}", '\\"{a,b}', '{1..3}"',
          "${x,y}", "'\"'{a,b}'\"'", '"\'"{a,b}', "a\n{b,c}"]  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("place", NESTED)
def test_braces_in_a_value_are_not_expanded(place: str, shell: str, tmp_path: Path) -> None:
    """Bash 3.2 did so within `"$(…)"`, and a `"` in the value turned around what is quoted there."""
    for value in (*BRACES, *HOSTILE):
        if not value.endswith("\n"):
            assert printed(place, value, tmp_path, shell).decode() == value + "\0", value


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("after", ["(", "((", "{", "[", "'"])
def test_a_value_behind_two_dollars_and_a_bracket_is_refused(after: str, shell: str, tmp_path: Path) -> None:
    """To bash 3.2 the `$$(` of `"$$("` begins a command, in which the next quotes mean the opposite."""
    for template in (
        f'echo "$${after}" {{{{ v }}}} ")"',
        f'echo "$$\\\n{after}" {{{{ v }}}}',
        f'echo "a$$$${after}" "{{{{ v }}}}"',
    ):
        with pytest.raises(UsageError, match=r"unsafe \{\{ value \}\}"):
            render_shell(template, {"v": "$(touch hacked)"}, "test")
        assert render_shell(template.replace("{{ v }}", "v"), {}, "test")
    text = f'echo "${{$}}{after}" {{{{ v }}}} ")"'
    assert b"$(touch hacked)" in printed(text, "$(touch hacked)", tmp_path, shell)


@pytest.mark.parametrize("place", [*PLACES[:4], *NESTED])
def test_a_locale_in_which_a_backslash_may_be_half_a_character(
    place: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """GBK: the last byte of `中` in UTF-8 makes one character with a backslash behind it."""
    locales, folder = tmp_path_factory.mktemp("locales"), tmp_path_factory.mktemp("run")
    if not shutil.which("localedef"):
        pytest.skip("no localedef here")
    made = subprocess.run(["localedef", "-i", "zh_CN", "-f", "GBK", str(locales / "zh_CN.GBK")], capture_output=True)
    if made.returncode > 1 or not (locales / "zh_CN.GBK" / "LC_CTYPE").exists():
        pytest.skip("this machine cannot make the locale zh_CN.GBK")
    for value in (
        "中$(touch hacked)",
        "中`touch hacked`",
        '中"; touch hacked; "',
        "中'; touch hacked; '",
        "中\\",
        "\udcad$(touch hacked)",
    ):
        said = printed(place, value, folder, LOCPATH=str(locales), LC_ALL="zh_CN.GBK")
        assert said == value.encode("utf-8", "surrogateescape") + b"\0"


@pytest.mark.parametrize(
    ("template", "where"),
    [
        ("echo `{{ v }}`", "backquotes"),
        ("cat <<E\n{{ v }}\nE", "here-document"),
        ("cat <<'E'\n{{ v }}\nE", "here-document"),
        ("cat <<{{ v }}\nE", "here-document"),
        ("echo ${x:-{{ v }}}", "${"),
        ("echo \"${x:-{{ v }}}\"", "${"),
        ("echo $(( {{ v }} ))", "arithmetic"),
        ("(( x = {{ v }} ))", "arithmetic"),
        ("echo $[ {{ v }} ]", "arithmetic"),
        ("echo $'{{ v }}'", "$'"),
        ("echo \\{{ v }}", "backslash"),
        ("echo ${{ v }}", "after $ or $name"),
        ("ls # {{ v }}", "comment"),
        ("echo $(cat <<E\n{{ v }}\nE\n)", "here-document"),
        ("echo \"$(echo `{{ v }}`)\"", "backquotes"),
    ],
)  # fmt: skip
def test_a_place_where_nothing_is_safe_is_refused(template: str, where: str) -> None:
    with pytest.raises(UsageError, match=r"unsafe \{\{ value \}\}") as caught:
        render_shell(template, {"v": "x"}, "job: command")
    assert where in caught.value.message


@pytest.mark.parametrize(
    "template",
    [
        'echo "$(case x in x) echo {{ v }};; esac)"',
        'echo "${x:-\'}" {{ v }} "\'"',
        'echo "${x:-\\\'}" {{ v }} "\'"',
        "echo `echo \\'` {{ v }} `echo \\'`",
        'echo "`echo \'a"b\'`" {{ v }}',
        "echo $'\\'' {{ v }}'",
        "echo $(( x['a'] )) {{ v }}",
    ],
)
def test_behind_what_shells_read_differently_no_value_is_put_in(template: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unsafe \{\{ value \}\}"):
        printed(template, "; touch hacked; : ' \" ", tmp_path)
    assert not list(tmp_path.iterdir())


def test_raw_is_shell_text() -> None:
    assert render_shell("ls {{ v | raw }} {{ v }}", {"v": "-l $HOME"}, "test") == "ls -l $HOME '-l $HOME'"


def test_a_shell_of_another_kind_takes_only_raw_values() -> None:
    assert render_raw("print({{ v | raw }})", {"v": "3"}, "test") == "print(3)"
    with pytest.raises(UsageError, match="cannot quote"):
        render_raw("print({{ v }})", {"v": "3"}, "test")


@pytest.mark.parametrize("template", ["{{ v.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ v.format.__globals__ }}", "{{ nope }}",
                                      "{{ env.NOPE }}", "{% for i in range(10**9) %}x{% endfor %}", "{{ 1 / 0 }}", "{{ 'x' * 9999999 }}"])  # fmt: skip
def test_a_template_that_reaches_for_more_is_refused(template: str) -> None:
    with pytest.raises(UsageError):
        render_shell(template, {"v": "x", "env": {}}, "test")


@in_folder(25)
@given(st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)))
def test_words_arrive_as_so_many_arguments(tmp_path: Path, words: list[str]) -> None:
    text = render_shell("printf '%s\\0' x {{ w }} y", {"w": Words(words)}, "test")
    done = subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == ["x", *words, "y"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "{{ w | raw }}", "{{ w[0] | raw }}", "{{ w | first | raw }}", "{{ w | join(' ') | raw }}",
        "{{ w | map('raw') | first }}", "{% for one in w %}{{ one | raw }}{% endfor %}",
        "{% set p = w[0] %}{{ p | raw }}", "{{ (p ~ w[0]) | raw }}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("render", [render_shell, render_raw])
def test_nothing_made_of_words_is_code(render: Callable[..., str], text: str) -> None:
    with pytest.raises(UsageError, match="no test ID can be shell code"):
        render(f"echo {text}", {"p": "-x", "w": Words(["a; touch hacked", "b"])}, "t: rerun")


def test_a_parameter_can_be_code_next_to_words() -> None:
    values = {"p": "-x -y", "matrix": {"n": "1 2"}, "w": Words(["a b"])}
    assert render_shell("x {{ p | raw }} {{ matrix.n | raw }} {{ w }}", values, "t") == "x -x -y 1 2 'a b'"
