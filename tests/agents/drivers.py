"""How each coding agent is run without its maker's servers: with a home of its own and the model on loopback.

Nothing of bgrun is configured here: what the agents know of it comes from the files of `bgrun init` alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
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
    """

    title: str
    package: str
    shell: tuple[str, str]
    prepare: Callable[[Place], tuple[list[str], dict[str, str]]]

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


AGENTS = {
    "claude": Agent("Claude Code", "@anthropic-ai/claude-code", ("Bash", "command"), _claude),
    "codex": Agent("Codex", "@openai/codex", ("exec_command", "cmd"), _codex),
    "gemini": Agent("Gemini CLI", "@google/gemini-cli", ("run_shell_command", "command"), _gemini),
    "opencode": Agent("opencode", "opencode-ai", ("bash", "command"), _opencode),
}


def drive(agent: Agent, programs: Path, home: Path, project: Path, steps: Sequence[Step]) -> Script:
    """Run an agent until it has taken every step, and return the script with the answers."""
    home.mkdir()
    script = Script(steps)
    server = serve(script)
    place = Place(home, project.resolve(), f"http://127.0.0.1:{server.server_address[1]}")
    command, more = agent.prepare(place)
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env |= {"HOME": str(home), **more, "PATH": f"{programs}:{env['PATH']}"}
    output = home / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=project, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
        try:
            code = process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        finally:
            server.shutdown()
            server.server_close()
    shown = output.read_text(errors="replace")[-3000:]
    assert code == 0, shown
    assert len(script.answers) == len(script.steps), (script.answers, sorted(script.offered), shown)
    return script


def version(agent: Agent, programs: Path) -> str:
    """Return the version that is installed."""
    text = (programs.parent / agent.package / "package.json").read_text(encoding="utf-8")
    return str(json.loads(text)["version"])
