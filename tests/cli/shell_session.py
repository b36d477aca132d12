"""A real shell on a terminal of the kernel's, in which a test types and presses Tab."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from typing import TYPE_CHECKING

import pyte

from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

PROMPT = "ready>"
START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
SETTINGS = {
    "bash": f"PS1='{PROMPT} '; bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'; bind 'set page-completions off'; bind 'set completion-query-items 0'; bind 'set enable-bracketed-paste off' 2>/dev/null",
    "zsh": f"PS1='{PROMPT} '; unsetopt beep prompt_sp; LISTMAX=1000",
    "fish": f"function fish_prompt; echo -n '{PROMPT} '; end; set -g fish_autosuggestion_enabled 0; set -g fish_greeting",
}


def program(folder: Path) -> Path:
    """Write a `bgrun` of this checkout, to be found by PATH; return its folder."""
    folder.mkdir(exist_ok=True)
    path = folder / "bgrun"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(TOP)!r})\nfrom bgrun.__main__ import main\nmain()\n"
    )
    path.chmod(0o755)
    return folder


class Session:
    """An interactive shell in the project's folder; `with` it, for it ends there."""

    def __init__(self, kind: str, executable: str, bg: Cli, programs: Path) -> None:
        self.screen = pyte.Screen(160, 50)
        self.stream = pyte.ByteStream(self.screen)
        env = {**bg.env, "PATH": f"{programs}:{bg.env['PATH']}", "TERM": "xterm", "HISTFILE": "/dev/null"}
        env = {name: value for name, value in env.items() if name not in ("LINES", "COLUMNS", "PROMPT_COMMAND")}
        self.kind = kind
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
            os.chdir(bg.folder)
            os.execve(executable, [executable, *START[kind]], env)
        self.send(f"{SETTINGS[kind]}\r")
        self._until(lambda: self.line() == "")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    def send(self, text: str) -> None:
        """Type a text."""
        os.write(self.fd, text.encode())

    def run(self, command: str) -> None:
        """Run a command; wait for the prompt after it."""
        self.send(f"{command}; echo do''ne\r")
        self._until(lambda: "done" in self.text().split() and self.line() == "")
        self.send("\x0c")
        self._until(lambda: self.text().strip() == PROMPT)

    def complete(self, typed: str, until: str) -> str:
        """Type a text and Tab; return the screen once a word stands on it, after the line was cleared again."""
        self.send(f"{typed}\t")
        try:
            self._until(lambda: until in self.text().replace(f"{PROMPT} {typed}\n", ""))
            return self.text()
        finally:
            self.send("\x15")
            self.send("\x0c")
            self._until(lambda: self.text().strip() == PROMPT)

    def until(self, text: str) -> None:
        """Wait until a text stands on the screen."""
        self._until(lambda: text in self.text())

    def text(self) -> str:
        """Read what came; return the lines of the screen that are not empty."""
        while select.select([self.fd], [], [], 0.01)[0]:
            self.stream.feed(os.read(self.fd, 65536))
        return "\n".join(line.rstrip() for line in self.screen.display if line.strip())

    def line(self) -> str | None:
        """Return what stands after the last prompt."""
        _, prompt, rest = self.text().rpartition(PROMPT)
        return rest.strip() if prompt else None

    def _until(self, condition: object) -> None:
        end = time.monotonic() + 60
        while not condition():  # type: ignore[operator]
            assert time.monotonic() < end, f"the screen of {self.kind}:\n{self.text()}"
