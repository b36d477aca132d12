"""Real coding agents with a scripted model: what they do with the files of `bgrun init` alone.

The table of docs/how-to/use-with-agents.md is made from what is seen here: `BGRUN_TEST_UPDATE=1` writes it anew.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import surroundings
from tests.agents.drivers import AGENTS, Driven, drive, version
from tests.agents.model import Step
from tests.conftest import TOP, wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli

PAGE = TOP / "docs" / "how-to" / "use-with-agents.md"
COLUMNS = (
    "client",
    "version",
    "instructions",
    "list, start, result",
    "hook",
    "longer than a call may last",
    "canceled, killed",
    "two at once",
    "job file broken",
)
HEAD = f"| {' | '.join(COLUMNS)} |"
JOBS = """\
jobs:
  suite: {command: "echo a.c:3:1: error: no; exit 2", problems: [gcc]}
  make_all: {command: make all}
  slow: {command: "sleep 4; exit 2"}
  held: {command: "while [ ! -e .logs/go ]; do sleep 0.05; done; exit 3"}
"""
JOINED = "joined: it was already running"
LIMIT_S = 4


def programs(name: str) -> Path:
    """Return the folder of the agents' programs, which has this one; else the test is skipped, or fails if required."""
    folder = surroundings.setting("BGRUN_AGENTS")
    found = Path(folder).resolve() / "node_modules" / ".bin"
    if not folder or not (found / name).exists():
        reported = f"{AGENTS[name].title} is not installed: scripts/install_agents.sh FOLDER, and BGRUN_AGENTS=FOLDER"
        pytest.fail(reported) if name in surroundings.setting("BGRUN_REQUIRE_AGENTS").split() else pytest.skip(reported)
    return found


