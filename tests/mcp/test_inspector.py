"""MCP Inspector, the protocol's own debugging client, in its command-line mode, against an installed server."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import without_sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

JOBS = 'jobs: {bad: {command: "echo x.c:3:1: error: no; exit 2", problems: [gcc]}}'


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_inspector(bg: Cli, bgrun_bin: Path, clients: Path, era: str) -> None:
    bg.jobs(JOBS)

    def ask(*words: str) -> dict[str, Any]:
        command = [clients / "mcp-inspector", "--cli", "--protocol-era", era, bgrun_bin / "bgrun", "mcp", *words]
        env = {**bg.env, "PATH": f"{clients}:{bg.env['PATH']}"}
        done = subprocess.run(command, cwd=bg.folder, env=env, capture_output=True, text=True, timeout=60, check=False)
        found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"stderr": done.stderr}
        return found

    assert len(ask("--method", "tools/list")["tools"]) == 5
    call = ("--method", "tools/call", "--tool-name", "bgrun_start")
    reported = ask(*call, "--tool-arg", "job=bad", "wait_s=30")["content"][0]["text"]
    assert without_sandbox(reported).startswith("failed bad_")
    assert "\nx.c:3: no" in reported
    wrong = ask(*call, "--tool-arg", "job=bed")
    assert "valid: bad" in json.dumps(wrong)
