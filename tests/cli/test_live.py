"""The live view, on a real terminal of the kernel's, its screen read back by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
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

    def __init__(self, bg: Cli, *words: str, rows: int = 24, columns: int = 100, **more: str) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        env = {key: value for key, value in bg.env.items() if key not in ("LINES", "COLUMNS")}
        env |= {"TERM": "xterm-256color", **more}
        self.seen = b""
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
            data = os.read(self.fd, 65536)
            self.seen += data
            self.stream.feed(data)
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
    text = screen.shows("running both", "running   count ━", "running   idle", "[4/8] on")
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
    wait_until(lambda: project.state("count")["progress"], "it has printed its progress")
    once = Screen(project, "status", "count")
    assert once.ended() == 0
    assert "RUNNING label=count" in once.text()
    assert "━" in once.text()
    live = Screen(project, "status", "count", "--watch")
    live.shows("running count ━")
    (project.folder / "go").touch()
    assert live.ended() == 0
    assert "EXITCODE 0" in live.text()


@pytest.mark.parametrize("word", ["status", "list"])
def test_a_typed_ctrl_c_leaves_no_line_of_the_view(project: Cli, word: str) -> None:
    """The terminal shows it as `^C` after the last line, which may be as wide as the terminal."""
    job = "a" if word == "status" else "a_label_longer_than_the_terminal"
    command = "echo a line that is longer than the terminal is wide; while [ ! -e go ]; do sleep 0.02; done"
    project.jobs(f"jobs: {{{job}: {{command: '{command}'}}}}\n")
    project("start", job)
    screen = Screen(project, word, "--watch", columns=40)
    screen.shows("running")
    wait_until(lambda: len(screen.text().splitlines()[-1]) > 38, "a line as wide as the terminal")
    os.write(screen.fd, b"\x03")
    assert screen.ended() == 130
    assert not any(line.startswith(("running ", "STATE")) for line in screen.text().splitlines()), screen.text()


def test_a_tiny_terminal_shows_what_fits(project: Cli) -> None:
    project("start", "many")
    screen = Screen(project, "status", "many", "--watch", rows=6, columns=40)
    text = screen.shows("running many ", "running   many_1", "10 more: 10 running")
    assert len(text.splitlines()) == 4
    screen_2 = Screen(project, "status", "many", "--watch", rows=3, columns=10)
    screen_2.shows("running ma", "… 12")
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
    past = project.json("start", "idle", "--wait")
    meta = Path(past["meta"])
    meta.write_text(re.sub("duration_s=.*", "duration_s=1000", meta.read_text()))
    (project.folder / "go").unlink()
    project("start", "idle")
    seen = project.state("idle")
    assert 900 < seen["eta_s"] <= 1000
    assert seen["median_s"] == 1000
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
    assert line.startswith("running   a_long_name_of_a_job ━")
    assert line.endswith("…")
    (bg.folder / "go").touch()
    assert screen.ended() == 0


LONG = """
jobs:
  tests: {command: "printf '%0400d' 7; until [ -e go ]; do sleep 0.02; done"}
  lint: {command: "echo [1/2] step; until [ -e go ]; do sleep 0.02; done", progress: ninja}
