"""Moving through a shell text: contexts open and close, and the first doubt stays the one that is reported."""

from __future__ import annotations

from bgrun.templating.lexer_state import BARE, COMMAND, DOUBLE, HereDocument, LexerState
from bgrun.templating.placeholders import PATTERN, placeholder


def test_a_context_is_entered_and_left_with_the_characters_that_bound_it() -> None:
    state = LexerState("$(a)b")
    state.open(COMMAND)
    assert (state.context, state.at, state.previous, state.next(9)) == (COMMAND, 2, "(", "a)b")
    state.take()
    assert state.close() == COMMAND
    assert (state.context, state.at, state.ahead("b"), state.at_end) == (BARE, 4, True, False)
    state.take()
    assert (state.at_end, state.next(), state.ahead("b")) == (True, "", False)


def test_a_word_begins_at_the_start_alone_until_a_reader_says_so() -> None:
    state = LexerState("ab")
    assert (state.fresh, state.previous) == (True, "")
    state.take()
    assert not state.fresh


def test_the_first_doubt_is_kept() -> None:
    state = LexerState("")
    state.give_up("one")
    state.give_up("two")
    assert state.unsure == "after text that shells parse differently (one)"


def test_a_line_end_in_a_word_ends_certainty_while_a_here_document_is_due() -> None:
    plain, due = LexerState("'a\nb'"), LexerState("'a\nb'")
    due.here_documents.append(HereDocument("E", strips_tabs=False, expands=True, depth=1))
    for state in (plain, due):
        state.take(3)
    assert (plain.unsure, "here-document" in due.unsure) == ("", True)


def test_a_placeholder_is_noted_with_its_place_value_and_quote() -> None:
    text = f"a {placeholder(7)} {placeholder(12)}"
    state = LexerState(text)
    state.open(DOUBLE)
    state.note_all(0, len(text), "")
    first, second = state.placeholders
    assert (first.value, first.quote, text[first.start : first.end]) == (7, DOUBLE, placeholder(7))
    assert (second.value, text[second.end :]) == (12, "")
    state.contexts = [BARE, COMMAND]
    found = PATTERN.search(text)
    assert found
    state.note(found, "no")
    assert (state.placeholders[-1].quote, state.placeholders[-1].refusal) == (BARE, "no")
