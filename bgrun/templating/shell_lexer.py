"""Find what each placeholder in a shell text stands in: quotes, none, or an unsafe place.

The text is lexed as a shell does it (POSIX Shell Command Language, 2.2 Quoting and 2.6 Word Expansions;
bash(1), QUOTING), as far as quoting depends on it. Some texts are parsed differently by different shells, or
only by a whole parser (`case` inside `$(…)`). From there on the lexer is unsure, and refuses each placeholder
rather than guess. Pure.

One function reads each context (`_READERS`); those of expansions are in `shell_expansions`.
"""

from __future__ import annotations

import re

from bgrun.templating.lexer_state import (
    ARITHMETIC,
    ARITHMETIC_COMMAND,
    ARITHMETIC_EXPANSION,
    BARE,
    CODE,
    COMMAND,
    COMMENT,
    DOLLAR_SINGLE,
    DOUBLE,
    PARAMETER,
    SINGLE,
    SUBSHELL,
    HereDocument,
    LexerState,
)
from bgrun.templating.placeholders import PATTERN, Placeholders
from bgrun.templating.shell_expansions import read_arithmetic, read_expansion, read_parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED = {
    PARAMETER: "inside ${…}",
    ARITHMETIC_EXPANSION: "inside arithmetic",
    ARITHMETIC_COMMAND: "inside arithmetic",
    DOLLAR_SINGLE: "inside $'…'",
    COMMENT: "in a comment",
}
_IN_HERE_DOCUMENT = "in a here-document"
_HERE_DOCUMENT = re.compile(
    r"""<<(?P<tabs>-?)[ \t]*
        (?:(?P<quote>['"])(?P<quoted>[A-Za-z0-9_.]+)(?P=quote) | (?P<bare>[A-Za-z0-9_.]+))
        (?=[\s;&|)<>]|\Z)""",
    re.VERBOSE,
)
_CASE = re.compile(r"case(?![A-Za-z0-9_])")
_CLOSED_EXPANSION = re.compile(r"""\$\([^()`$'"\\]*\)|\$\{[^{}`$'"\\]*\}|`[^`$'"\\]*`""")
_BEGINS_EXPANSION = re.compile(r"\$[({\[]|`")


def find_placeholders(text: str) -> Placeholders:
    """Return the placeholders of a shell text, and what each stands in."""
    state = LexerState(text)
    for _ in _steps(state):
        pass
    still_open = [context for context in state.contexts if context != COMMENT]
    return Placeholders(tuple(state.placeholders), still_open == [BARE])


def walk(text: str) -> Iterator[LexerState]:
    """Yield the state of the lexer before each step through a shell text; it is the same object each time."""
    yield from _steps(LexerState(text))


def _steps(state: LexerState) -> Iterator[LexerState]:
    while not state.at_end:
        yield state
        _step(state)


def _step(state: LexerState) -> None:
    found = PATTERN.match(state.text, state.at)
    if found:
        state.note(found, _refusal(state))
        state.take(len(found[0]))
    elif state.ahead("\\") and state.context not in (SINGLE, COMMENT):
        _read_escape(state)
    else:
        _READERS[state.context](state)


# --- what a value would do ---------------------------------------------------------------------


def _refusal(state: LexerState) -> str:
    """Return why no value is safe at the position, or ''."""
    around = next((_REFUSED[context] for context in state.contexts if context in _REFUSED), "")
    if around or state.unsure:
        return around or state.unsure
    continues = state.context != SINGLE and _continues_variable(state.text, state.at)
    return "after $ or $name; write ${name}" if continues else ""


def _continues_variable(text: str, at: int) -> bool:
    """Return whether a value would continue `$` or `$name`: `$` and `(date)` are a command."""
    while at and (text[at - 1].isalnum() or text[at - 1] == "_" or text[at - 2 : at] == "\\\n"):
        at -= 2 if text[at - 1] == "\n" else 1
    at -= at > 1 and text[at - 1] in "#?!@*-$" and text[at - 2] == "$"
    return text[at - 1 : at] == "$" and not _is_escaped(text[: at - 1])


def _is_escaped(before: str) -> bool:
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


# --- quotes ------------------------------------------------------------------------------------


def _read_single(state: LexerState) -> None:
    if state.ahead("'"):
        state.close()
    else:
        state.take()


def _read_double(state: LexerState) -> None:
    if state.ahead('"'):
        state.close()
    else:
        read_expansion(state)


def _read_comment(state: LexerState) -> None:
    if state.ahead("\n"):
        state.contexts.pop()
    else:
        state.take()


