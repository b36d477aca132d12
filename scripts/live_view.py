"""Draw docs/assets/live-view.svg: the terminal of a real `bgrun group checks --wait`, caught halfway.

Usage: python scripts/live_view.py [FILE]
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import itertools
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

TOP = Path(__file__).resolve().parent.parent
PICTURE = TOP / "docs" / "assets" / "live-view.svg"
ROWS, COLUMNS = 12, 80
DEADLINE_S = 60.0
COMMAND = ("group", "checks", "--wait")
JOBS = r"""
jobs:
  lint:
    command: echo 'All checks passed!'
  types:
    command: sleep 300 & echo 'bgrun/api/runs.py'; wait
  tests:
    command: |
      for n in $(seq 5 5 55); do
        printf 'test_cart.py .... [%3d%%]\n' "$n"; sleep 0.2
      done
      sleep 300
    progress: pytest
  build:
    command: |
      for n in $(seq 1 34); do printf '[%d/48] CXX engine.o\n' "$n"; sleep 0.05; done
      sleep 300
    progress: ninja
groups:
  checks: {jobs: [lint, types, tests, build]}
"""
WHEN = (" 55%]", "[34/48]", "left")
"""What the screen shows when it is caught."""


def main(words: list[str]) -> int:
    """Draw the picture."""
    target = Path(words[0]) if words else PICTURE
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bgjobs.yaml").write_text(JOBS, encoding="utf-8")
        screen = _screen(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_svg(screen), encoding="utf-8")
    return 0


def _screen(folder: str) -> pyte.Screen:
    """Run the command in a terminal of its own until it shows enough; stop its runs and return the screen."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    pid, fd = pty.fork()
    if pid == 0:
        _bgrun(folder, COMMAND)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    end = time.monotonic() + DEADLINE_S
    try:
        while not all(word in "\n".join(screen.display) for word in WHEN):
            if time.monotonic() > end:
                raise SystemExit("the live view did not show enough:\n" + "\n".join(screen.display))
            if select.select([fd], [], [], 0.1)[0]:
                stream.feed(os.read(fd, 65536))
    finally:
        os.kill(pid, signal.SIGINT)
        _drain(fd)
        os.waitpid(pid, 0)
        stopper = os.fork()
        if stopper == 0:
            _bgrun(folder, ("stop", "--all", "--now", "-q"))
        os.waitpid(stopper, 0)
    return screen


def _bgrun(folder: str, words: tuple[str, ...]) -> None:
    """Become bgrun in a folder."""
    os.chdir(folder)
    time.sleep(0.2)  # until the terminal has its size
    env = {key: value for key, value in os.environ.items() if key not in ("LINES", "COLUMNS", "NO_COLOR")}
    env |= {"TERM": "xterm-256color", "PYTHONPATH": str(TOP)}
    os.execve(sys.executable, [sys.executable, "-m", "bgrun", *words], env)


def _drain(fd: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(fd, 65536):
            pass
    os.close(fd)


def _svg(screen: pyte.Screen) -> str:
    """Return a screen as a picture that loads nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ bgrun {' '.join(COMMAND)}"))
    for row in range(ROWS):
        if screen.display[row].strip():
            console.print(_line(screen, row), no_wrap=True)
    svg = console.export_svg(title="bgrun")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def _line(screen: pyte.Screen, row: int) -> Text:
    line = Text()
    cells = [screen.buffer[row][column] for column in range(COLUMNS)]
    for color, same in itertools.groupby(cells, lambda cell: cell.fg):
        style = Style(color=None if color == "default" else color.replace("brown", "yellow"))
        line.append("".join(cell.data for cell in same), style)
    line.rstrip()
    return line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
