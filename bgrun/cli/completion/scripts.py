"""The scripts that make shells complete `bgrun`."""

from __future__ import annotations

import os

SHELLS = ("bash", "zsh", "fish")


def text(shell: str) -> bytes:
    """Return the script of a shell, one of `SHELLS`."""
    with open(os.path.join(os.path.dirname(__file__), f"script.{shell}"), "rb") as file:
        return file.read()
