"""Fault 15: our output cannot be written: its reader left, the disk is full, the pipe does not block."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOP, without_sandbox

if TYPE_CHECKING:
    from tests.conftest import Cli

FULL = "/dev/full"
PLAIN = [["list"], ["list", "--all", "--json"], ["status", "x"], ["logs", "x"], ["logs", "x", "--raw"], ["wait", "x"]]
MORE = [["report", "x", "--json"], ["latest", "x"], ["follow", "x"], ["--help"], ["--version"], ["schema"], ["jobs"]]
NAMELESS = [["status"], ["wait"], ["logs", "-f"], ["list", "--watch"], ["help"], ["-V"]]
BOTH = [*PLAIN, *MORE, *NAMELESS, ["list", "--lines=1"]]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}


@pytest.fixture
def ran(bg: Cli) -> Cli:
    """A project with a run that has ended well."""
    bg.jobs("jobs: {x: {command: echo fine}}")
    bg("start", "x", "--wait")
    return bg


def unread(bg: Cli, *words: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """Call bgrun with nobody at the other end of its output."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return written(bg, writer, *words, unbuffered=unbuffered)
    finally:
        os.close(writer)


def written(bg: Cli, stdout: int, *words: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    env = {**bg.env, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.run(
        [*bg.command, *words],
        cwd=bg.folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", BOTH, ids=" ".join)
def test_whose_reader_left_ends_quietly(ran: Cli, words: list[str], unbuffered: str) -> None:
    done = unread(ran, *words, unbuffered=unbuffered)
    assert done.returncode == 141
    assert done.stderr.splitlines() == [line for line in done.stderr.splitlines() if line.startswith("succeeded x_")]


@pytest.mark.skipif(not os.path.exists(FULL), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", BOTH, ids=" ".join)
def test_a_full_disk_is_reported_in_one_line(ran: Cli, words: list[str], unbuffered: str) -> None:
    with open(FULL, "wb") as full:
        done = written(ran, full.fileno(), *words, unbuffered=unbuffered)
    assert done.returncode == 2
    reported = [line for line in done.stderr.splitlines() if not line.startswith("succeeded x_")]
    assert reported == ["error: cannot write the output: No space left on device"]


@pytest.mark.parametrize("more", [[], ["-q"], ["--json"], ["--wait"], ["--wait", "--json"]], ids=" ".join)
@pytest.mark.parametrize("full", [False, True])
def test_what_was_started_is_named_all_the_same(ran: Cli, more: list[str], full: bool) -> None:
    if not full:
        done = unread(ran, "start", "x", *more)
    elif not os.path.exists(FULL):
        pytest.skip("no /dev/full here")
    else:
        with open(FULL, "wb") as file:
            done = written(ran, file.fileno(), "start", "x", *more)
    run = ran.json("status", "x")["runs"][0]
    assert done.returncode == (2 if full else 141)
    assert without_sandbox(done.stderr).splitlines()[0] == f"{run['run_id']} was started; only the output failed"
    assert ("cannot write the output" in done.stderr) is full
    assert ran.ended("x")["state"] == "succeeded"


def test_a_wait_that_nobody_reads_names_the_run_before_it_waits(bg: Cli) -> None:
    """Whoever cuts the call off after a minute has the run by then, though the pipe is no terminal."""
    call = [*bg.command, "run", "x", "--wait", "--", "sleep", "300"]
    starting = subprocess.Popen(call, cwd=bg.folder, env={**bg.env, "PYTHONUNBUFFERED": ""}, stdout=subprocess.PIPE)
    assert starting.stdout
    assert starting.stdout.readline().startswith(b"STARTED x_")
    bg("stop", "x")
    assert starting.wait(timeout=20) == 1


@pytest.mark.skipif(not os.path.exists(FULL), reason="no /dev/full here")
def test_messages_that_cannot_be_written_change_no_result(ran: Cli) -> None:
    with open(FULL, "wb") as full:
        for words, code in ((["start", "x"], 0), (["follow", "x"], 0), (["logs", "nosuch"], 2), (["list", "--no"], 2)):
            done = subprocess.run(
                [*ran.command, *words], cwd=ran.folder, env=ran.env, stdout=subprocess.PIPE, stderr=full, check=False
            )
            assert done.returncode == code, words
    assert len(ran.json("list")["runs"]) == 2


def test_a_pipe_that_does_not_block_gets_all_of_it(bg: Cli) -> None:
    """A client may have made its end, and so ours, non-blocking; more than fits in it has to wait for room."""
    bg("run", "x", "--wait", "--", "bash", "-c", "yes 0123456789 | head -c 1000000")
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_NONBLOCK)
    seen = bytearray()

    def read() -> None:
        while data := os.read(reader, 65536):
            seen.extend(data)

    thread = threading.Thread(target=read)
    thread.start()
    done = written(bg, writer, "logs", "x", "--raw", "--since-start")
    os.close(writer)
    thread.join(20)
    os.close(reader)
    assert (done.returncode, done.stderr) == (0, "")
    assert bytes(seen) == (bg.logs / f"{bg.state('x')['run_id']}.log").read_bytes()


@pytest.mark.parametrize("full", [False, True])
def test_the_mcp_server_ends_when_it_cannot_answer(ran: Cli, full: bool) -> None:
    pytest.importorskip("mcp_types")
    if full and not os.path.exists(FULL):
        pytest.skip("no /dev/full here")
    reader, writer = os.pipe()
    os.close(reader)
    stdout = os.open(FULL, os.O_WRONLY) if full else writer
    server = subprocess.Popen(
        [*ran.command, "mcp"], cwd=ran.folder, env=ran.env, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE
    )
    assert server.stdin
    server.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    _, err = server.communicate(timeout=60)  # it loads much
    # A client that leaves is how a server's work ends.
    assert server.returncode == (2 if full else 0)
    assert err.decode() == ("error: cannot write the output: No space left on device\n" if full else "")
    os.close(writer)


def test_a_live_view_whose_terminal_is_gone_says_nothing_of_the_kind(bg: Cli) -> None:
    run = bg.start("x", "exec sleep 300")
    leader, follower = pty.openpty()
    env = {**bg.env, "TERM": "xterm", "PYTHONPATH": str(TOP)}
    following = subprocess.Popen(
        [*bg.command, "status", "x", "--watch"], cwd=bg.folder, env=env, stdout=follower, stderr=subprocess.PIPE
    )
    os.close(follower)
    os.read(leader, 1)
    os.close(leader)
    bg("stop", run["run_id"])
    _, err = following.communicate(timeout=20)
    assert following.returncode == 2
    assert b"Traceback" not in err
    assert err.startswith(b"error: cannot write the output: ")
