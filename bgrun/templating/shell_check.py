"""Asking the shell itself whether a command can be read at all, before anything runs.

A shell that meets a syntax error may go on with the next line, in which quotes then mean the
opposite: the one way in which a quoted value could still become code.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ASK_S = 10.0
_MEDDLING = ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS")


def check_syntax(text: str, shell: Sequence[str], where: str) -> None:
    """Have a POSIX shell read a command without running it (`-n`).

    Raises:
        UsageError: it cannot be read; the shell's own words are in it.
    """
    environ = {key: value for key, value in os.environ.items() if key not in _MEDDLING}
    try:
        asked = subprocess.run(
            [*shell, *_options(text, shell), "-c", text],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # no such shell, or a command too long for it: the run itself will say so
    if asked.returncode:
        said = asked.stderr.decode("utf-8", "replace").strip().splitlines() or ["it cannot be read"]
        raise UsageError(
            f"{where} is no valid {shell[0]}: {said[0]}", "bgrun render shows it; check quotes and brackets"
        )


def _options(text: str, shell: Sequence[str]) -> list[str]:
    """Return the options for reading only: with them no `shopt` is carried out that would allow `!(…)`."""
    extended = "extglob" in text and Path(shell[0]).name == "bash"
    return ["-n", *(["-O", "extglob"] if extended else [])]
