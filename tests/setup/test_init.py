"""`bgrun init`: what it finds, what it writes, and that what is there is merged and never lost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.cli.commands import init
from bgrun.setup import edits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

EVERYTHING = ("--all", "--tasks", "--schema", "--permissions")


def snapshot(bg: Cli) -> dict[str, str]:
    files = (path for path in bg.folder.rglob("*") if path.is_file() and ".git/" not in str(path))
    return {str(path.relative_to(bg.folder)): path.read_text() for path in files}


def test_a_first_job_file_is_sound(bg: Cli) -> None:
    (bg.folder / "tests").mkdir()
    (bg.folder / "tests" / "test_a.py").write_text("def test_a(): assert 1 == 2\n")
    (bg.folder / "Makefile").write_text("lint:\n\techo fine\n")
    shown = bg("init", "--dry-run").out
    assert "+++ b/bgjobs.yaml" in shown
    assert not (bg.folder / "bgjobs.yaml").exists()
    assert "wrote bgjobs.yaml" in bg("init").err
    bg("validate")
    assert bg("jobs", "-q").out.split() == ["pytest_full", "make_lint", "checks"]
    assert "rerun: pytest {{ failed }}" in (bg.folder / "bgjobs.yaml").read_text()
    env = {"PATH": f"{sys.prefix}/bin:{bg.env['PATH']}"}
    assert "tests/test_a.py:1 test_a" in bg("start", "pytest_full", "--wait", code=1, **env).out
    assert "unchanged" in bg("init").err


@pytest.mark.parametrize(
    ("words", "is_warned"), [(("--mcp", "claude"), True), (("--all",), True), (("--agents",), False)]
)
def test_a_server_that_cannot_run_is_not_registered_in_silence(
    bg: Cli, tmp_path: Path, words: tuple[str, ...], is_warned: bool
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['mcp'] = None\n")
    without = {"PYTHONPATH": str(tmp_path)}
    for _ in range(2):
        shown = bg("init", *words, **without).err
        assert ("warning: bgrun mcp cannot run without the mcp extra: " in shown) == is_warned
        assert (" install " in shown) == is_warned
    assert "warning: bgrun mcp" not in bg("init", *words, "-q", **without).err


def test_the_next_step_names_a_bgrun_that_is_not_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", f"{folder}/python")
    monkeypatch.setenv("PATH", "")
    assert init._bgrun() == f"'{folder}/python' -m bgrun"
    (folder / "bgrun").touch(0o755)
    assert init._bgrun("web", "x.yaml") == f"'{folder}/bgrun' -C web -f x.yaml"


def test_what_cannot_be_read_is_reported_and_the_rest_found(bg: Cli) -> None:
    (bg.folder / "tests").mkdir()
    (bg.folder / "tests" / "test_a.py").touch()
    broken = {
        "pyproject.toml": "[project]\nname = 1\n[tool.ruff\n",
        "package.json": '{\n  "scripts": {\n    "test": "vitest run"\n    "lint": "x"\n  }\n}\n',
        "Taskfile.yml": "a: [\nb: ]x\n",
        "Cargo.toml": "[package]\nname = '",
        "ruff.toml": "x = " + "'y' " * (1 << 18),
    }
    for name, text in broken.items():
        (bg.folder / name).write_text(text)
    (bg.folder / "Makefile").mkdir()
    (bg.folder / "pyrightconfig.json").write_text("{ // with comments\n}")
    for _ in range(2):  # with a job file, too
        warned = [
            line for line in bg("init").err.splitlines() if line.startswith("warning: ") and "installed" not in line
        ]
        assert [line.split(" ")[1] for line in warned] == [
            *("ruff.toml:", "Makefile:", "pyproject.toml:3:11:", "package.json:4:5:", "Cargo.toml:2:9:", "1"),
        ]
        assert warned[3].endswith(": invalid JSON: expecting ',' delimiter; jobs from this file may be missing")
        assert warned[5] == "warning: 1 more file cannot be read"
    assert bg("jobs", "-q").out.split() == ["pytest_full", "lint", "types", "cargo_test", "checks"]
    assert "cannot be read" not in bg("init", "-q").err


@pytest.mark.parametrize(
    ("text", "place"), [('{"a": 1,\n}', "1:8"), ('{"a": [1 ,]}', "1:10"), ('{"a" 1}', "1:6"), ("", "1:1")]
)
def test_a_broken_json_is_named_where_it_is_broken(bg: Cli, text: str, place: str) -> None:
    (bg.folder / "package.json").write_text(text)
    shown = bg("init").err
    assert f"warning: package.json:{place}: invalid JSON: " in shown
    assert (" trailing comma; " in shown) == ("," in text)


def test_an_empty_directory_gets_an_example(bg: Cli) -> None:
    bg("init", "-q")
    assert bg("jobs", "-q").out == "example\n"


def test_a_second_time_changes_nothing(bg: Cli) -> None:
    (bg.folder / "go.mod").write_text("module x\n")
    bg("init", *EVERYTHING)
    first = snapshot(bg)
    assert {"AGENTS.md", ".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", ".vscode/tasks.json"} <= set(first)
    assert {".claude/skills/bgrun/SKILL.md", ".claude/settings.json", ".cursor/hooks.json"} <= set(first)
    assert len(first["AGENTS.md"].splitlines()) <= 12
    assert bg("init", *EVERYTHING, "--dry-run").out == ""
    bg("init", *EVERYTHING)
    assert snapshot(bg) == first
    check = [sys.executable, "-m", "check_jsonschema", "--schemafile", "bgjobs.schema.json", "bgjobs.yaml"]
    subprocess.run(check, cwd=bg.folder, check=True, capture_output=True)


def test_what_is_there_is_kept(bg: Cli) -> None:
    bg.jobs("jobs: {own: {command: 'true'}}\n")
    (bg.folder / "AGENTS.md").write_text("# Ours\n\n<!-- bgrun:begin -->\nold\n<!-- bgrun:end -->\n\nMore of ours.\n")
    (bg.folder / ".mcp.json").write_text('{"mcpServers": {"other": {"command": "x"}}, "more": [1]}')
    (bg.folder / ".vscode").mkdir()
    task = {"label": "mine", "command": "x"}
    (bg.folder / ".vscode" / "tasks.json").write_text(json.dumps({"version": "2.0.0", "tasks": [task]}))
    (bg.folder / ".claude").mkdir()
    settings = {"permissions": {"allow": ["x"]}, "hooks": {"PreToolUse": [{"matcher": "Edit", "hooks": []}]}}
    (bg.folder / ".claude" / "settings.json").write_text(json.dumps(settings))
    bg("init", *EVERYTHING)
    assert (bg.folder / "bgjobs.yaml").read_text() == "jobs: {own: {command: 'true'}}\n"
    agents = (bg.folder / "AGENTS.md").read_text()
    assert agents.startswith("# Ours\n")
    assert agents.endswith("\nMore of ours.\n")
    assert "old" not in agents
    servers = json.loads((bg.folder / ".mcp.json").read_text())
    assert set(servers["mcpServers"]) == {"other", "bgrun"}
    assert servers["more"] == [1]
    tasks = json.loads((bg.folder / ".vscode" / "tasks.json").read_text())["tasks"]
    assert [one["label"] for one in tasks] == ["mine", "bgrun: own"]
    hooks = json.loads((bg.folder / ".claude" / "settings.json").read_text())
    assert hooks["permissions"]["allow"][0] == "x"
    assert [one["matcher"] for one in hooks["hooks"]["PreToolUse"]] == ["Edit", "Bash"]


@pytest.mark.parametrize(
    "text", ['{"mcpServers": {} # ours\n}', "[]", '{"mcpServers": []}', "not json", "\x00", '{"mcpServers": "x"}']
)
def test_what_cannot_be_merged_is_left_alone_and_reported(bg: Cli, text: str) -> None:
    (bg.folder / ".mcp.json").write_text(text)
    before = snapshot(bg)
    shown = bg("init", "--agents", "--mcp", "claude", code=2).err
    assert "edit the file by hand" in shown
    assert "attribute" not in shown, "Python's own words"
    assert snapshot(bg) == before, "nothing is written before all of it is worked out"


def test_odd_files_are_reported(bg: Cli) -> None:
    (bg.folder / "AGENTS.md").symlink_to("elsewhere")
    assert "symbolic link" in bg("init", "--agents", code=2).err
    (bg.folder / "AGENTS.md").unlink()
    (bg.folder / "AGENTS.md").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in bg("init", "--agents", code=2).err
    (bg.folder / "AGENTS.md").write_text("<!-- bgrun:begin --> and no end")
    assert "only one of the markers" in bg("init", "--agents", code=2).err
    assert "no client named 'vscode'" in bg("init", "--hook", "vscode", code=2).err
    assert "no client named 'emacs'" in bg("init", "--mcp", "emacs", code=2).err
    (bg.folder / "AGENTS.md").unlink()
    bg.jobs("jobs: {a: {comand: x}}")
    assert "bgjobs.yaml:1:" in bg("init", "--agents", code=2).err


def test_markers() -> None:
    assert edits.between_markers(None, "x", "<", ">") == "<\nx\n>\n"
    once = edits.between_markers("a\n", "x", "<", ">")
    assert once == "a\n\n<\nx\n>\n"
    assert edits.between_markers(once, "x", "<", ">") == once
    dos = edits.between_markers("a\r\nb\r\n", "x\ny", "<", ">")
    assert dos == "a\r\nb\r\n\r\n<\r\nx\r\ny\r\n>\r\n"
    assert edits.between_markers(dos, "x\ny", "<", ">") == dos
