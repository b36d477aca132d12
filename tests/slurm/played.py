"""A cluster that shell scripts play: what its commands were called with, and what they are to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTS = 'n=$(cat "$SLURM_PLAYED/next"); echo $((n + 1)) >"$SLURM_PLAYED/next"; echo "$n"'


class Played:
    """A cluster of shell scripts: what they were called with, and what they are to do."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "next").write_text("101\n")
        self.does("sbatch", ACCEPTS)
        self.does("squeue", "exit 0")
        self.does("scancel", "exit 0")

    def does(self, name: str, what: str) -> None:
        """Let a command note its words, and then do something."""
        path = self.directory / "bin" / name
        path.parent.mkdir(exist_ok=True)
        noted = f"{self.directory}/{name}.calls"
        path.write_text(
            f"#!/bin/bash\nSLURM_PLAYED={self.directory}\n{{ printf '%s\\t' \"$@\"; echo; }} >>{noted}\nenv >>{noted}.env\n{what}\n"
        )
        path.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """Return the words of each call of a command so far."""
        path = self.directory / f"{name}.calls"
        return [line.rstrip("\t").split("\t") for line in path.read_text().splitlines()] if path.exists() else []

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of the calls of a command."""
        text = (self.directory / f"{name}.calls.env").read_text()
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def option(words: list[str], name: str) -> str:
    """Return the value of an option in the words of a call, or ''."""
    return next((word.partition("=")[2] for word in words if word.startswith(f"--{name}=")), "")
