"""What `bgrun init` writes for each coding agent and editor, and what it keeps of their files."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.setup import edits
from bgrun.setup.clients import CLIENTS, hooks, instructions, mcp_servers, toml_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.conftest import Cli

SERVED = {
    "claude": "mcpServers",
    "cursor": "mcpServers",
    "vscode": "servers",
    "gemini": "mcpServers",
    "opencode": "mcp",
}


def server(bg: Cli, client: str) -> dict[str, Any]:
    """Give what a client's file says of bgrun's server."""
    text = (bg.folder / mcp_servers.FILES[client]).read_text()
    found: dict[str, Any] = tomllib.loads(text)["mcp_servers"]["bgrun"] if client == "codex" else json.loads(text)[SERVED[client]]["bgrun"]  # fmt: skip
    return found


def test_every_client_has_a_server() -> None:
    assert list(mcp_servers.FILES) == list(CLIENTS)
    assert set(hooks.FILES) == set(CLIENTS) - {"vscode"}


def test_all_sets_every_client_up(bg: Cli) -> None:
    bg.jobs("jobs: {own: {command: make}}")
    bg("init", "--all", "-q")
    for client in CLIENTS:
        found = server(bg, client)
        command = found["command"] if client == "opencode" else [found["command"], *found["args"]]
        file = ["--file", "${workspaceFolder}/bgjobs.yaml"] if client in ("cursor", "vscode") else []
        assert [command[0].split("/")[-1], *command[1:]] == ["bgrun", *file, "mcp"]
    assert server(bg, "codex")["required"] is True
    assert {
        path for path in (*mcp_servers.FILES.values(), *hooks.FILES.values()) if not (bg.folder / path).exists()
    } == set()
    assert (bg.folder / "CLAUDE.md").read_text() == "@AGENTS.md\n"
    gemini = json.loads((bg.folder / ".gemini/settings.json").read_text())
    assert gemini["context"]["fileName"] == ["GEMINI.md", "AGENTS.md"]
    assert gemini["hooks"]["BeforeTool"][0]["matcher"] == "run_shell_command"
    skills = {(bg.folder / folder / "bgrun/SKILL.md").read_text() for folder in instructions.SKILLS}
    assert len(skills) == 1
    assert "run_in_background" in skills.pop()
    assert not (bg.folder / ".vscode/tasks.json").exists()
    assert "permissions" not in json.loads((bg.folder / ".claude/settings.json").read_text())
    assert bg("init", "--all", "--dry-run").out == ""


def test_only_what_is_used_refers_to_the_instructions(bg: Cli) -> None:
    bg("init", "--agents", "-q")
    assert not (bg.folder / "CLAUDE.md").exists()
    assert not (bg.folder / ".gemini").exists()
    (bg.folder / "CLAUDE.md").write_text("# Ours\nSee @AGENTS.md for more.\n")
    (bg.folder / "GEMINI.md").write_text("")
    bg("init", "--agents", "-q")
    assert (bg.folder / "CLAUDE.md").read_text() == "# Ours\nSee @AGENTS.md for more.\n"
    assert (bg.folder / ".gemini/settings.json").exists()
    (bg.folder / "CLAUDE.md").write_text("# Ours\r\n")
    bg("init", "--agents", "-q")
    assert (bg.folder / "CLAUDE.md").read_bytes() == b"# Ours\r\n\r\n@AGENTS.md\r\n"
    (bg.folder / "CLAUDE.md").unlink()
    (bg.folder / "CLAUDE.md").symlink_to("AGENTS.md")
    bg("init", "--agents", "-q")
    assert (bg.folder / "CLAUDE.md").is_symlink()


def test_what_clients_have_is_kept(bg: Cli) -> None:
    kept = {
        ".gemini/settings.json": '{\n\t// ours\n\t"context": {"fileName": "OURS.md"},\n\t"mcpServers": {"x": {"command": "y"}}\n}\n',
        ".codex/config.toml": "# ours\nmodel = 'm'  # good\n\n[mcp_servers.x]\ncommand = 'y'\n",
        "opencode.jsonc": '{\n  // ours\n  "theme": "t",\n}\n',
        ".claude/settings.json": '{"permissions": {"allow": ["A"]}, "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": []}]}}\n',
    }
    for name, text in kept.items():
        (bg.folder / name).parent.mkdir(exist_ok=True)
        (bg.folder / name).write_text(text)
    bg("init", "--all", "--permissions", "-q")
    after = {name: (bg.folder / name).read_text() for name in kept}
    assert "\t// ours\n" in after[".gemini/settings.json"]
    assert '["OURS.md", "AGENTS.md"]' in " ".join(after[".gemini/settings.json"].split()).replace("[ ", "[").replace(
        " ]", "]"
    )
    assert after[".codex/config.toml"].startswith(kept[".codex/config.toml"])
    assert "// ours" in after["opencode.jsonc"]
    assert not (bg.folder / "opencode.json").exists()
    assert json.loads(after[".claude/settings.json"])["permissions"]["allow"][0] == "A"
    bg("init", "--all", "--permissions", "-q")
    assert {name: (bg.folder / name).read_text() for name in kept} == after


def test_a_bgrun_in_the_project_is_named_by_its_path(bg: Cli, project_venv: Path) -> None:
    bg.jobs("jobs: {own: {command: make}}")
    subprocess.run(
        [project_venv, "init", "--all", "--permissions", "--tasks", "-q"], cwd=bg.folder, env=bg.env, check=True
    )
    assert server(bg, "claude")["command"] == ".venv/bin/bgrun"
    assert server(bg, "opencode")["command"] == [".venv/bin/bgrun", "mcp"]
    assert server(bg, "vscode")["command"] == "${workspaceFolder}/.venv/bin/bgrun"
    assert "`.venv/bin/bgrun start JOB" in (bg.folder / "AGENTS.md").read_text()
    settings = json.loads((bg.folder / ".claude/settings.json").read_text())
    assert "Bash(.venv/bin/bgrun:*)" in settings["permissions"]["allow"]
    (hook,) = settings["hooks"]["PreToolUse"][0]["hooks"]
    event = json.dumps({"tool_name": "Bash", "tool_input": {"command": "make"}, "cwd": str(bg.folder)})
    env = {**bg.env, "CLAUDE_PROJECT_DIR": str(bg.folder)}
    done = subprocess.run(hook["command"], shell=True, input=event, env=env, cwd="/", capture_output=True, text=True)
    assert "Run: .venv/bin/bgrun start own --wait" in done.stdout, done
    for path in (*mcp_servers.FILES.values(), *hooks.FILES.values(), "AGENTS.md", ".vscode/tasks.json"):
        assert str(bg.folder) not in (bg.folder / path).read_text(), "others have the project elsewhere"


def test_a_moved_bgrun_replaces_the_older_entry(tmp_path: Path) -> None:
    document: dict[str, Any] = {}
    hooks._hook(document, "claude", "bgrun")
    hooks._hook(document, "claude", ".venv/bin/bgrun")
    (entry,) = document["hooks"]["PreToolUse"]
    assert [one["command"] for one in entry["hooks"]] == [".venv/bin/bgrun hook claude"]
    text = edits.edited(tmp_path / "x", lambda _: toml_text.with_table(None, ("a", "b"), {"c": "old", "d": True})).after
    assert toml_text.with_table(text, ("a", "b"), {"c": "new"}) == '[a.b]\nc = "new"\nd = true\n'


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", '[a.b]\nc = "x"\n'),
        ("d = 1 # ours", 'd = 1 # ours\n\n[a.b]\nc = "x"\n'),
        ("[a.b]\nc = 'x'\n", "[a.b]\nc = 'x'\n"),
        ("[a.b]  # ours\nd = 1\n[e]\nc = 2\n", '[a.b]  # ours\nc = "x"\nd = 1\n[e]\nc = 2\n'),
        ("[a.b.env]\nK = 'v'\n", "[a.b.env]\nK = 'v'\n\n[a.b]\nc = \"x\"\n"),
        ("a = {b = {d = 1}}\n", None),
        ("[a.b]\nc = '''\nlong'''\n", None),
        ("a = 3\n", None),
        ("not toml", None),
    ],
)
def test_tables_of_toml(text: str, after: str | None) -> None:
    if after is None:
        with pytest.raises(ValueError, match=r"."):
            toml_text.with_table(text, ("a", "b"), {"c": "x"})
    else:
        assert toml_text.with_table(text, ("a", "b"), {"c": "x"}) == after