def _read_escape(state: LexerState) -> None:
    """Read a backslash with the next character; a value there is refused."""
    found = PATTERN.match(state.text, state.at + 1)
    if found:
        state.note(found, "after a backslash")
        state.take(1 + len(found[0]))
    elif state.ahead("\\\n"):
        _read_continued_line(state)
    else:
        if state.context in (DOLLAR_SINGLE, PARAMETER) and state.ahead("\\'"):
            state.give_up("\\' inside $'…' or ${…}")
        state.take(2)


def _read_continued_line(state: LexerState) -> None:
    """Read the end of a continued line.

    Shells join such lines first, so that a `$` and a `(` may meet.
    """
    joins = "$<()" if state.context in CODE else "$"
    in_word = state.context == COMMAND and state.previous.isalnum()
    if (state.previous and state.previous in joins) or in_word or state.context in ARITHMETIC:
        state.give_up("a line that is broken within a word")
    fresh = state.fresh
    state.take(2)
    state.fresh = fresh


# --- commands ----------------------------------------------------------------------------------


def _read_code(state: LexerState) -> None:
    character = state.next()
    if character == "\n":
        _read_line_end(state)
    elif character in "()":
        _read_bracket(state)
    elif state.ahead(DOLLAR_SINGLE):
        state.open(DOLLAR_SINGLE)
    elif character in "'\"":
        state.open(character)
    elif state.ahead("<<"):
        _read_here_operator(state)
    elif state.fresh and state.ahead("#"):
        _begin_comment(state)
    elif state.fresh and COMMAND in state.contexts and _CASE.match(state.text, state.at):
        state.give_up("`case` inside $(…)")
        state.take()
    elif character in " \t;&|<>":
        state.take()
        state.fresh = True
    else:
        read_expansion(state)


def _read_bracket(state: LexerState) -> None:
    if state.ahead("((") and state.fresh:
        state.open(ARITHMETIC_COMMAND)
    elif state.ahead("("):
        state.open(SUBSHELL)
        state.fresh = True
    else:
        # One that closes nothing is that of a `case` pattern.
        closed = state.contexts.pop() if state.context != BARE else SUBSHELL
        state.take()
        state.fresh = closed != COMMAND


def _begin_comment(state: LexerState) -> None:
    if state.previous == ")":
        state.give_up("`)#`, which begins a comment or not")
    state.open(COMMENT)


# --- here-documents ----------------------------------------------------------------------------


def _read_here_operator(state: LexerState) -> None:
    found = _HERE_DOCUMENT.match(state.text, state.at)
    if state.ahead("<<<"):
        state.take(3)
        state.fresh = True
    elif found:
        word = found["quoted"] or found["bare"]
        document = HereDocument(word, bool(found["tabs"]), found["quote"] is None, len(state.contexts))
        state.here_documents.append(document)
        state.take(len(found[0]))
    else:
        state.give_up("a here-document with an unusual end word")
        state.take(2)


def _read_line_end(state: LexerState) -> None:
    state.at += 1
    state.fresh = True
    begun, state.here_documents = state.here_documents, []
    for document in begun:
        if document.depth != len(state.contexts):
            state.give_up("a here-document whose bracket closes before it begins")
        _read_body(state, document)


def _read_body(state: LexerState, document: HereDocument) -> None:
    while not state.at_end:
        end = state.text.find("\n", state.at)
        line = state.text[state.at : end if end >= 0 else len(state.text)]
        state.note_all(state.at, state.at + len(line), _IN_HERE_DOCUMENT)
        state.at += len(line) + 1
        content = line.lstrip("\t") if document.strips_tabs else line
        if content == document.word:
            return
        if _may_hide_its_end(content, document):
            state.give_up("a here-document whose end may be elsewhere")


def _may_hide_its_end(line: str, document: HereDocument) -> bool:
    """Return whether a shell may join this body line with the next, or take it for the end."""
    nearly_end = document.depth > 1 and line.startswith(document.word)
    open_end = line.endswith("\\") or _BEGINS_EXPANSION.search(_CLOSED_EXPANSION.sub("", line))
    return nearly_end or bool(document.expands and open_end)


_READERS = {
    SINGLE: _read_single,
    DOLLAR_SINGLE: _read_single,
    DOUBLE: _read_double,
    COMMENT: _read_comment,
    PARAMETER: read_parameter,
    **dict.fromkeys(ARITHMETIC, read_arithmetic),
    **dict.fromkeys(CODE, _read_code),
}
