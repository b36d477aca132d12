"""Hold where the shell lexer is in a text, which contexts are open there, and which placeholders it has passed."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.templating.placeholders import PATTERN, Placeholder

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

BARE, COMMENT = "bare", "#"
SINGLE, DOUBLE, DOLLAR_SINGLE = "'", '"', "$'"
SUBSHELL, COMMAND, PARAMETER = "(", "$(", "${"
ARITHMETIC_EXPANSION, ARITHMETIC_COMMAND, ARITHMETIC_BRACKET = "$((", "((", "a("
CODE = (BARE, SUBSHELL, COMMAND)
"""The contexts that hold commands."""
ARITHMETIC = (ARITHMETIC_EXPANSION, ARITHMETIC_COMMAND, ARITHMETIC_BRACKET)
_UNSURE = "after text that shells parse differently"


class HereDocument(NamedTuple):
    """A here-document whose body has yet to come; `depth` counts the contexts around it."""

    word: str
    strips_tabs: bool
    expands: bool
    depth: int


class LexerState:
    """A shell text, a position in it, and the contexts that are open there, the innermost last.

    fresh: a word may begin here, so that `#` and `case` are special.
    here_documents: those whose bodies begin after the next line end.
    unsure: why no placeholder is safe from here on, or ''.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.fresh = True
        self.contexts = [BARE]
        self.here_documents: list[HereDocument] = []
        self.unsure = ""
        self.placeholders: list[Placeholder] = []

    @property
    def context(self) -> str:
        """The innermost open context."""
        return self.contexts[-1]

    @property
    def at_end(self) -> bool:
        """Whether all of the text was read."""
        return self.at >= len(self.text)

    @property
    def previous(self) -> str:
        """The character before the position; '' at the beginning."""
        return self.text[self.at - 1] if self.at else ""

    def next(self, count: int = 1) -> str:
        """Return the next characters, fewer at the end of the text."""
        return self.text[self.at : self.at + count]

    def ahead(self, word: str) -> bool:
        """Return whether the text continues with a word."""
        return self.text.startswith(word, self.at)

    # --- moving ----------------------------------------------------------------------------------

    def take(self, count: int = 1) -> None:
        """Move past characters of the current word."""
        if self.here_documents and "\n" in self.next(count):
            self.give_up("a line end within quotes, before the here-document that it ends with")
        self.at += count
        self.fresh = False

    def open(self, context: str) -> None:
        """Enter a context, and move past the characters that open it."""
        self.contexts.append(context)
        self.take(len(context))

    def close(self, count: int = 1) -> str:
        """Leave the innermost context, move past the characters that close it, and return it."""
        closed = self.contexts.pop()
        self.take(count)
        return closed

    def give_up(self, what: str) -> None:
        """Refuse every placeholder from here on; the first reason is reported."""
        self.unsure = self.unsure or f"{_UNSURE} ({what})"

    # --- placeholders ----------------------------------------------------------------------------

    def note(self, found: re.Match[str], refusal: str) -> None:
        """Note a placeholder in the innermost context."""
        quote = self.context if self.context in (SINGLE, DOUBLE) else BARE
        self.placeholders.append(Placeholder(found.start(), found.end(), int(found[1]), quote, refusal))

    def note_all(self, start: int, end: int, refusal: str) -> None:
        """Note every placeholder in a part of the text."""
        for found in PATTERN.finditer(self.text, start, end):
            self.note(found, refusal)
