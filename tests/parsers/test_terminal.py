"""Plain text from what a terminal program wrote; bytes that may still change their meaning are held back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.parsers import terminal

PIECES = st.sampled_from(["a", "é", "漢", "😀", "\x1b", "[", "31m", "]0;t", "\x07", "\x9b", "\x90", "\t", "\x00", "\r"])
TEXTS = st.lists(PIECES, max_size=20).map("".join)


@given(TEXTS)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    for shown in (terminal.without_controls(text), *terminal.readings(text)):
        assert not set(shown) & set("\x00\x07\x1b\x90\x9b")
        assert terminal.without_controls(shown) == shown


@pytest.mark.parametrize(
    ("text", "hidden", "shown"),
    [
        ("a\x1b]0;title\x07b", "ab", "a0;titleb"),
        ("a\x90title", "a", "atitle"),
        ("a\x1b[31mb", "ab", "ab"),
        ("a\x9b1;3mb", "ab", "ab"),
    ],
)
def test_the_text_of_a_control_string_is_in_one_reading_and_not_in_another(text: str, hidden: str, shown: str) -> None:
    assert terminal.without_controls(text) == hidden
    assert {hidden, shown} <= set(terminal.readings(text))


@given(st.binary(max_size=40) | TEXTS.map(str.encode))
def test_what_is_held_back_and_the_rest_are_all_of_it(data: bytes) -> None:
    settled, held = terminal.settled(data)
    assert settled + held == data


@given(TEXTS, st.integers(0, 60))
def test_a_character_is_never_split(text: str, cut: int) -> None:
    data = text.encode()
    settled, _ = terminal.settled(data[:cut])
    assert "\ufffd" not in terminal.decode(settled)
    assert text.startswith(terminal.decode(settled))


@pytest.mark.parametrize("open_end", [b"\x1b", b"\x1b[", b"\x1b[31", b"\xc3", b"\xe6\xbc", b"\xf0\x9f\x98"])
def test_what_the_next_bytes_may_complete_is_held_back(open_end: bytes) -> None:
    assert terminal.settled(b"text" + open_end) == (b"text", open_end)
