"""`bgrun doctor`: what each installed client finds, and that its commands add what is missing."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import jsonschema
import pytest

from bgrun.setup.clients import CLIENTS
from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.conftest import Cli

SCHEMA = json.loads((TOP / "schemas/doctor.schema.json").read_text())


@pytest.fixture
def programs(bg: Cli, tmp_path: Path) -> Path:
    """The only folder on PATH, with bgrun, what it needs, and every client."""
    folder = tmp_path / "programs"
    folder.mkdir()
    command = " ".join(bg.command)
    names = [client.programs[0] for client in CLIENTS.values()]
    for name, text in {**dict.fromkeys(names, "exit 1"), "bgrun": f'exec {command} "$@"'}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    for name in ("bash", "git", "sh"):
        (folder / name).symlink_to(next(path for one in os.get_exec_path() if (path := f"{one}/{name}") and os.path.exists(path)))  # fmt: skip
    bg.env["PATH"] = str(folder)
    return folder


def look(bg: Cli, code: int) -> dict[tuple[str, str], dict[str, Any]]:
    found = bg.json("doctor", code=code)
    jsonschema.validate(found, SCHEMA)
    assert found["ok"] is (code == 0)
    return {(one["subject"], one["name"]): one for one in found["checks"]}


@pytest.mark.usefixtures("programs")
def test_its_commands_add_all_that_is_absent(bg: Cli) -> None:
    (bg.folder / "Makefile").write_text("test:\n\ttrue\n")
    before = look(bg, 1)
    assert before["bgrun", "job file"]["fix"].endswith("bgrun init")
    assert {one for one, _ in before} == {"bgrun", *CLIENTS}
    assert before["codex", "MCP server"]["status"] == "missing"
    assert before["gemini", "instructions"]["detail"] == "not in AGENTS.md, .gemini/settings.json"
    fixes = {one["fix"] for one in before.values() if one["fix"] and "init" in one["fix"]}
    for fix in sorted(fixes):
        subprocess.run(["sh", "-c", fix], cwd=bg.folder, env=bg.env, check=True, capture_output=True)
    after = look(bg, 0)
    assert {key: one["detail"] for key, one in after.items() if key[0] != "bgrun" and one["status"] != "ok"} == {}


def test_a_client_that_is_not_installed_needs_nothing(bg: Cli, programs: Path) -> None:
    bg.jobs("jobs: {a: {command: 'true'}}")
    for client in CLIENTS.values():
        if client.title != "Codex":
            (programs / client.programs[0]).unlink()
    bg("init", "--mcp", "codex", "--agents")
    assert {subject for subject, _ in look(bg, 0)} == {"bgrun", "codex"}
    done = bg("doctor")
    assert "optional  Codex" in done.out
    assert "not installed: Claude Code, Cursor, VS Code, Gemini CLI, opencode" in done.out
    (bg.folder / ".codex/config.toml").write_text("broken")
    assert "missing   Codex" in bg("doctor", "-q", code=1).out


def test_what_bgrun_needs(bg: Cli, programs: Path) -> None:
    bg.jobs("jobs: {a: {comand: x}}")
    for name in ("bash", "git", *(client.programs[0] for client in CLIENTS.values())):
        (programs / name).unlink()
    (bg.folder / ".logs").mkdir(mode=0o777)
    (bg.folder / ".logs").chmod(0o777)
    found = look(bg, 1)
    statuses = {name: one["status"] for (_, name), one in found.items()}
    assert statuses["job file"] == statuses["bash"] == statuses["log directory"] == "missing"
    assert statuses["git"] == "optional"
    assert statuses["python"] == statuses["command"] == "ok"
    assert "validate" in found["bgrun", "job file"]["fix"]
