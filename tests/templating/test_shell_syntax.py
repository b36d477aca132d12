"""Shell text that resembles Jinja's syntax survives, and what is Jinja keeps working."""

from __future__ import annotations

import subprocess

import pytest

from bgrun.errors import UsageError
from bgrun.templating import shell_syntax, template

SHELL = [
    "a=(1 2 3); n=${#a[@]}; p=${p%#}; exit 4",
    "echo ${#a}",
    "echo {# {##} #}",
    "printf '{%s}' x",
    "date '+{%H:%M}'; printf '{%-5d}' 1",
    "echo {%}",
    "x=${x%%}; y={%",
    "echo '{% endless %}' '{%ifs}'",
    "echo '%} }} #}'",
]


@pytest.mark.parametrize("text", SHELL)
def test_shell_text_is_rendered_as_it_is(text: str) -> None:
    assert template.faults(text, set()) == []
    assert template.render_shell(text, {}, "w") == text
    assert template.render_raw(text, {}, "w") == text
    assert template.render(text, {}, "w") == text
    assert template.with_placeholders(text) == text


def test_nothing_between_the_length_of_an_array_and_a_hash_is_lost() -> None:
    text = template.render_shell("a=({{ x }} 2 3); n=${#a[@]}; p=${p%#}; exit $n", {"x": 1}, "w")
    assert subprocess.run(["bash", "-c", text], check=False).returncode == 3


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{% if a %}yes{% else %}no{% endif %} {%s}", "yes {%s}"),
        ("{%- if a -%} x {%- endif +%}", "x"),
        ("{%for i in [1, 2]%}{{ i | raw }}{%endfor%}{#", "12{#"),
        ("{% raw %}{{.Names}} {% if %} {%s} {# x #}{% endraw %}", "{{.Names}} {% if %} {%s} {# x #}"),
        ("{% set b = a %}{{ b }}", "5"),
        ("{{ '{%s} {# #}' | raw }}", "{%s} {# #}"),
    ],
)
def test_statements_and_raw_text_are_jinja(text: str, rendered: str) -> None:
    assert template.faults(text, {"a"}) == []
    assert template.render_shell(text, {"a": 5}, "w") == rendered


@pytest.mark.parametrize("text", ["docker ps --format '{{.Names}}'", "x '{{json .}}'", "awk '{{print $1}}'"])
def test_an_expression_that_is_none_of_jinja_names_the_way_to_keep_it(text: str) -> None:
    assert [fault.hint for fault in template.faults(text, set())] == [shell_syntax.LITERAL_HINT]
    with pytest.raises(UsageError) as caught:
        template.render_shell(text, {}, "w")
    assert "{% raw %}" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "plain"),
    [("ls", True), ("${#a} {%s}", True), ("{{ x }}", False), ("{% if x %}{% endif %}", False), ("a\r\nb", False)],
)
def test_a_text_without_jinja_is_its_own_result(text: str, plain: bool) -> None:
    assert shell_syntax.is_plain(text) is plain
    assert template.render(text, {"x": 1}, "w") == {"{{ x }}": "1", "a\r\nb": "a\nb"}.get(text, text if plain else "")


def test_errors_keep_their_line() -> None:
    assert [fault.line for fault in template.faults("{%s}\n${#a}\n{{ b }}", set())] == [3]
