"""Find what each placeholder in a shell text stands in: quotes, none, or an unsafe place.

The text is lexed as a shell does it (POSIX Shell Command Language, 2.2 Quoting and 2.6 Word Expansions;
bash(1), QUOTING), as far as quoting depends on it. Some texts are parsed differently by different shells, or
only by a whole parser (`case` inside `$(…)`). From there on the lexer is unsure, and refuses each placeholder
rather than guess. Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Private-use characters, which are refused in templates.
OPEN, CLOSE = "\ue0f0", "\ue0f1"
_PLACEHOLDER = re.compile(f"{OPEN}([0-9]+){CLOSE}")
_REFUSED = {
    "${": "inside ${…}",
    "$((": "inside arithmetic",
    "((": "inside arithmetic",
    "$'": "inside $'…'",
    "#": "in a comment",
}
_IN_BACKQUOTES = "in backquotes; write $(…) instead"
_IN_HEREDOC = "in a here-document"
_CODE = ("bare", "(", "$(")
_ARITHMETIC = ("$((", "((", "a(")
_UNSURE = "after text that shells parse differently"
_HEREDOC = re.compile(
    r"""<<(?P<tabs>-?)[ \t]*
        (?:(?P<quote>['"])(?P<quoted>[A-Za-z0-9_.]+)(?P=quote) | (?P<bare>[A-Za-z0-9_.]+))
        (?=[\s;&|)<>]|\Z)""",
    re.VERBOSE,
)
_CASE = re.compile(r"case(?![A-Za-z0-9_])")
_CLOSED_EXPANSION = re.compile(r"""\$\([^()`$'"\\]*\)|\$\{[^{}`$'"\\]*\}|`[^`$'"\\]*`""")
_BEGINS_EXPANSION = re.compile(r"\$[({\[]|`")


class Placeholder(NamedTuple):
    """A place for a value.

    value: the number of the value.
    quote: `bare`, `'` or `"`.
    refusal: why no value is safe here, or ''.
    """

    start: int
    end: int
    value: int
    quote: str
    refusal: str


class Placeholders(NamedTuple):
    """All placeholders of a text in order, and whether its quotes and brackets are closed."""

    found: tuple[Placeholder, ...]
    closed: bool


def placeholder(value: int) -> str:
    """Return the placeholder of the value with this number."""
    return f"{OPEN}{value}{CLOSE}"


def find_placeholders(text: str) -> Placeholders:
    """Return the placeholders of a shell text, and what each stands in."""
    return _Lexer(text).run()


class _HereDoc(NamedTuple):
    """A here-document whose body has yet to come; `depth` counts the contexts around it."""

    word: str
    strips_tabs: bool
    expands: bool
    depth: int


class _Lexer:
    """Walks shell text with a stack of open contexts.

    fresh: a word may begin here, so that `#` and `case` are special.
    unsure: why no placeholder is safe from here on, or ''.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.fresh = True
        self.stack = ["bare"]
        self.heredocs: list[_HereDoc] = []
        self.unsure = ""
        self.placeholders: list[Placeholder] = []
        self.readers = {
            "'": self._in_single,
            "$'": self._in_single,
            '"': self._in_double,
            "#": self._in_comment,
            "${": self._in_parameter,
            **dict.fromkeys(_ARITHMETIC, self._in_arithmetic),
            **dict.fromkeys(_CODE, self._in_code),
        }

    def run(self) -> Placeholders:
        while self.at < len(self.text):
            self._step()
        rest = [context for context in self.stack if context != "#"]
        return Placeholders(tuple(self.placeholders), rest == ["bare"])

    # --- moving ----------------------------------------------------------------------------------

    @property
    def context(self) -> str:
        return self.stack[-1]

    def _ahead(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def _previous(self) -> str:
        return self.text[self.at - 1] if self.at else ""

    def _take(self, count: int = 1) -> None:
        if self.heredocs and "\n" in self.text[self.at : self.at + count]:
            self._give_up("a line end within quotes, before the here-document that it ends with")
        self.at += count
        self.fresh = False

    def _push(self, context: str) -> None:
        self.stack.append(context)
        self._take(len(context))

    def _pop(self, count: int = 1) -> str:
        closed = self.stack.pop()
        self._take(count)
        return closed

    def _give_up(self, what: str) -> None:
        self.unsure = self.unsure or f"{_UNSURE} ({what})"

    def _step(self) -> None:
        found = _PLACEHOLDER.match(self.text, self.at)
        if found:
            self._note(found, self._refusal())
            self._take(len(found[0]))
        elif self._ahead("\\") and self.context not in ("'", "#"):
            self._in_escape()
        else:
            self.readers[self.context]()

    # --- placeholders -----------------------------------------------------------------------------------

    def _note(self, found: re.Match[str], refusal: str) -> None:
        quote = self.context if self.context in ("'", '"') else "bare"
        self.placeholders.append(Placeholder(found.start(), found.end(), int(found[1]), quote, refusal))

    def _note_all(self, start: int, end: int, refusal: str) -> None:
        for found in _PLACEHOLDER.finditer(self.text, start, end):
            self._note(found, refusal)

    def _refusal(self) -> str:
        around = next((_REFUSED[context] for context in self.stack if context in _REFUSED), "")
        if around or self.unsure:
            return around or self.unsure
        return "after $ or $name; write ${name}" if self.context != "'" and self._after_variable() else ""

    def _after_variable(self) -> bool:
        """Return whether a value would continue `$` or `$name`: `$` and `(date)` are a command."""
        at = self.at
        while at and (self.text[at - 1].isalnum() or self.text[at - 1] == "_" or self.text[at - 2 : at] == "\\\n"):
            at -= 2 if self.text[at - 1] == "\n" else 1
        at -= at > 1 and self.text[at - 1] in "#?!@*-$" and self.text[at - 2] == "$"
        return self.text[at - 1 : at] == "$" and not self._is_escaped(at - 1)

    def _is_escaped(self, at: int) -> bool:
        before = self.text[:at]
        return (len(before) - len(before.rstrip("\\"))) % 2 == 1

    # --- quotes ----------------------------------------------------------------------------------

    def _in_single(self) -> None:
        self._pop() if self._ahead("'") else self._take()

    def _in_double(self) -> None:
        self._pop() if self._ahead('"') else self._expansion()

    def _in_comment(self) -> None:
        if self._ahead("\n"):
            self.stack.pop()
        else:
            self._take()

    def _in_escape(self) -> None:
        """Take a backslash with the next character; a value there is refused."""
        found = _PLACEHOLDER.match(self.text, self.at + 1)
        if found:
            self._note(found, "after a backslash")
            self._take(1 + len(found[0]))
        elif self._ahead("\\\n"):
            self._continued_line()
        else:
            if self.context in ("$'", "${") and self._ahead("\\'"):
                self._give_up("\\' inside $'…' or ${…}")
            self._take(2)

    def _continued_line(self) -> None:
        """Take the end of a continued line.

        Shells join such lines first, so that a `$` and a `(` may meet.
        """
        joins = "$<()" if self.context in _CODE else "$"
        previous = self._previous()
        in_word = self.context == "$(" and previous.isalnum()
        if (previous and previous in joins) or in_word or self.context in _ARITHMETIC:
            self._give_up("a line that is broken within a word")
        fresh = self.fresh
        self._take(2)
        self.fresh = fresh

    # --- expansions ------------------------------------------------------------------------------

    def _expansion(self) -> None:
        """Take the beginning of an expansion, quoted or not, or else one plain character."""
        mark = next((mark for mark in ("$((", "$(", "${") if self._ahead(mark)), "")
        if mark:
            self._push(mark)
            self.fresh = mark == "$("
            if mark == "${" and self.text[self.at : self.at + 1] in (" ", "\t", "\n", "|"):
                self._give_up("${ …; }")
        elif self._ahead("`"):
            self._backquotes()
        elif self._ahead("$["):
            self._give_up("$[…], arithmetic only to some; write $((…))")
            self._take(2)
        elif re.match(r"\$[$#?!@*0-9-]", self.text[self.at : self.at + 2]):
            if re.match(r"\$\$[({\[']", self.text[self.at : self.at + 3]):
                self._give_up("`$$` before a bracket, which bash 3.2 reads as `$(`; write ${$}")
            self._take(2)
        else:
            self._take()

    def _backquotes(self) -> None:
        """Take everything up to the next backquote, whatever it is: that is how shells find it."""
        end = self.at + 1
        while end < len(self.text) and self.text[end] != "`":
            end += 2 if self.text[end] == "\\" else 1
        self._note_all(self.at, end, _IN_BACKQUOTES)
        if re.search(r"""['"\\#]""", self.text[self.at : end]):
            self._give_up("quotes in backquotes")
        self._take(end + 1 - self.at)

    def _in_parameter(self) -> None:
        if self._ahead("}"):
            self._pop()
        elif self._ahead("'") and self._is_quoted():
            self._give_up('a single quote inside "${…}"')
            self._take()
        elif self._ahead("$'") and not self._is_quoted():
            self._push("$'")
        elif self._ahead("'") or self._ahead('"'):
            self._push(self.text[self.at])
        else:
            self._expansion()

    def _is_quoted(self) -> bool:
        """Return whether the nearest quotes or command around a `${…}` are double quotes."""
        return next(context for context in reversed(self.stack) if context in ('"', *_CODE)) == '"'

    def _in_arithmetic(self) -> None:
        if self._ahead(")"):
            self._arithmetic_end()
        elif self._ahead("("):
            self.stack.append("a(")
            self._take()
        elif self._may_be_commands():
            self._give_up("arithmetic that may be commands in brackets")
            self._take()
        else:
            self._expansion()

    def _may_be_commands(self) -> bool:
        """Return whether this is rare in arithmetic and would be something else in commands."""
        in_command = "((" in self.stack and self._ahead("<<")
        comment = self._ahead("#") and self._previous() in " \t\n;&|(<>"
        return comment or in_command or self.text[self.at] in "'\""

    def _arithmetic_end(self) -> None:
        if self.context == "a(":
            self._pop()
        elif self._ahead("))"):
            self.fresh = self._pop(2) == "(("
        else:
            self._give_up("arithmetic that may be commands in brackets")
            self._take()

    # --- commands --------------------------------------------------------------------------------

    def _in_code(self) -> None:
        character = self.text[self.at]
        if character == "\n":
            self._line_end()
        elif character in "()":
            self._bracket()
        elif self._ahead("$'"):
            self._push("$'")
        elif character in "'\"":
            self._push(character)
        elif self._ahead("<<"):
            self._here()
        elif self.fresh and self._ahead("#"):
            self._comment()
        elif self.fresh and "$(" in self.stack and _CASE.match(self.text, self.at):
            self._give_up("`case` inside $(…)")
            self._take()
        elif character in " \t;&|<>":
            self._take()
            self.fresh = True
        else:
            self._expansion()

    def _bracket(self) -> None:
        if self._ahead("((") and self.fresh:
            self._push("((")
        elif self._ahead("("):
            self._push("(")
            self.fresh = True
        else:
            closed = self.stack.pop() if self.context != "bare" else "("
            self._take()
            self.fresh = closed != "$("

    def _comment(self) -> None:
        if self._previous() == ")":
            self._give_up("`)#`, which begins a comment or not")
        self._push("#")

    def _here(self) -> None:
        found = _HEREDOC.match(self.text, self.at)
        if self._ahead("<<<"):
            self._take(3)
            self.fresh = True
        elif found:
            word = found["quoted"] or found["bare"]
            self.heredocs.append(_HereDoc(word, bool(found["tabs"]), found["quote"] is None, len(self.stack)))
            self._take(len(found[0]))
        else:
            self._give_up("a here-document with an unusual end word")
            self._take(2)

    def _line_end(self) -> None:
        self.at += 1
        self.fresh = True
        waiting, self.heredocs = self.heredocs, []
        for document in waiting:
            if document.depth != len(self.stack):
                self._give_up("a here-document whose bracket closes before it begins")
            self._skip(document)

    def _skip(self, document: _HereDoc) -> None:
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            line = self.text[self.at : end if end >= 0 else len(self.text)]
            self._note_all(self.at, self.at + len(line), _IN_HEREDOC)
            self.at += len(line) + 1
            content = line.lstrip("\t") if document.strips_tabs else line
            if content == document.word:
                return
            if _may_hide_its_end(content, document):
                self._give_up("a here-document whose end may be elsewhere")


def _may_hide_its_end(line: str, document: _HereDoc) -> bool:
    """Return whether a shell may join this body line with the next, or take it for the end."""
    nearly_end = document.depth > 1 and line.startswith(document.word)
    open_end = line.endswith("\\") or _BEGINS_EXPANSION.search(_CLOSED_EXPANSION.sub("", line))
    return nearly_end or bool(document.expands and open_end)
