"""No value becomes code, and every value arrives exactly."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.jobfile.template import render_raw, render_shell

if TYPE_CHECKING:
    from pathlib import Path

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


def printed(template: str, value: str, folder: Path) -> bytes:
    script = render_shell(template, {"v": value}, "test")
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=True)
    assert not list(folder.iterdir())
    return done.stdout


@pytest.mark.parametrize("place", PLACES)
def test_hostile_values_arrive_exactly(place: str, tmp_path: Path) -> None:
    for value in HOSTILE:
        expected = value + ".\0" if "echo ." in place else value + "\0"
        assert (
            printed(place, value, tmp_path).decode().replace("\n.\0", ".\0" if not value.endswith("\n") else "\n.\0")
            == expected
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(exclude_characters="\0\ue0f0\ue0f1", codec="utf-8"), max_size=20), st.sampled_from(PLACES[:4])
)
def test_any_value_arrives_exactly(tmp_path: Path, value: str, place: str) -> None:
    assert printed(place, value, tmp_path) == value.encode() + b"\0"


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
        ("echo ${{ v }}", "behind a $"),
        ("ls # {{ v }}", "comment"),
        ("echo $(cat <<E\n{{ v }}\nE\n)", "here-document"),
        ("echo \"$(echo `{{ v }}`)\"", "backquotes"),
    ],
)  # fmt: skip
def test_a_place_where_nothing_is_safe_is_refused(template: str, where: str) -> None:
    with pytest.raises(UsageError, match="could become code") as caught:
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
    with pytest.raises(UsageError, match="could become code"):
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
