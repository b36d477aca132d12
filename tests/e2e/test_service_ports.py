"""Many worktrees at once, each with services of its own: no two of them ever share a port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bgrun.system import ports
from tests.conftest import Cli, wait_until

TREES, NAMES = 20, ("web", "db", "queue")
SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""
JOBS = """
services:
  web: {command: &serve 'exec %s -S serve.py "$PORT"', port: auto, ready: &ready {port: true, timeout: 100s}, depends_on: [db]}
  db: {command: *serve, port: auto, ready: *ready}
  queue: {command: *serve, port: auto, ready: *ready}
jobs:
  all: {command: "test -e ../go", depends_on: [web, db, queue], retry: {max: 100, backoff: 1s}}
"""


@pytest.mark.timeout(400)  # it starts 160 processes, and each of these waits has a deadline of its own
def test_worktrees_at_once_have_different_ports(bg: Cli, tmp_path: Path) -> None:
    trees = [tmp_path / f"tree{number}" for number in range(TREES)]
    for tree in trees:
        tree.mkdir()
        (tree / "serve.py").write_text(SERVER)
        (tree / "bgjobs.yaml").write_text(JOBS % sys.executable)
    started = [
        subprocess.Popen([*bg.command, "start", "all", "-q"], cwd=tree, env=bg.env, stdout=subprocess.DEVNULL)
        for tree in trees
    ]
    assert [one.wait(timeout=60) for one in started] == [0] * TREES
    of_tree = [Cli(tree, bg.command, bg.env) for tree in trees]
    wait_until(lambda: all(one.state("all")["state"] != "queued" for one in of_tree), "all services ready", 100.0)
    (tmp_path / "go").touch()
    taken = []
    for one in of_tree:
        assert one.ended("all", "100s")["state"] == "succeeded"
        one("wait", "plan_all", "--timeout", "100s")
        runs = {run["label"]: run for run in one.json("list")["runs"]}
        assert all(runs[name]["ready_at"] and runs[name]["state"] == "stopped" for name in NAMES), runs
        taken += [runs[name]["port"] for name in NAMES]
    assert len(set(taken)) == len(taken) == TREES * len(NAMES)
    assert all(map(ports.is_free, taken))
