"""Starts that may join a run, of jobs with services: which run they join, and which ports they get."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli

JOBS = """
services:
  web: {command: exec sleep 60, ready: {delay: 0.1s}}
  server: {command: exec sleep 60, port: auto, ready: {delay: 0.1s}}
jobs:
  e2e: {command: exec sleep 60, depends_on: [web]}
"""
START = """
import os, sys
from bgrun import api
found = api.joining.start_job(api.locate(os.getcwd()), [sys.argv[1]], again="again" in sys.argv)
print(found.run.run_id, found.joined, found.run.port)
"""


@pytest.fixture
def project(bg: Cli) -> Iterator[Cli]:
    bg.jobs(JOBS)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(bg.folder)]
    for words in (["init", "-q"], ["add", "bgjobs.yaml"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env=bg.env)
    bg("prune")  # makes the log directory, whose own directory changes with that
    yield bg
    bg("stop", "--all", "--now", code=None)


def begin(bg: Cli, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", START, *words]
    return subprocess.Popen(command, cwd=bg.folder, env=bg.env, stdout=subprocess.PIPE, text=True)


def test_the_run_of_a_job_is_joined_though_its_service_was_started_since(project: Cli) -> None:
    """The start would use that service, and its plan has fewer runs than the one that it joins."""
    first = begin(project, "e2e").communicate()[0].split()
    project("start", "web", "--wait", "-q")
    assert begin(project, "e2e").communicate()[0].split() == [first[0], "True", "None"]
    assert first[0].startswith("e2e_")


def test_starts_at_the_same_moment_have_each_a_port_of_their_own(project: Cli) -> None:
    several = [begin(project, "server", "again") for _ in range(4)]
    found = [one.communicate()[0].split() for one in several]
    assert [one.returncode for one in several] == [0] * 4
    assert len({port for _, _, port in found}) == 4
