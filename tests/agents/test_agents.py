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
"""


def programs() -> Path:
    """Return the folder of the agents' programs; without the setting these tests are skipped."""
    folder = surroundings.setting("BGRUN_AGENTS")
    if not folder:
        pytest.skip("BGRUN_AGENTS names no folder of scripts/install_agents.sh")
    return Path(folder).resolve() / "node_modules" / ".bin"


def row(name: str, installed: str) -> str:
    """Return the row of an agent in the table, once everything in it was seen."""
    return f"| {AGENTS[name].title} | {installed} | yes | yes | yes |"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", AGENTS)
def test_what_init_writes_is_all_that_an_agent_needs(bg: Cli, project_venv: Path, tmp_path: Path, name: str) -> None:
    agent, found_in = AGENTS[name], programs()
    if not (found_in / name).exists():
        required = name in surroundings.setting("BGRUN_REQUIRE_AGENTS").split()
        reported = f"{agent.title} is not installed: scripts/install_agents.sh FOLDER {agent.package}"
        pytest.fail(reported) if required else pytest.skip(reported)
    bg.jobs(JOBS)
    (bg.folder / "Makefile").write_text("all:\n\t@echo made it\n")
    subprocess.run(["git", "init", "-q"], cwd=bg.folder, check=True)
    flags = ["--agents", "--skill", "--mcp", name, "--hook", name, *(["--permissions"] if name == "claude" else [])]
    subprocess.run([project_venv, "init", "-q", *flags], cwd=bg.folder, env=bg.env, check=True)
    steps = [
        Step("bgrun_list", {}),
        Step("bgrun_start", {"job": "suite", "wait_s": 40}),
        agent.in_shell("timeout 600 make all 2>&1 | tail -3"),
        agent.in_shell("make --version"),
    ]
    home = tmp_path / "agent"
    home.mkdir()
    script = drive(agent, found_in, home, bg.folder, steps)
    listed, started, refused, passed = script.answers
    assert "Long commands: use bgrun" in script.system, "AGENTS.md is in the first request"
    assert "make_all" in listed
    assert "a.c" in started
    assert "failed" in started
    assert "make_all is a declared job" in refused
    assert "start make_all --wait" in refused
    assert "made it" not in refused
    assert "GNU Make" in passed
    assert [run["label"] for run in bg.json("list")["runs"]] == ["suite"]
    _check_page(row(name, version(agent, found_in)))


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
