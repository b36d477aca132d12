"""The tutorial typed into a bash on a real terminal, from the first run to the move from an old script.

`test_pages.py` checks what each block prints; here is what only a terminal shows: the live view, and Tab.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.cli.test_live import Screen
from tests.conftest import TOP, Cli
from tests.docs.blocks import blocks, commands

if TYPE_CHECKING:
    from pathlib import Path

PAGE = TOP / "docs" / "tutorial.md"
STEPS = (
    "Run a command",
    "Declare two jobs",
    "See what failed",
    "Fix it and rerun",
    "Start a group",
    "Watch it live",
    "Stop a run",
    "Complete with Tab",
    "Move over from an old script",
)


class Bash:
    """An interactive bash into which a reader types.

    What takes a moment on the page continues only once the reader has seen it: `sleep` waits for a file.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        folder.mkdir()
        programs, self.seen = folder.parent / "programs", folder.parent / "seen"
        programs.mkdir()
        (programs / "sleep").write_text(f"#!/bin/sh\nuntil [ -e '{self.seen}' ]; do /bin/sleep 0.05; done\n")
        (programs / "sleep").chmod(0o755)
        env = {**env, "PATH": f"{programs}:{env['PATH']}"}
        self.screen = Screen(Cli(folder, ["bash", "--norc", "-i"], env), rows=50, columns=100, PS1="ready: ")
        self.typed = 0

    def type(self, text: str) -> None:
        """Type text as it is."""
        os.write(self.screen.fd, text.encode())

    def enter(self, command: str, code: int) -> None:
        """Type a command, and another line that shows its exit code once it is done."""
        self.typed += 1
        self.type(f"{command}\necho done-{self.typed}:$?\n")
        if command == "bgrun wait checks":
            self.screen.shows("running   checks", "running     build ━", "/6] building")
            self.seen.touch()
        self.screen.shows(f"done-{self.typed}:{code}")


def test_a_reader_types_the_tutorial(tmp_path: Path, bgrun_bin: Path, clean_env: dict[str, str]) -> None:
    env = {**clean_env, "PATH": f"{bgrun_bin}:{clean_env['PATH']}", "HISTFILE": "/dev/null"}
    bash = Bash(tmp_path / "project", env)
    bash.screen.shows("ready:")
    for block in blocks(PAGE):
        for command in commands(block):
            bash.enter(command.text.rstrip("\n"), command.code)
            if "bgrun completion bash" in command.text:
                bash.type("bgrun start te\t")
                bash.screen.shows("bgrun start tests")
                bash.type("\x15")
    assert bash.typed > 25
    bash.type("exit\n")
    assert bash.screen.ended() == 0


def test_it_has_every_step() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")] == [
        *STEPS,
        "Where to go from here",
    ]
    assert all(not block.skipped for block in blocks(PAGE))
