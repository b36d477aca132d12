"""Split a command line that is still being typed into words, as a POSIX shell does. Pure."""

from __future__ import annotations

from bgrun.light import NamedTuple

_SPECIAL = frozenset("\\\"'`$&|;<>()[]{}*?!#~^ \t\n")


class Word(NamedTuple):
    """A word of a line.

    text: without its quotes.
    start: its place in the line.
    raw: as it was typed.
    quote: the quote that is still open at its end, or ''.
    redirect: whether it is the file of a redirection, such as `> FILE`.
    """

    text: str
    start: int
    raw: str = ""
    quote: str = ""
    redirect: bool = False


def split(line: str) -> list[Word]:
    """Return the words of a line; the last one, which may be empty, ends where the line does."""
    found: list[Word] = []
    place, redirect = 0, False
    while place < len(line):
        if line[place] in " \t\n":
            place += 1
        elif line[place] in "<>":
            place, redirect = place + 1, True
        else:
            word = _word(line, place)
            place += len(word.raw)
            if not (line[place : place + 1] in ("<", ">") and word.raw.isdigit()):  # 2> FILE
                found.append(word._replace(redirect=redirect))
                redirect = False
    if not found or not line.endswith(found[-1].raw) or found[-1].start + len(found[-1].raw) < len(line):
        found.append(Word("", len(line), redirect=redirect))
    return found


def _word(line: str, start: int) -> Word:
    text, quote, place = "", "", start
    while place < len(line):
        char = line[place]
        if quote == "'" or (quote and char not in '\\"'):
            quote, text = ("", text) if char == quote else (quote, text + char)
        elif char == "\\":
            place += 1
            after = line[place : place + 1]
            text += "\\" + after if quote and after not in ("\\", '"', "$", "`") else after
        elif char == quote:
            quote = ""
        elif char in "\"'":
            quote = char
        elif char in " \t\n<>":
            break
        else:
            text += char
        place += 1
    return Word(text, start, line[start:place], quote)


def kept(word: Word, breaks: str) -> str:
    """Return the text of a word that bash leaves alone: completions replace what is after it.

    With an open quote that is all before the quote, else all up to the last of the characters at which readline breaks
    words (COMP_WORDBREAKS).
    """
    if word.quote:
        place = max(
            at for at in range(len(word.raw)) if word.raw[at] == word.quote and not _word(word.raw[:at], 0).quote
        )
    else:
        place = (
            max((at for at, char in enumerate(word.raw) if char in breaks and _is_bare(word.raw, at)), default=-1) + 1
        )
    return _word(word.raw[:place], 0).text if place else ""


def _is_bare(raw: str, place: int) -> bool:
    """Return whether the character at a place is neither quoted nor escaped."""
    before = _word(raw[:place], 0)
    escapes = len(raw[:place]) - len(raw[:place].rstrip("\\"))
    return not before.quote and escapes % 2 == 0


def quoted(text: str, quote: str) -> str:
    """Return a text as it is typed after an open quote, or without one if `quote` is empty.

    In double quotes bash would expand `!x` from its history, and keep a backslash before it: that stands outside.
    """
    if quote == "'":
        return text.replace("'", "'\\''")
    special = '\\"$`' if quote else _SPECIAL
    escaped = "".join(f"\\{char}" if char in special else char for char in text)
    return escaped.replace("!", '"\\!"') if quote else escaped
