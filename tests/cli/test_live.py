"""The live view, on a real terminal of the kernel's, its screen read back by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from typing import TYPE_CHECKING

import pyte
import pytest

from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli

JOBS = r"""
jobs:
  count:
    command: |
      for i in 1 2 3 4; do echo "[$i/8] step"; done; printf '\033[31mred \033]0;title\007and wide 漢字 end\n[4/8] on'
      while [ ! -e go ]; do sleep 0.02; done
    progress: ninja
  idle: {command: "while [ ! -e go ]; do sleep 0.02; done"}
  many: {command: "while [ ! -e go ]; do sleep 0.1; done", matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}}
groups: {both: {jobs: [count, idle]}}
"""


class Screen:
    """A command on a terminal of its own, and what stands on its screen."""

    def __init__(self, bg: Cli, *words: str, rows: int = 24, columns: int = 100) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        env = {key: value for key, value in bg.env.items() if key not in ("LINES", "COLUMNS")}
        env["TERM"] = "xterm-256color"
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.chdir(bg.folder)
            os.execvpe(bg.command[0], [*bg.command, *words], env)
        self.code: int | None = None

    def text(self) -> str:
        """Read what came, and return the lines that are not empty."""
        while self.code is None and select.select([self.fd], [], [], 0.05)[0]:
            self._read()
        return "\n".join(line.rstrip() for line in self.screen.display if line.strip())

    def _read(self) -> None:
        try:
            self.stream.feed(os.read(self.fd, 65536))
        except OSError:  # the other side was closed
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def shows(self, *words: str) -> str:
        """Return the screen once it shows all of these."""
        end = time.monotonic() + 20
        while not all(word in (text := self.text()) for word in words):
            assert time.monotonic() < end, f"{words} not on the screen:\n{text}"
        return text

    def ended(self) -> int:
        wait_until(lambda: self.text() is not None and self.code is not None, "the command ends")
        assert self.code is not None
        return self.code


@pytest.fixture
def project(bg: Cli) -> Iterator[Cli]:
    bg.jobs(JOBS)
    yield bg
    (bg.folder / "go").touch()
    for run in bg.json("list", "--all")["runs"]:
        bg.ended(run["run_id"])


def test_a_group_that_is_waited_for(project: Cli) -> None:
    screen = Screen(project, "group", "both", "--wait")
    text = screen.shows("running count ━", "running idle", "[4/8] on")
    assert "STARTED both_" in text
    (project.folder / "go").touch()
    assert screen.ended() == 0
    assert "━" not in screen.text(), "the view is gone, the verdicts stay"
    assert "succeeded count_" in screen.text()


def test_following_scrolls_above_the_view(project: Cli) -> None:
    project("start", "count")
    screen = Screen(project, "follow", "count")
    text = screen.shows("[3/8] step", "red and wide 漢", "running count ━")
    assert "title" not in text
    os.kill(screen.pid, signal.SIGINT)
    assert screen.ended() == 130
    assert project.state("count")["state"] == "running"


def test_status_returns_and_watch_stays(project: Cli) -> None:
    project("start", "count")
    once = Screen(project, "status", "count")
    assert once.ended() == 0
    assert "RUNNING label=count" in once.text()
    assert "━" in once.text()
    live = Screen(project, "status", "count", "--watch")
    live.shows("running count ━")
    (project.folder / "go").touch()
    assert live.ended() == 0
    assert "EXITCODE 0" in live.text()


def test_a_tiny_terminal_shows_what_fits(project: Cli) -> None:
    project("start", "many")
    screen = Screen(project, "status", "many", "--watch", rows=6, columns=40)
    text = screen.shows("running many_1", "9 more: 9 running")
    assert len(text.splitlines()) == 4
    screen_2 = Screen(project, "status", "many", "--watch", rows=3, columns=10)
    screen_2.shows("many_1", "11")
    os.kill(screen_2.pid, signal.SIGINT)
    assert screen_2.ended() == 130
    (project.folder / "go").touch()
    assert screen.ended() == 0


def test_no_live_view_where_nobody_looks(project: Cli) -> None:
    project("start", "count")
    wait_until(lambda: "PROGRESS 50% (4/8)" in project("status", "count").out, "plain words tell the progress")
    assert "━" not in project("status", "count").out
    seen = project.state("count")
    assert seen["progress"] == {"fraction": 0.5, "done": 4, "total": 8}
    assert seen["median_s"] is None
    (project.folder / "go").touch()
    assert project("status", "count", "--watch").out.startswith("NOT RUNNING")


def test_what_past_runs_took_gives_the_end(project: Cli) -> None:
    (project.folder / "go").touch()
    project("start", "idle", "--wait")
    (project.folder / "go").unlink()
    project("start", "idle")
    seen = project.state("idle")
    assert seen["eta_s"] is not None
    assert seen["median_s"] > 0
    assert "left" in project("status", "idle").out


def test_at_80_columns_only_the_last_line_of_a_log_is_shortened(bg: Cli) -> None:
    bg.jobs(
        "jobs:\n"
        "  a_long_name_of_a_job: {command: \"echo '[1/2] step'; echo '[1/2] %s end'; "
        'while [ ! -e go ]; do sleep 0.02; done", progress: ninja}\n'
        % ("x" * 100)
        + "groups: {both: {jobs: [a_long_name_of_a_job]}}\n"
    )
    bg("group", "both")
    screen = Screen(bg, "status", "--watch", columns=80)
    screen.shows("[1/2] xxx")
    (line,) = [line for line in screen.text().splitlines() if "━" in line]
    assert line.startswith("running a_long_name_of_a_job ━")
    assert line.endswith("…")
    (bg.folder / "go").touch()
    assert screen.ended() == 0
