"""Check the syntax of a command with its own shell (`sh -n`), before anything runs.

A shell that meets a syntax error may continue with the next line, in which quotes then mean the opposite:
the one way in which a quoted value could still become code.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 10.0
_STARTUP_VARIABLES = ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS")
"""Variables that make a shell run or set something before it reads the command."""
_RESERVED = (
    "if|then|else|elif|fi|case|esac|for|select|while|until|do|done|in|function|time|coproc"
    "|foreach|repeat|end|nocorrect|namespace"  # of zsh and ksh
)
_WORD = r"""(?:[\w@%+:,./*?-]|'[ -&(-~]*'|"[ #%-\[\]-_a-~]*"|\$(?=\w))"""
_COMMAND = rf"(?![-+]|(?:{_RESERVED})(?:[ \t;&|]|\Z)){_WORD}+(?:[ \t]+{_WORD}(?:{_WORD}|=)*)*"
_PLAIN = re.compile(rf"{_COMMAND}(?:[ \t]*(?:&&|\|\|?|;)[ \t]*{_COMMAND})*", re.ASCII)
"""Commands of plain words, each of which every POSIX shell can parse: a shell that takes one of them takes all.

What begins with a sign would be an option; zsh looks for the program in `=x` and the directory in `~x`, and reports
where there is none. There is one way to match each text, so that long ones take no time.
"""
_takes_plain: set[tuple[str, ...]] = set()
"""Shells, with their options, that parsed such a command. Starting a shell for each took two thirds of the time of a
first start of 1,000 jobs."""


def check_syntax(text: str, shell: Sequence[str], where: str) -> None:
    """Have a POSIX shell parse a command without running it (`-n`).

    Raises:
        UsageError: the shell reports a syntax error; its message is included.
    """
    is_plain = bool(_PLAIN.fullmatch(text))
    if is_plain and tuple(shell) in _takes_plain:
        return
    environ = {key: value for key, value in os.environ.items() if key not in _STARTUP_VARIABLES}
    try:
        checked = subprocess.run(
            [*shell, *_options(text, shell), "-c", text],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # no such shell, or a command too long for it: the run itself reports that
    if checked.returncode:
        lines = checked.stderr.decode("utf-8", "replace").strip().splitlines() or ["cannot be parsed"]
        hint = "close each quote, bracket and block (`if` with `fi`, `do` with `done`) of the command"
        raise UsageError(f"{where}: invalid {shell[0]} syntax: {lines[0]}", hint)
    if is_plain:
        _takes_plain.add(tuple(shell))


def _options(text: str, shell: Sequence[str]) -> list[str]:
    """Return the options for parsing only: under `-n` no `shopt` runs that would allow `!(…)`."""
    extended = "extglob" in text and Path(shell[0]).name == "bash"
    return ["-n", *(["-O", "extglob"] if extended else [])]
