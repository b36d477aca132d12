"""Which values an expansion admits, and which contexts it leaves open behind it."""

from __future__ import annotations

import pytest

from bgrun.templating.placeholders import Placeholders, placeholder
from bgrun.templating.shell_lexer import find_placeholders

V = placeholder(0)


def refusals(text: str) -> list[str]:
    """Return of each placeholder (`@` in the text) why no value is safe there, or the quote around it."""
    return [one.refusal or one.quote for one in found(text).found]


def found(text: str) -> Placeholders:
    return find_placeholders(text.replace("@", V))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('echo "$(echo @ "@") @" @', ["bare", '"', '"', "bare"]),
        ('echo ${x:-@} "${x:-"@"}" @', ["inside ${…}", "inside ${…}", "bare"]),
        ("echo $((1 + @)) @", ["inside arithmetic", "bare"]),
        ("((x = (1 + 2) * @)); echo @", ["inside arithmetic", "bare"]),
        ("echo $(( $(echo @) )) @", ["inside arithmetic", "bare"]),
        ("echo `echo @` @", ["in backquotes; write $(…) instead", "bare"]),
        ("echo ${x:-$'a@'} @", ["inside ${…}", "bare"]),
        ("echo ${x:-'}'}@", ["bare"]),
        ('echo "$?@"', ["after $ or $name; write ${name}"]),
    ],
)
def test_each_expansion_ends_where_a_shell_ends_it(text: str, expected: list[str]) -> None:
    assert refusals(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo ${ echo; } @", "${ …; }"),
        ("echo $[1] @", "$[…]"),
        ('echo "$$(" @', "`$$` before a bracket"),
        ("echo `echo 'a'` @", "quotes in backquotes"),
        ('echo "${x:-\'}" @', 'a single quote inside "${…}"'),
        ("((a) | b) | c)); echo @", "arithmetic that may be commands"),
        ("((1 << 2)); echo @", "arithmetic that may be commands"),
        ("echo $(( 1 #\n)) @", "arithmetic that may be commands"),
        ("echo $(('1')) @", "arithmetic that may be commands"),
    ],
)
def test_behind_what_shells_parse_differently_no_value_is_safe(text: str, why: str) -> None:
    (reason,) = refusals(text)
    assert reason.startswith("after text that shells parse differently (")
    assert why in reason


@pytest.mark.parametrize("text", ["echo ${x", "echo $(x", "echo $((1)", "((1", "echo $((1 + (2)) "])
def test_an_expansion_that_is_not_closed_is_reported(text: str) -> None:
    assert not found(text).closed
