"""Errors of templates: of a kind each, with the name or the hint that fixes them."""

from __future__ import annotations

import pytest

from bgrun.errors import UsageError
from bgrun.templating import template
from bgrun.templating.inputs import RenderInputs
from bgrun.templating.template import TemplateFault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ a }}\n{{ b }}", TemplateFault(2, "undefined variable 'b'", "b")),
        (
            "x\n{{ a",
            TemplateFault(2, "invalid template: unexpected end of template, expected 'end of print statement'"),
        ),
        ("{{ (" * 3000, TemplateFault(1, "the template has more than 2000 tags (`{{` or `{%`)")),
    ],
    ids=["undefined", "syntax", "tags"],
)
def test_a_fault_that_is_known_before_rendering(text: str, fault: TemplateFault) -> None:
    assert template.faults(text, {"a"}) == [fault]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{{ env.NOPE }}", "w: environment variable NOPE is not set", "env.get('NAME', 'default')"),
        ("{{ matrix.b }}", "w: no 'b' here, only 'a'", "fix the name"),
        ("{{ nope }}", "w: 'nope' is undefined", "declared parameters: p, s"),
        ("{{ p.nope }}", "w: 'int object' has no attribute 'nope'", "declared parameters: p, s"),
        (
            "{{ s.nope }}",
            "w: 'str object' has no attribute 'nope'",
            "this value is a string; write its name alone, such as {{ job }}",
        ),
        ("{{ matrix.__class__ }}", "w: SecurityError: access to attribute '__class__' of 'dict' object is unsafe.", ""),
        ("{{ 'x' * 10**8 }}", "w: the template exceeds its limits", "move the logic to a script"),
        ("\0", "w: contains a NUL", ""),
    ],
)
def test_an_error_of_rendering(text: str, message: str, hint: str) -> None:
    values = {"env": RenderInputs({}).env, "matrix": {"a": 1}, "p": 1, "s": "text"}
    with pytest.raises(UsageError) as caught:
        template.render(text, values, "w")
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_values_are_text_as_a_job_file_has_it() -> None:
    assert template.render("{{ a }} {{ b }} {{ c }}", {"a": True, "b": 1.5, "c": "x"}, "w") == "true 1.5 x"


def test_an_expression_is_true_or_false() -> None:
    assert template.evaluate("a == 1", {"a": 1}, "w")
    assert not template.evaluate("a == 1", {"a": 2}, "w")
