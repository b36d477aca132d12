"""A call that is repeated after a cancel, or by another client, joins the run instead of starting it twice."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import stdio_client

from tests.conftest import wait_until, without_sandbox
from tests.mcp.test_server import Agent, Raw, result_of, run_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Cli

HELD = "while [ ! -e .logs/go ]; do sleep 0.02; done"
JOBS = f"""
jobs:
  slow: {{command: "{HELD}", params: {{n: {{default: "0"}}}}}}
  first: {{command: "{HELD}"}}
  after: {{command: "true", depends_on: [first]}}
  cells: {{command: "{HELD}", matrix: {{n: [1, 2]}}}}
  said: {{command: "{HELD}", concurrency: {{when_busy: join}}}}
  hidden: {{command: "{HELD}", secrets: [HOME]}}
groups: {{all: {{jobs: [slow, first]}}}}
"""
JOINED = "joined: it was already running with the same args on the same files"
NOT_JOINED = "not joined, since args or files may differ: "


@pytest.fixture
def project(bg: Cli) -> Iterator[Cli]:
    bg.jobs(JOBS)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(bg.folder)]
    for words in (["init", "-q"], ["add", "bgjobs.yaml"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env=bg.env)
    bg("prune")  # makes the log directory, whose own directory changes with that
    yield bg
    (bg.folder / ".logs" / "go").touch()
    bg("wait", "--timeout", "20s", code=None)
    assert not [run for run in bg.json("list", "--all")["runs"] if run["state"] in ("queued", "running")]


def start(job: str, **given: Any) -> dict[str, Any]:
    return {"name": "bgrun_start", "arguments": {"job": job, "wait_s": 0, **given}}


def labels(bg: Cli) -> list[str]:
    return sorted(run["label"] for run in bg.json("list", "--all")["runs"])


def test_after_a_cancel_and_a_dead_client(project: Cli, bgrun_bin: Path) -> None:
    server = Raw(project, bgrun_bin)
    server.ask("tools/call", start("slow", wait_s=40), number=5)
    (run,) = wait_until(lambda: project.json("list")["runs"], "the job runs")
    server.write(b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}\n')
    server.ask("tools/call", start("slow"), number=6)
    said = without_sandbox(server.answer(6)["result"]["content"][0]["text"]).splitlines()
    assert (said[0], run_in("\n".join(said))) == (JOINED, run["run_id"])
    server.ask("tools/call", start("slow", wait_s=40), number=7)
    server.process.kill()
    server.process.wait(30)
    again = Agent(project, bgrun_bin).call("bgrun_start", job="slow", wait_s=0)
    assert again.startswith(JOINED)
    assert run_in(again) == run["run_id"]
    assert labels(project) == ["slow"]


def test_only_what_does_the_same_is_joined(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        async def begin(**given: Any) -> str:
            return await result_of(client, "bgrun_start", job="slow", wait_s=0, **given)

        first = run_in(await begin())
        other = await begin(args=["n=1"])
        assert other.startswith(f"not joined, since args or files may differ: {first} (running)\nrunning slow_")
        (project.folder / "new.py").touch()
        changed = await begin()
        assert changed.startswith("not joined, since args or files may differ: ")
        assert first in changed
        assert run_in(changed) not in (first, run_in(other))
        again = await begin(again=True)
        assert again.startswith("running slow_")
        assert run_in(again) not in (first, run_in(changed))
        assert run_in(await begin()) in (run_in(changed), run_in(again))
        await result_of(client, "bgrun_stop", run="slow")
        assert (await begin()).startswith("running slow_"), "what was stopped is not joined"

    Agent(project, bgrun_bin).run(work)


PLAIN = {
    "slow": ["start", "slow"],
    "group:all": ["group", "all"],
    "cells": ["start", "cells"],
    "after": ["start", "after"],
    "said": ["start", "said"],
}


def test_a_run_of_the_command_line_is_joined(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        for job, words in PLAIN.items():
            project.json(*words)
            runs = labels(project)
            said = await result_of(client, "bgrun_start", job=job, wait_s=0)
            assert said.startswith(JOINED), job
            assert labels(project) == runs
            project("stop", "--all")

    Agent(project, bgrun_bin).run(work)


def _rewrite(bg: Cli) -> None:
    """Change a file and change it back: git sees no difference, the run may have read either."""
    text = (bg.folder / "kept.txt").read_text()
    (bg.folder / "kept.txt").write_text("other")
    (bg.folder / "kept.txt").write_text(text)


def _commit(bg: Cli) -> None:
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(bg.folder)]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "y"], check=True, env=bg.env)


def _stage(bg: Cli) -> None:
    subprocess.run(["git", "-C", str(bg.folder), "add", "spare.txt"], check=True, env=bg.env)


def _add_a_repository(bg: Cli) -> None:
    """Of the files in there git says nothing."""
    subprocess.run(["git", "init", "-q", str(bg.folder / "inner")], check=True, env=bg.env)
    (bg.folder / "inner" / "x").touch()


CHANGES: dict[str, Callable[[Cli], Any]] = {
    "written": lambda bg: (bg.folder / "kept.txt").write_text("other"),
    "written with an old time": lambda bg: os.utime(bg.folder / "kept.txt", (1, 1)),
    "changed back": _rewrite,
    "new": lambda bg: (bg.folder / "deep").joinpath("new.txt").touch(),
    "removed": lambda bg: (bg.folder / "kept.txt").unlink(),
    "removed, and not tracked": lambda bg: (bg.folder / "spare.txt").unlink(),
    "renamed, and not tracked": lambda bg: (bg.folder / "spare.txt").rename(bg.folder / "deep" / "spare.txt"),
    "staged": _stage,
    "committed": _commit,
    "a repository inside": _add_a_repository,
}


@pytest.mark.parametrize("by", ["command line", "server"])
def test_a_run_of_other_files_is_never_joined(project: Cli, bgrun_bin: Path, by: str) -> None:
    top = project.folder

    async def work(client: Client) -> None:
        for change, make in CHANGES.items():
            (top / "deep").mkdir(exist_ok=True)
            for name in ("kept.txt", "spare.txt", "deep/kept.txt"):
                (top / name).write_text(name)
            subprocess.run(["git", "-C", str(top), "add", "kept.txt", "deep"], check=True, env=project.env)
            _commit(project)
            if by == "server":
                run = run_in(await result_of(client, "bgrun_start", job="slow", wait_s=0))
            else:
                run = project.json("start", "slow")["run_id"]
            make(project)
            said = await result_of(client, "bgrun_start", job="slow", wait_s=0)
            assert said.startswith(f"{NOT_JOINED}{run} "), change
            project("stop", "--all")
            for name in ("spare.txt", "deep/spare.txt", "deep/new.txt"):
                (top / name).unlink(missing_ok=True)
            subprocess.run(["git", "-C", str(top), "reset", "-q"], check=True, env=project.env)

    Agent(project, bgrun_bin).run(work)


OTHER = {
    "slow": ["start", "slow", "n=1"],
    "first": ["rerun", "first"],
    "group:all": ["group", "all", "--fail-fast"],
    "hidden": ["start", "hidden"],
}


def test_a_run_of_other_work_is_never_joined(project: Cli, bgrun_bin: Path) -> None:
    """Other parameters, a recorded script, other bounds, a secret that may differ."""
    project("start", "first")
    project("stop", "first")

    async def work(client: Client) -> None:
        for job, words in OTHER.items():
            run = project.json(*words)["run_id"]
            said = await result_of(client, "bgrun_start", job=job, wait_s=0)
            assert said.startswith(f"{NOT_JOINED}{run} "), job
            project("stop", "--all")

    Agent(project, bgrun_bin).run(work)


@pytest.mark.parametrize("by", ["command line", "server"])
def test_a_run_of_another_job_file_is_never_joined(project: Cli, bgrun_bin: Path, by: str) -> None:
    """One that git ignores: it is no file of the work tree, and what it says need not be in the script."""
    (project.folder / ".git" / "info" / "exclude").write_text("bgjobs.yaml\n")
    (project.folder / "kept.txt").touch()
    for words in (["rm", "-q", "--cached", "bgjobs.yaml"], ["add", "kept.txt"]):
        subprocess.run(["git", "-C", str(project.folder), *words], check=True, env=project.env)
    _commit(project)

    async def work(client: Client) -> None:
        for more in ("success_exit_codes: [0, 3]", "timeout: 9m", "log: {max_size: 9MB}"):
            project.jobs(JOBS)
            if by == "server":
                run = run_in(await result_of(client, "bgrun_start", job="first", wait_s=0))
            else:
                run = project.json("start", "first")["run_id"]
            assert (await result_of(client, "bgrun_start", job="first", wait_s=0)).startswith(JOINED)
            project.jobs(JOBS.replace("first: {", f"first: {{{more}, "))
            said = await result_of(client, "bgrun_start", job="first", wait_s=0)
            assert said.startswith(f"{NOT_JOINED}{run} "), more
            project("stop", "--all")

    Agent(project, bgrun_bin).run(work)


def test_files_that_git_ignores_do_not_count(project: Cli, bgrun_bin: Path) -> None:
    """What a job writes beside them may keep a run of the command line from being joined, but none of a server."""
    (project.folder / ".git" / "info" / "exclude").write_text("cache/\n")

    async def work(client: Client) -> None:
        async def begin() -> str:
            return await result_of(client, "bgrun_start", job="slow", wait_s=0)

        first = await begin()
        (project.folder / "cache").mkdir()
        (project.folder / "cache" / "x").touch()
        assert (await begin()).startswith(JOINED)
        project("stop", run_in(first))
        run = project.json("start", "slow")["run_id"]
        (project.folder / "cache" / "x").write_text("other")
        assert (await begin()).startswith(JOINED)
        (project.folder / "beside").mkdir()
        assert (await begin()).startswith(f"{NOT_JOINED}{run} ")

    Agent(project, bgrun_bin).run(work)


@pytest.mark.parametrize(("job", "is_joined"), [("slow", False), ("group:all", False), ("said", True)])
def test_outside_a_repository_only_what_declares_it_is_joined(
    project: Cli, bgrun_bin: Path, job: str, is_joined: bool
) -> None:
    """Nothing tells there whether files have changed since the run began."""
    (project.folder / ".git").rename(project.folder / "no_repository")
    agent = Agent(project, bgrun_bin)
    first, again = (agent.call("bgrun_start", job=job, wait_s=0) for _ in range(2))
    assert again.startswith(JOINED) is is_joined
    assert (run_in(again) == run_in(first)) is is_joined


@pytest.mark.parametrize("job", ["group:all", "cells", "after", "said"])
def test_every_kind_of_start(project: Cli, bgrun_bin: Path, job: str) -> None:
    async def work(client: Client) -> None:
        first = await result_of(client, "bgrun_start", job=job, wait_s=0)
        runs = labels(project)
        again = await result_of(client, "bgrun_start", job=job, wait_s=0)
        assert not first.startswith(JOINED)
        assert again.startswith(JOINED)
        assert run_in(again) == run_in(first)
        assert labels(project) == runs

    Agent(project, bgrun_bin).run(work)


def test_two_servers_at_once_start_one_run(project: Cli, bgrun_bin: Path) -> None:
    runs: set[str] = set()

    async def work(client: Client) -> None:
        async with Client(stdio_client(Agent(project, bgrun_bin).server)) as other, anyio.create_task_group() as tasks:

            async def one(of: Client) -> None:
                runs.add(run_in(await result_of(of, "bgrun_start", job="slow", wait_s=0)))

            for of in (client, other) * 3:
                tasks.start_soon(one, of)

    Agent(project, bgrun_bin).run(work)
    assert len(runs) == 1
    assert labels(project) == ["slow"]
