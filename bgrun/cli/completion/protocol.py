"""Read the words that a shell's script sends, and write the answer.

An answer has a line for each offer: `=VALUE<tab>DESCRIPTION`, with `+` instead of `=` if more of the word follows. For
bash it has what is inserted at the cursor, with its quotes. Other answers, and what follows the offers:

- `command N`: the shell completes what is after the first N words as a command of its own, for bash after N characters.
- `files KIND PREFIX`: the shell completes a path after this prefix; kinds are `any`, `directory` and `yaml`.
"""

from __future__ import annotations

import os
import sys

from bgrun.cli.completion import offers, paths, place, shell_words
from bgrun.cli.completion.offer import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.cli.completion.offer import Offer
    from bgrun.cli.completion.place import Place
    from bgrun.cli.completion.shell_words import Word


def run(given: Sequence[str]) -> int:
    """Print what completes the words that a shell gave, and return 0: nothing may disturb the prompt."""
    try:
        text = answer(os.environ["_BGRUN_COMPLETE"], given)
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    except Exception:
        if os.environ.get("BGRUN_DEBUG"):
            raise
    return 0


def answer(shell: str, given: Sequence[str]) -> str:
    """Return the answer to a shell's script, empty for a shell that is not known.

    given: of bash the line up to the cursor and its COMP_WORDBREAKS; of the others the words before the cursor, without
    the name of the program, and the word at the cursor as it was typed.
    """
    if shell == "bash":
        line, breaks = given
        return _for_bash(shell_words.split(line), breaks)
    if shell not in ("zsh", "fish"):
        return ""
    *words, typed = given
    at = place.at(words, shell_words.split(typed)[0].text)
    if (start := _command_start(at, words)) is not None:
        return f"command {start}\n"
    found, wanted = offers.at(at)
    if wanted and "directory" in at.given:
        found, wanted = [*found, *paths.listed(wanted, at)], None
    lines = [f"{'+' if one.open else '='}{one.value}\t{_line(one.description)}\n" for one in found]
    return "".join(lines) + (f"files {wanted.kind} {wanted.prefix}\n" if wanted else "")


def _for_bash(words: Sequence[Word], breaks: str) -> str:
    typed = words[-1]
    before = [word for word in words[1:-1] if not word.redirect]
    at = place.at([word.text for word in before], typed.text)
    if typed.redirect:
        return _inserted(paths.listed(Paths(), at), typed, breaks)
    if (start := _command_start(at, [word.text for word in before])) is not None:
        return f"command {[*before, typed][start].start}\n"
    found, wanted = offers.at(at, describes=False)
    return _inserted([*found, *(paths.listed(wanted, at) if wanted else ())], typed, breaks)


def _inserted(found: Iterable[Offer], typed: Word, breaks: str) -> str:
    """Return the offers that begin with the word at the cursor, as they are inserted there.

    A space is part of it: older shells cannot be asked for one. After an open quote readline closes that instead.
    """
    kept = shell_words.kept(typed, breaks)
    lines = []
    for one in found:
        if one.value.startswith(typed.text):
            home = "~" if one.value.startswith("~") and typed.raw.startswith("~") and not kept else ""
            text = home + shell_words.quoted(one.value[len(kept) + len(home) :], typed.quote)
            lines.append(text + ("" if one.open or typed.quote else " "))
    return "".join(f"{line}\n" for line in dict.fromkeys(lines) if "\n" not in line)


def _command_start(at: Place, words: Sequence[str]) -> int | None:
    """Return the index of the first word of a command after `--`, if the cursor is in one."""
    if at.command is None or at.command.name != "run" or at.extra is None:
        return None
    start = len(words) - len(at.extra)
    while start < len(words) and _is_assignment(words[start]):
        start += 1
    return None if start == len(words) and _is_assignment(at.typed) else start


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isascii() and name.isidentifier()


def _line(text: str) -> str:
    return " ".join(text.split())
