"""Give the arguments after `--` to the command that they are meant for, in a shell text without `{{ extra }}`. Pure.

They follow the last command of the text, or they are the `$@` that it uses. Where they would be lost, or reach
a command that nobody meant (the last one of a pipe), the start is refused.
"""

from __future__ import annotations

import re
import shlex

from bgrun.errors import UsageError
from bgrun.templating.lexer_state import BARE, COMMENT, DOLLAR_SINGLE, SINGLE, LexerState
from bgrun.templating.placeholders import placeholder
from bgrun.templating.shell_lexer import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HINT = 'write {{ extra }} in the command where they belong, or "$@"'
_OPERATORS = ("||", "&&", "|&", "|", ";", "&", "\n")
_ARGUMENTS = re.compile(r"\$[@*]|\$\{[@*]")
_HAS_OWN_ARGUMENTS = re.compile(r"\w\s*\(\s*\)|\bfunction\s|\bset\s+--?(\s|$)")
"""A function has a `$@` of its own, and `set --` replaces that of the text."""
_TO_ANOTHER = {
    "|": "would go to the last command of the pipe",
    "|&": "would go to the last command of the pipe",
    "||": "would go to the command after `||`",
}


def placed(text: str, extra: Sequence[str], where: str) -> str:
    """Return a shell text with its extra arguments.

    Raises:
        UsageError: they would not arrive; the message begins with `where`.
    """
    text = text.rstrip()
    words = " ".join(map(shlex.quote, extra))
    end = _End(text)
    if end.uses_arguments and not _HAS_OWN_ARGUMENTS.search(text):
        return f"set -- {words}; {text}"
    if end.refusal:
        raise UsageError(f"{where}: the arguments after '--' {end.refusal}", HINT)
    return f"{text} {words}"


class _End:
    """What a shell text does with words that are appended to it.

    uses_arguments: whether it expands `$@` or `$*` itself.
    refusal: why appended words would not arrive, or ''.
    """

    def __init__(self, text: str) -> None:
        self.uses_arguments = False
        self._operator, self._operator_end = "", 0
        self._text = text
        for state in walk(f"{text} {placeholder(0)}"):
            self._look(state)
        place = state.placeholders[-1].refusal
        lost = next((one for one in ("comment", "here-document") if one in place), "")
        self.refusal = f"would be lost in a {lost}" if lost else self._misled()

    def _look(self, state: LexerState) -> None:
        if state.context in (SINGLE, DOLLAR_SINGLE, COMMENT):
            return
        self.uses_arguments = self.uses_arguments or bool(_ARGUMENTS.match(state.text, state.at))
        if state.contexts == [BARE] and state.at >= self._operator_end and state.previous not in ("<", ">"):
            found = next((one for one in _OPERATORS if state.ahead(one)), "")
            is_redirection = found == "&" and state.next(2) == "&>"
            continues = found == "\n" and not self._text[self._operator_end : state.at].strip()
            if found and not is_redirection and not continues:
                self._operator, self._operator_end = found, state.at + len(found)

    def _misled(self) -> str:
        if self._operator and not self._text[self._operator_end :].strip():
            return f"would follow the `{self._operator}` at the end of the command"
        return _TO_ANOTHER.get(self._operator, "")
