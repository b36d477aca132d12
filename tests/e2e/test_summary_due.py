"""A caller with a timeout gets its summary in time, and a later look completes it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from bgrun import api
from bgrun.mcp import server, tools
from tests.conftest import Cli

FIRST, LAST = "a.c:1:1: error: first", "b.c:2:2: error: last"
JOBS = f"""
jobs:
  long:
    command: |
      echo '{FIRST}'
      head -c 1200000 /dev/zero | tr '\\0' 'y' | fold -w 100
      echo; echo '{LAST}'
      exit 3
"""


HURRIED = "from bgrun import api; from bgrun.__main__ import main; api.stop.SUMMARY_S = -1e9; main()"
"""A bgrun for which each timeout has long passed when it comes to a summary."""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    return bg


def has_kept(cli: Cli) -> bool:
    return any(cli.logs.glob("jobs/*.digest.json"))


def test_a_summary_in_a_hurry_is_not_kept_and_the_next_one_completes_it(project: Cli) -> None:
    project("start", "long", "--wait", "-q", code=1)
    found = api.locate(str(project.folder), None)
    (run,) = api.references.meant(found, ["long"])
    hurried = api.insight.whole_digest(found, run, until=0.0)
    assert ([one.file for one in hurried.problems], hurried.comparison, has_kept(project)) == (["b.c"], None, False)
    whole = api.insight.whole_digest(found, run)
    assert ([one.file for one in whole.problems], whole.note, has_kept(project)) == (["a.c", "b.c"], None, True)
    assert api.insight.whole_digest(found, run, until=0.0) == whole


@pytest.mark.parametrize(
    ("words", "more", "first", "last"),
    [
        (("wait", "long", "-t", "20s"), (), "a.c:1: first", "b.c:2: last"),
        (("start", "long", "-t", "20s"), ("--json",), '"file": "a.c"', '"file": "b.c"'),
    ],
)
def test_a_wait_with_a_timeout_says_what_it_left_out(
    project: Cli, words: tuple[str, ...], more: tuple[str, ...], first: str, last: str
) -> None:
    project("start", "long", "--wait", "-q", code=1)
    hurried = Cli(project.folder, [sys.executable, "-c", HURRIED], project.env)
    out = hurried(*words, *more, code=1).out
    assert "1 MiB in the middle of the log was not searched; for more of it: 'bgrun report long_" in out
    assert (last in out, first in out, has_kept(project)) == (True, False, False)
    whole = hurried(words[0], "long", *(["--wait"] if words[0] == "start" else []), *more, code=1).out
    assert ("in the middle" in whole, last in whole, first in whole) == (False, True, True)


def test_so_does_an_agent(project: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    project("start", "long", "--wait", "-q", code=1)
    monkeypatch.setattr(api.stop, "SUMMARY_S", -1e9)
    calls = server.Calls(api.locate(str(project.folder), None), tools.ServerOptions())
    asks = SimpleNamespace(session=SimpleNamespace(client_params=None), meta=None)
    lines = anyio.run(calls._wait, server.Waiting(cast("Any", asks), calls.settings), ["long"])
    assert (lines[1].startswith("b.c:2"), has_kept(project)) == (True, False)
    assert lines[-1].startswith("(1 MiB in the middle of the log was not searched; ")
