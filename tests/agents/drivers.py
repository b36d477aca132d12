"""How each coding agent is run without its maker's servers: with a home of its own and the model on loopback.

Nothing of bgrun is configured here: what the agents know of it comes from the files of `bgrun init` alone. Only how long
they let a call last is set, for the tests that exceed it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.agents.model import Script, Step, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

KEPT = ("PATH", "LANG", "TERM", "TMPDIR", "LC_ALL")
DEADLINE_S = 150.0
PROMPT = "do as scripted"


class Place(NamedTuple):
    """Where an agent runs: its home, the project, the address of the model."""

    home: Path
    project: Path
    url: str

    def write(self, name: str, content: str | dict[str, Any]) -> None:
        """Write a file of the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))


class Agent(NamedTuple):
    """An agent.

    package: its npm package.
    shell: the name of its shell tool, and of the argument that has the command.
    prepare: writes its home, and returns its command and environment.
    limit: sets how many seconds a call of a tool may last, in a project's files; returns a variable that does.
    """

    title: str
    package: str
    shell: tuple[str, str]
    prepare: Callable[[Place], tuple[list[str], dict[str, str]]]
    limit: Callable[[Path, int], dict[str, str]]

    def in_shell(self, command: str) -> Step:
        """Return the call of its shell tool."""
        return Step(
            self.shell[0], {self.shell[1]: command, **({} if self.title == "Codex" else {"description": "run it"})}
        )


def _claude(place: Place) -> tuple[list[str], dict[str, str]]:
    trusted = {"hasTrustDialogAccepted": True, "enabledMcpjsonServers": ["bgrun"]}
    place.write(".claude.json", {"projects": {str(place.project): trusted}, "hasCompletedOnboarding": True})
    env = {
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_API_KEY": "none",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    return ["claude", "-p", PROMPT, "--allowedTools", "Bash", "WaitForMcpServers", "ToolSearch"], env


def _codex(place: Place) -> tuple[list[str], dict[str, str]]:
    provider = f'name = "fake"\nbase_url = "{place.url}/v1"\nwire_api = "responses"\nenv_key = "FAKE_KEY"\n'
    trust = f'[projects."{place.project}"]\ntrust_level = "trusted"\n'
    place.write(
        ".codex/config.toml", f'model = "m"\nmodel_provider = "fake"\n[model_providers.fake]\n{provider}{trust}'
    )
    words = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--dangerously-bypass-hook-trust"]
    return ["codex", "exec", *words, PROMPT], {"FAKE_KEY": "none"}


def _gemini(place: Place) -> tuple[list[str], dict[str, str]]:
    security = {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}}
    quiet = {"privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False}}
    place.write(".gemini/settings.json", {"security": security, **quiet, "general": {"enableAutoUpdate": False}})
    env = {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": place.url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    return ["gemini", "--skip-trust", "-m", "gemini-2.5-pro", "--approval-mode", "yolo", "-p", PROMPT], env


def _opencode(place: Place) -> tuple[list[str], dict[str, str]]:
    options = {"baseURL": f"{place.url}/v1", "apiKey": "none"}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "fake", "models": {"m": {"name": "m"}}, "options": options}
    settings = {"model": "fake/m", "small_model": "fake/m", "share": "disabled", "autoupdate": False}
    place.write(".config/opencode/opencode.json", {**settings, "provider": {"fake": provider}})
    return ["opencode", "run", PROMPT], {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}


def _limit_claude(_: Path, seconds: int) -> dict[str, str]:
    return {"MCP_TOOL_TIMEOUT": str(seconds * 1000)}


def _limit_codex(project: Path, seconds: int) -> dict[str, str]:
    path = project / ".codex" / "config.toml"
    path.write_text(f"{path.read_text().rstrip()}\ntool_timeout_sec = {seconds}\n")
    return {}


def _limit_gemini(project: Path, seconds: int) -> dict[str, str]:
    _set(project / ".gemini" / "settings.json", "mcpServers", "timeout", seconds * 1000)
    return {}


def _limit_opencode(project: Path, seconds: int) -> dict[str, str]:
    _set(project / "opencode.json", "mcp", "timeout", seconds * 1000)
    return {}


def _set(path: Path, servers: str, key: str, value: int) -> None:
    document = json.loads(path.read_text())
    document[servers]["bgrun"][key] = value
    path.write_text(json.dumps(document))


AGENTS = {
    "claude": Agent("Claude Code", "@anthropic-ai/claude-code", ("Bash", "command"), _claude, _limit_claude),
    "codex": Agent("Codex", "@openai/codex", ("exec_command", "cmd"), _codex, _limit_codex),
    "gemini": Agent("Gemini CLI", "@google/gemini-cli", ("run_shell_command", "command"), _gemini, _limit_gemini),
    "opencode": Agent("opencode", "opencode-ai", ("bash", "command"), _opencode, _limit_opencode),
}


class Driven:
    """An agent at work, with the steps that it takes. Its answers are in `script`."""

    def __init__(
        self, agent: Agent, programs: Path, home: Path, project: Path, steps: Sequence[Step], **more: str
    ) -> None:
        home.mkdir()
        self.script = Script(steps)
        self._server = serve(self.script)
        place = Place(home, project.resolve(), f"http://127.0.0.1:{self._server.server_address[1]}")
        command, own = agent.prepare(place)
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {"HOME": str(home), **own, **more, "PATH": f"{programs}:{env['PATH']}"}
        self._output = home / "output"
        with self._output.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=project, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def __enter__(self) -> Driven:
        """Return the agent."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the agent and its children, and the model."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._server.shutdown()
        self._server.server_close()

    def end(self) -> Script:
        """Return the script once the agent has taken every step."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(DEADLINE_S)
        shown = self._output.read_text(errors="replace")[-3000:]
        assert self.process.poll() == 0, shown
        script = self.script
        assert len(script.answers) == len(script.steps), (script.answers, sorted(script.offered), shown)
        return script

    def interrupt(self, number: int) -> None:
        """Send a signal to the agent and all that it has started, as a terminal does, and return once it has ended."""
        os.killpg(self.process.pid, number)
        self.process.wait(20)


def drive(agent: Agent, programs: Path, home: Path, project: Path, steps: Sequence[Step], **more: str) -> Script:
    """Run an agent until it has taken every step, and return the script with the answers."""
    with Driven(agent, programs, home, project, steps, **more) as driven:
        return driven.end()


def version(agent: Agent, programs: Path) -> str:
    """Return the version that is installed."""
    text = (programs.parent / agent.package / "package.json").read_text(encoding="utf-8")
    return str(json.loads(text)["version"])
