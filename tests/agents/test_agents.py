"""Real coding agents with a scripted model: what they do with the files of `bgrun init` alone.

The table of docs/how-to/use-with-agents.md is made from what is seen here: `BGRUN_TEST_UPDATE=1` writes it anew.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import surroundings
from tests.agents.drivers import AGENTS, drive, version
from tests.agents.model import Step
from tests.conftest import TOP

if TYPE_CHECKING:
    from tests.conftest import Cli

PAGE = TOP / "docs" / "how-to" / "use-with-agents.md"
HEAD = "| client | version | instructions | MCP: list, start, result | hook |"
JOBS = """\
jobs:
  suite: {command: "echo a.c:3:1: error: no; exit 2", problems: [gcc]}
  make_all: {command: make all}
  slow: {command: "sleep 1; exit 2"}
"""


def programs(name: str) -> Path:
    """Return the folder of the agents' programs, which has this one; else the test is skipped, or fails if required."""
    folder = surroundings.setting("BGRUN_AGENTS")
    found = Path(folder).resolve() / "node_modules" / ".bin"
    if not folder or not (found / name).exists():
        reported = f"{AGENTS[name].title} is not installed: scripts/install_agents.sh FOLDER, and BGRUN_AGENTS=FOLDER"
        pytest.fail(reported) if name in surroundings.setting("BGRUN_REQUIRE_AGENTS").split() else pytest.skip(reported)
    return found


def set_up(bg: Cli, bgrun: Path, name: str) -> None:
    """Make a project with jobs, and what `init` writes for one agent."""
    bg.jobs(JOBS)
    (bg.folder / "Makefile").write_text("all:\n\t@echo made it\n")
    subprocess.run(["git", "init", "-q"], cwd=bg.folder, check=True)
    flags = ["--agents", "--skill", "--mcp", name, "--hook", name, *(["--permissions"] if name == "claude" else [])]
    subprocess.run([bgrun, "init", "-q", *flags], cwd=bg.folder, env=bg.env, check=True)


def row(name: str, installed: str) -> str:
    """Return the row of an agent in the table, once everything in it was seen."""
    return f"| {AGENTS[name].title} | {installed} | yes | yes | yes |"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", AGENTS)
def test_what_init_writes_is_all_that_an_agent_needs(bg: Cli, project_venv: Path, tmp_path: Path, name: str) -> None:
    agent, found_in = AGENTS[name], programs(name)
    set_up(bg, project_venv, name)
    steps = [
        Step("bgrun_list", {}),
        Step("bgrun_start", {"job": "suite", "wait_s": 40}),
        agent.in_shell("timeout 600 make all 2>&1 | tail -3"),
        agent.in_shell("make --version"),
    ]
    script = drive(agent, found_in, tmp_path / "agent", bg.folder, steps)
    listed, started, refused, passed = script.answers
    assert "Long commands: use bgrun" in script.first_request, "it has read AGENTS.md"
    assert "make_all" in listed
    assert "a.c" in started
    assert "failed" in started
    assert "make_all is a declared job" in refused
    assert "start make_all --wait" in refused
    assert "made it" not in refused
    assert "GNU Make" in passed
    assert [run["label"] for run in bg.json("list")["runs"]] == ["suite"]
    _check_page(row(name, version(agent, found_in)))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", AGENTS)
def test_a_job_file_is_broken_and_mended(bg: Cli, project_venv: Path, tmp_path: Path, name: str) -> None:
    agent, found_in = AGENTS[name], programs(name)
    set_up(bg, project_venv, name)
    steps = [
        agent.in_shell("mv bgjobs.yaml kept && echo 'jobs: {suite: {comand: x}}' > bgjobs.yaml"),
        Step("bgrun_start", {"job": "suite", "wait_s": 40}),
        agent.in_shell("make all"),
        agent.in_shell("mv kept bgjobs.yaml"),
        Step("bgrun_start", {"job": "sweet"}),
        Step("bgrun_start", {"job": "suite", "wait_s": 40}),
    ]
    answers = drive(agent, found_in, tmp_path / "agent", bg.folder, steps).answers
    assert "bgjobs.yaml:1:" in answers[1]
    assert "made it" in answers[2], "the hook refuses nothing while the job file has errors"
    assert "suite" in answers[4], "an unknown name is answered with valid ones"
    assert "failed" in answers[5]


@pytest.mark.timeout(240)
def test_a_wait_in_the_background_wakes_claude(bg: Cli, project_venv: Path, tmp_path: Path) -> None:
    agent, found_in = AGENTS["claude"], programs("claude")
    set_up(bg, project_venv, "claude")
    wait = {"command": ".venv/bin/bgrun wait slow", "description": "wait", "run_in_background": True}
    at_work = agent.in_shell("make --version")._replace(until="<status>")
    steps = [Step("bgrun_start", {"job": "slow", "wait_s": 0}), Step("Bash", wait), at_work]
    script = drive(agent, found_in, tmp_path / "agent", bg.folder, steps)
    assert "running" in script.answers[0]
    assert "failed with exit code 1" in script.last_request


def _check_page(seen: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("BGRUN_TEST_UPDATE"):
        title = seen.split("|")[1]
        lines = [seen if line.split("|")[1:2] == [title] else line for line in text.split("\n")]
        PAGE.write_text("\n".join(lines), encoding="utf-8")
        return
    assert seen in text.split("\n"), f"{PAGE.name} says otherwise: BGRUN_TEST_UPDATE=1 writes it anew"


def test_the_table_is_of_the_pinned_versions() -> None:
    """Held without the agents, too: whoever pins another version has to run them."""
    pinned = json.loads((Path(__file__).parent / "package.json").read_text())["dependencies"]
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    assert HEAD in lines
    wanted = [row(name, pinned[agent.package]) for name, agent in AGENTS.items()]
    at = lines.index(HEAD) + 2
    assert lines[at : at + len(wanted)] == wanted
