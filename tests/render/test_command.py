"""The light stand-ins say what the originals say."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.jobfile.label import LONGEST, check_label
from bgrun.render import command

WORDS = st.one_of(st.text(), st.text(st.characters(codec="ascii")), st.text("aZ09_@%+=:,./-'é \udc80"))


@given(st.lists(WORDS))
@example(["", "²", "ª", "a'b", "_"])
def test_words_are_quoted_as_shlex_quotes_them(argv: list[str]) -> None:
    assert command.join(argv) == shlex.join(argv)


@given(st.one_of(st.text("aZ09._-²é \n", max_size=6), st.text(), st.text("a", min_size=95, max_size=105)))
def test_a_label_is_what_the_rule_says(text: str) -> None:
    rule = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", text, re.ASCII) and len(text) <= LONGEST
    if rule:
        assert check_label(text) == text
    else:
        with pytest.raises(UsageError):
            check_label(text)


@given(st.text())
def test_a_comment_is_one_line(text: str) -> None:
    shown = command.comment(text)
    assert shown == re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:200]