def set_up(bg: Cli, bgrun: Path, *names: str) -> None:
    """Make a project with jobs, and what `init` writes for some agents."""
    bg.jobs(JOBS)
    (bg.folder / "Makefile").write_text("all:\n\t@echo made it\n")
    for name in names:
        flags = ["--agents", "--skill", "--mcp", name, "--hook", name, *(["--permissions"] if name == "claude" else [])]
        subprocess.run([bgrun, "init", "-q", *flags], cwd=bg.folder, env=bg.env, check=True)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    (bg.folder / ".gitignore").write_text(".venv\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=bg.folder, check=True)


def runs(bg: Cli) -> list[str]:
    return [run["label"] for run in bg.json("list")["runs"]]


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
    assert runs(bg) == ["suite"]
    seen(name, "version", version(agent, found_in))
    for column in COLUMNS[2:5]:
        seen(name, column)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", AGENTS)
def test_a_job_outlasts_what_a_client_allows(bg: Cli, project_venv: Path, tmp_path: Path, name: str) -> None:
    """Its call is cut off; repeated, it finds the same run, and a wait has its result."""
    agent, found_in = AGENTS[name], programs(name)
    set_up(bg, project_venv, name)
    more = agent.limit(bg.folder, LIMIT_S)
    steps = [
        Step("bgrun_start", {"job": "held"}),
        Step("bgrun_start", {"job": "held", "wait_s": 0}),
        agent.in_shell("touch .logs/go"),
        Step("bgrun_wait", {"runs": ["held"]}),
    ]
    cut, again, _, ended = drive(agent, found_in, tmp_path / "agent", bg.folder, steps, **more).answers
    assert "held_" not in cut, "the client did not wait for the answer"
    assert JOINED in again
    assert "failed held_" in ended
    assert "exit=3" in ended
    assert runs(bg) == ["held"]
    seen(name, "longer than a call may last")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("name", AGENTS)
def test_a_client_that_ends_in_a_wait_loses_nothing(
    bg: Cli, project_venv: Path, tmp_path: Path, name: str, number: int
) -> None:
    agent, found_in = AGENTS[name], programs(name)
    set_up(bg, project_venv, name)
    with Driven(agent, found_in, tmp_path / "first", bg.folder, [Step("bgrun_start", {"job": "held"})]) as first:
        wait_until(lambda: runs(bg), "the job runs", 120)
        first.interrupt(number)
    assert bg.state("held")["state"] == "running"
    steps = [
        Step("bgrun_start", {"job": "held", "wait_s": 0}),
        agent.in_shell("touch .logs/go"),
        Step("bgrun_wait", {"runs": "held"}),
    ]
    again, _, ended = drive(agent, found_in, tmp_path / "second", bg.folder, steps).answers
    assert JOINED in again
    assert "failed held_" in ended
    assert runs(bg) == ["held"]
    seen(name, "canceled, killed")


@pytest.mark.timeout(480)
@pytest.mark.parametrize("pair", [("claude", "gemini"), ("codex", "opencode")], ids="-".join)
def test_two_clients_at_once_share_a_run(bg: Cli, project_venv: Path, tmp_path: Path, pair: tuple[str, str]) -> None:
    found_in = [programs(name) for name in pair]
    set_up(bg, project_venv, *pair)
    steps = [Step("bgrun_start", {"job": "held", "wait_s": 0}), Step("bgrun_wait", {"runs": ["held"]})]
    with ExitStack() as stack:
        agents = [
            stack.enter_context(Driven(AGENTS[name], found, tmp_path / name, bg.folder, steps))
            for name, found in zip(pair, found_in, strict=True)
        ]
        wait_until(lambda: all(agent.script.answers for agent in agents), "both have started it", 240)
        (bg.folder / ".logs" / "go").touch()
        answers = [agent.end().answers for agent in agents]
    assert sorted(JOINED in begun for begun, _ in answers) == [False, True]
    assert all("failed held_" in ended for _, ended in answers)
    assert runs(bg) == ["held"]
    for name in pair:
        seen(name, "two at once")


@pytest.mark.timeout(600)
def test_three_codexes_at_once_are_offered_the_tools_at_once(bg: Cli, project_venv: Path, tmp_path: Path) -> None:
    """Codex asks its model a second after it has spawned its servers, with the tools of those that have answered."""
    agent, found_in = AGENTS["codex"], programs("codex")
    set_up(bg, project_venv, "codex")
    for number in range(10):
        with ExitStack() as stack:
            agents = [
                stack.enter_context(
                    Driven(agent, found_in, tmp_path / f"{number}_{place}", bg.folder, [Step("bgrun_list", {})])
                )
                for place in range(3)
            ]
            offers = [one.end().first_offer for one in agents]
        assert all(any(name.endswith("bgrun_start") for name in offer) for offer in offers), (number, offers)


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
    seen(name, "job file broken")


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


def table() -> dict[str, list[str]]:
    """Return the cells of the page's table by the title of the agent."""
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    assert HEAD in lines
    rows = [line.strip("| ").split(" | ") for line in itertools.takewhile(bool, lines[lines.index(HEAD) + 2 :])]
    return {cells[0]: cells for cells in rows}


def seen(name: str, column: str, value: str = "yes") -> None:
    """Compare what was just seen with the page, or write it there."""
    cells = table()[AGENTS[name].title]
    if os.environ.get("BGRUN_TEST_UPDATE"):
        before = f"| {' | '.join(cells)} |"
        cells[COLUMNS.index(column)] = value
        text = PAGE.read_text(encoding="utf-8").replace(before, f"| {' | '.join(cells)} |")
        PAGE.write_text(text, encoding="utf-8")
    assert cells[COLUMNS.index(column)] == value, f"{PAGE.name} says otherwise: BGRUN_TEST_UPDATE=1 writes it anew"


def test_the_table_is_of_the_pinned_versions() -> None:
    """Held without the agents, too: whoever pins another version has to run them."""
    pinned = json.loads((Path(__file__).parent / "package.json").read_text())["dependencies"]
    wanted = [[one.title, pinned[one.package], *["yes"] * (len(COLUMNS) - 2)] for one in AGENTS.values()]
    assert list(table().values()) == wanted
