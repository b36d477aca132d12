"""Read the expansions of a shell text: `$name`, `${…}`, `$(…)`, `$((…))` and backquotes, quoted or not.

POSIX Shell Command Language, 2.6 Word Expansions. Each function moves a `LexerState` on by one step.
"""

from __future__ import annotations

import re

from bgrun.templating.lexer_state import (
    ARITHMETIC_BRACKET,
    ARITHMETIC_COMMAND,
    ARITHMETIC_EXPANSION,
    CODE,
    COMMAND,
    DOLLAR_SINGLE,
    DOUBLE,
    PARAMETER,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.templating.lexer_state import LexerState

_IN_BACKQUOTES = "in backquotes; write $(…) instead"


def read_expansion(state: LexerState) -> None:
    """Read the beginning of an expansion, or else one plain character."""
    mark = next((mark for mark in (ARITHMETIC_EXPANSION, COMMAND, PARAMETER) if state.ahead(mark)), "")
    if mark:
        state.open(mark)
        state.fresh = mark == COMMAND
        if mark == PARAMETER and state.next() in (" ", "\t", "\n", "|"):
            state.give_up("${ …; }")
    elif state.ahead("`"):
        _read_backquotes(state)
    elif state.ahead("$["):
        state.give_up("$[…], arithmetic only to some; write $((…))")
        state.take(2)
    elif re.match(r"\$[$#?!@*0-9-]", state.next(2)):
        if re.match(r"\$\$[({\[']", state.next(3)):
            state.give_up("`$$` before a bracket, which bash 3.2 reads as `$(`; write ${$}")
        state.take(2)
    else:
        state.take()


def _read_backquotes(state: LexerState) -> None:
    """Read everything up to the next backquote, whatever it is: that is how shells find it."""
    end = state.at + 1
    while end < len(state.text) and state.text[end] != "`":
        end += 2 if state.text[end] == "\\" else 1
    state.note_all(state.at, end, _IN_BACKQUOTES)
    if re.search(r"""['"\\#]""", state.text[state.at : end]):
        state.give_up("quotes in backquotes")
    state.take(end + 1 - state.at)


def read_parameter(state: LexerState) -> None:
    """Read within `${…}`."""
    if state.ahead("}"):
        state.close()
    elif state.ahead("'") and _is_quoted(state):
        state.give_up('a single quote inside "${…}"')
        state.take()
    elif state.ahead(DOLLAR_SINGLE) and not _is_quoted(state):
        state.open(DOLLAR_SINGLE)
    elif state.ahead("'") or state.ahead('"'):
        state.open(state.next())
    else:
        read_expansion(state)


def _is_quoted(state: LexerState) -> bool:
    """Return whether the nearest quotes or command around a `${…}` are double quotes."""
    return next(context for context in reversed(state.contexts) if context in (DOUBLE, *CODE)) == DOUBLE


def read_arithmetic(state: LexerState) -> None:
    """Read within `$((…))`, `((…))`, or brackets in these."""
    if state.ahead(")"):
        _end_arithmetic(state)
    elif state.ahead("("):
        state.contexts.append(ARITHMETIC_BRACKET)
        state.take()
    elif _may_be_commands(state):
        state.give_up("arithmetic that may be commands in brackets")
        state.take()
    else:
        read_expansion(state)


def _may_be_commands(state: LexerState) -> bool:
    """Return whether this is rare in arithmetic and would be something else in commands."""
    in_command = ARITHMETIC_COMMAND in state.contexts and state.ahead("<<")
    comment = state.ahead("#") and state.previous in " \t\n;&|(<>"
    return comment or in_command or state.next() in "'\""


def _end_arithmetic(state: LexerState) -> None:
    if state.context == ARITHMETIC_BRACKET:
        state.close()
    elif state.ahead("))"):
        state.fresh = state.close(2) == ARITHMETIC_COMMAND
    else:
        state.give_up("arithmetic that may be commands in brackets")
        state.take()
