"""A value in a command can't become code: each is made inert for the place it stands in; pure.

Where a value goes, the rendered text holds a placeholder. The text around it is then read as the
shell reads it (POSIX Shell Command Language, 2.2 Quoting; bash(1), QUOTING) as far as is needed to
know whether the place is bare, in double or in single quotes. Where no quoting is safe (in a
here-document, in backquotes, in `${…}`, in arithmetic, in a comment) the template is refused.
"""

from __future__ import annotations

import re
import shlex

from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Private-use characters: they have no business in a command, and are refused in values.
OPEN, CLOSE = "\ue0f0", "\ue0f1"
POSIX_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh", "busybox")
_PLACEHOLDER = re.compile(f"{OPEN}([0-9]+){CLOSE}")
_UNSAFE = {
    "`": "in backquotes; write $(…) instead",
    "${": "inside ${…}",
    "$((": "inside arithmetic",
    "$[": "inside arithmetic",
    "((": "inside arithmetic",
    "$'": "inside $'…'",
    "#": "in a comment",
    "<<": "in a here-document",
}
_UNSURE = "behind text that shells read in different ways"
_MEND = 'pass the value through `env:` and write "$NAME", or say `| raw` if it is meant to be code'


def placeholder(place: int) -> str:
    """Return what stands for the value with this index while the text is rendered."""
    return f"{OPEN}{place}{CLOSE}"


def fill_in(text: str, values: Sequence[str]) -> str:
    """Return the shell text with each placeholder replaced by its value, inert in its place.

    Raises:
        UsageError: a value stands where nothing makes it inert.
    """
    return _Scanner(text, values).run()


def check(text: str) -> None:
    """Raise what `fill_in` would raise for this text, whatever the values."""
    fill_in(text, ["x"] * (1 + max((int(found[1]) for found in _PLACEHOLDER.finditer(text)), default=0)))


class _Scanner:
    """Walks shell text with a stack of what is open: quotes, substitutions, here-documents."""

    def __init__(self, text: str, values: Sequence[str]) -> None:
        self.text = text
        self.values = values
        self.at = 0
        self.out: list[str] = []
        self.stack: list[str] = ["bare"]
        self.heredocs: list[tuple[str, bool]] = []
        self.unsure = False

    def run(self) -> str:
        while self.at < len(self.text):
            self._step()
        return "".join(self.out)

    @property
    def context(self) -> str:
        return self.stack[-1]

    def _take(self, count: int = 1) -> None:
        self.out.append(self.text[self.at : self.at + count])
        self.at += count

    def _ahead(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def _step(self) -> None:
        found = _PLACEHOLDER.match(self.text, self.at)
        if found:
            self.out.append(self._inert(self.values[int(found[1])]))
            self.at = found.end()
        elif self.context == "'":
            self._closing("'")
        elif self.context == "$'":
            self._take(2) if self._ahead("\\") else self._closing("'")
        elif self.context == "#":
            if self._ahead("\n"):
                self.stack.pop()
            else:
                self._take()
        elif self._ahead("\\"):
            self._escape()
        elif self.context == '"':
            self._in_double()
        else:
            self._in_code()

    def _closing(self, mark: str) -> None:
        if self._ahead(mark):
            self.stack.pop()
        self._take()

    def _escape(self) -> None:
        """A backslash takes the next character along, but never a value."""
        self.unsure = self.unsure or (self.context in _UNSAFE)
        if _PLACEHOLDER.match(self.text, self.at + 1):
            raise self._refusal("behind a backslash")
        self._take(2)

    def _in_double(self) -> None:
        if self._ahead('"'):
            self._closing('"')
        else:
            self._expansion()

    def _expansion(self) -> None:
        """What begins an expansion, quoted or not."""
        for mark in ("$((", "$(", "$[", "${", "`"):
            if self._ahead(mark):
                self._backquote() if mark == "`" else self._push(mark, len(mark))
                return
        self._take()

    def _push(self, context: str, length: int) -> None:
        self.stack.append(context)
        self._take(length)

    def _backquote(self) -> None:
        if "`" in self.stack:
            while self.stack.pop() != "`":
                pass
            self._take()
        else:
            self._push("`", 1)

    def _in_code(self) -> None:
        self.unsure = self.unsure or self._is_ambiguous()
        if self._ahead("\n"):
            self._newline()
        elif self._closes():
            self._close()
        elif self._ahead("$'"):
            self.unsure = True  # dash knows no $'…', and reads what follows in other quotes
            self._push("$'", 2)
        elif self._ahead("'") or self._ahead('"'):
            self._push(self.text[self.at], 1)
        elif self._ahead("#") and self._begins_word() and self.context != "${":
            self._push("#", 1)
        elif self._ahead("<<") and not self._ahead("<<<") and self.context not in ("$((", "${", "(("):
            self._heredoc()
        elif self._ahead("<<<"):
            self._take(3)
        elif self._ahead("((") and self._begins_word():
            self._push("((", 2)
        elif self._ahead("("):
            self._push("(", 1)
        else:
            self._expansion()

    def _is_ambiguous(self) -> bool:
        """Quotes inside `${…}`, backquotes or arithmetic, and `case` inside `$(…)`, take a whole parser.

        From there on no value is put in at all, rather than by a guess at what quotes it stands in.
        """
        if self.context in _UNSAFE:
            return self.text[self.at] in "'\"\\"
        return "$(" in self.stack and self._ahead("case") and self._begins_word()

    def _closes(self) -> bool:
        ends = {"$(": ")", "(": ")", "$((": "))", "((": "))", "$[": "]", "${": "}"}
        return self._ahead(ends.get(self.context, "\0"))

    def _close(self) -> None:
        length = 2 if self.context in ("$((", "((") else 1
        self.stack.pop()
        self._take(length)

    def _begins_word(self) -> bool:
        return self.at == 0 or self.text[self.at - 1] in " \t\n;&|()<>"

    def _heredoc(self) -> None:
        """Note a here-document, whose body begins behind the next line end."""
        found = re.compile(r"<<(-?)[ \t]*(\\?)(['\"]?)([^\s'\"<>|&;()]+)\3").match(self.text, self.at)
        if not found or OPEN in found[0]:
            raise self._refusal(_UNSAFE["<<"])
        self.heredocs.append((found[4], bool(found[1])))
        self._take(len(found[0]))

    def _newline(self) -> None:
        self._take()
        for word, tabs in self.heredocs:
            self._skip_heredoc(word, tabs)
        self.heredocs.clear()

    def _skip_heredoc(self, word: str, tabs: bool) -> None:
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            line = self.text[self.at : end if end >= 0 else len(self.text)]
            if OPEN in line:
                raise self._refusal(_UNSAFE["<<"])
            self._take(len(line) + 1)
            if (line.lstrip("\t") if tabs else line) == word:
                return

    def _inert(self, value: str) -> str:
        for context in self.stack:
            if context in _UNSAFE:
                raise self._refusal(_UNSAFE[context])
        if self.unsure:
            raise self._refusal(_UNSURE)
        if self.context == "'":
            return value.replace("'", "'\\''")
        if self.context == '"':
            return re.sub(r'([\\"$`])', r"\\\1", value)
        if self.text[self.at - 1 : self.at] == "$":
            raise self._refusal("behind a $")
        return shlex.quote(value)

    def _refusal(self, where: str) -> UsageError:
        line = self.text.count("\n", 0, self.at) + 1
        return UsageError(
            f"line {line} of the command has a {{{{ value }}}} {where}, where it could become code", _MEND
        )