groups: {both: {jobs: [tests, lint]}}
"""


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_state_label_and_time_never_shrink(bg: Cli, columns: int) -> None:
    bg.jobs(LONG)
    bg("group", "both")
    bg("run", "own", "--", "sh", "-c", "yes x | head -c 4000 | tr -d '\\n'; until [ -e go ]; do sleep 0.02; done")
    screen = Screen(bg, "status", "--watch", columns=columns)
    words = ("50%",) if columns < 60 else ("━", "0…")  # both jobs have printed what they print
    text = screen.shows("running own", "running both", "running   tests", "running   lint", *words)
    lines = [line for line in text.splitlines() if line.startswith("running")]
    assert [line.split()[1] for line in lines] == ["own", "both", "tests", "lint"], "each once, below its group"
    assert all(re.search(r"\d+(\.\d)?s", line) for line in lines)
    assert all(len(line) <= columns for line in lines)
    (tests,) = [line for line in lines if " tests " in line]
    assert tests.endswith("0…") or columns == 40, "what is left of a narrow terminal is for the time left"
    os.kill(screen.pid, signal.SIGINT)
    assert screen.ended() == 130
    (bg.folder / "go").touch()
    bg("wait", code=None)
    bg("wait", "both", "own")


def test_wait_shows_what_it_waits_for(project: Cli) -> None:
    project("start", "count")
    screen = Screen(project, "wait")
    screen.shows("running count ━", "[4/8] on")
    (project.folder / "go").touch()
    assert screen.ended() == 0
    assert screen.text().splitlines()[0].startswith("succeeded count_")


def test_a_dumb_terminal_gets_a_line(project: Cli) -> None:
    run_id = project("start", "idle", "-q").out.strip()
    screens = [Screen(project, *words, TERM="dumb") for words in (["wait"], ["status", "--watch"], ["list", "--watch"])]
    for screen in screens:
        assert screen.shows("waiting") == f"waiting for {run_id}"
    (project.folder / "go").touch()
    assert [screen.ended() for screen in screens] == [0, 0, 0]


def test_no_color_is_respected(project: Cli) -> None:
    project("start", "count")
    for words in (("status",), ("list",), ("status", "count"), ("status", "--watch")):
        plain, colored = (Screen(project, *words, **env) for env in ({"NO_COLOR": "1"}, {}))
        for screen, is_colored in ((plain, False), (colored, True)):
            screen.shows("count")
            if "--watch" in words:
                screen.shows("━")
                os.kill(screen.pid, signal.SIGINT)
            screen.ended()
            assert (b"\x1b[3" in screen.seen) == is_colored, words


def test_list_is_watched_until_all_have_finished(project: Cli) -> None:
    project("run", "old", "--wait", "--", "true")
    first = project("start", "idle", "-q").out.strip()
    screen = Screen(project, "list", "--watch")
    assert re.search(r"succeeded  0     \d+\.\ds", screen.shows(f"{first}  while", "succeeded  0     "))
    project("start", "count", "-q")
    screen.shows("count_", first)
    (project.folder / "go").touch()
    assert screen.ended() == 0
    assert screen.text().count("succeeded") == 3
    assert project("list", "--watch").out == project("list").out


def test_a_stop_that_takes_a_moment_says_what_it_does(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: \"trap '' TERM; echo begun; while [ ! -e go ]; do sleep 0.05; done\"}}\n")
    run_id = bg("start", "x", "-q").out.strip()
    wait_until(lambda: bg("logs", "x").out, "it has begun")
    screen = Screen(bg, "stop", "x")
    assert screen.shows("(skip: --now)") == f"stopping {run_id}; SIGKILL follows after 10s (skip: --now)"
    os.kill(screen.pid, signal.SIGINT)
    screen.shows(f"interrupted; the stop of {run_id} continues in the background")
    assert screen.ended() == 130
    (bg.folder / "go").touch()
    assert bg.ended("x")["state"] == "stopped"


def test_the_end_is_estimated_from_runs_with_equal_arguments(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'sleep {{ n }}; until [ -e go ]; do sleep 0.02; done', params: {n: {}}}}\n")
    (bg.folder / "go").touch()
    bg("start", "x", "0.5", "--wait")
    (bg.folder / "go").unlink()
    bg("start", "x", "0.4")
    seen = bg.state("x")
    assert (seen["median_s"], seen["eta_s"]) == (None, None)
    bg("stop", "x")
    bg("start", "x", "0.5")
    assert 0.5 <= bg.state("x")["median_s"] < 20
    wait_until(lambda: "PROGRESS usually " in bg("status", "x").out, "it takes longer than usual")
    assert bg.state("x")["eta_s"] is None
    (bg.folder / "go").touch()
    bg("wait", "x")


def tmux(folder: Path, *words: str) -> str:
    """Run tmux with a server of its own."""
    program = shutil.which("tmux")
    if not program:
        pytest.skip("no tmux here")
    command = [program, "-S", str(folder / "s"), "-f", "/dev/null", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_another_width_leaves_no_copy_of_the_old_lines(project: Cli, tmp_path: Path) -> None:
    project("group", "both")
    words = shlex.join([*project.command, "wait", "both"])
    own = ("STY", "TMUX", "XTERM_VERSION", "TERM", "LINES", "COLUMNS")
    kept = {key: value for key, value in project.env.items() if key not in own}
    settings = shlex.join(f"{key}={value}" for key, value in kept.items() if key.isidentifier())
    shell = f"cd {shlex.quote(str(project.folder))}; echo above; env -u COLUMNS -u LINES {settings} {words}; cat"
    tmux(tmp_path, "new-session", "-d", "-x", "160", "-y", "24", "sh", "-c", shell)

    def shown() -> list[str]:
        lines = tmux(tmp_path, "capture-pane", "-p", "-S", "-50").splitlines()
        return [line.rstrip() for line in lines if line.strip()]

    def labels() -> list[str]:
        return [" ".join(line.split()[:2]) for line in shown()]

    try:
        for columns in (160, 70, 44, 100):
            tmux(tmp_path, "resize-window", "-x", str(columns), "-y", "24")
            before = shown()
            wait_until(lambda before=before: shown() != before and len(shown()) > 3, "it is drawn again")  # type: ignore[misc]
            wait_until(lambda: labels() == ["above", "running both", "running count", "running idle"], "one copy")
    finally:
        (project.folder / "go").touch()
        tmux(tmp_path, "kill-server")
