"""What a client's hook is answered: whole declared jobs are pointed to bgrun, all else may run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bgrun import api
from bgrun.setup import command_hook, hook_event, shell_line

if TYPE_CHECKING:
    from tests.conftest import Cli

CORPUS = yaml.safe_load((Path(__file__).parent / "hook_corpus.yaml").read_text())
LINES = [(place, wanted, text) for place, lines in CORPUS["in"].items() for wanted, text in lines]
SUGGESTED = re.compile(r"bgrun start (\S+) --wait -t 50s")


def said(text: str, place: Path, jobs: list[command_hook.DeclaredCommand]) -> str:
    """Give what the hook says of a line, in the words of the corpus."""
    line = shell_line.parse(text)
    if line is None or not line.commands:
        return "pass"
    found = command_hook.matches(line, os.path.join(place, line.directory), jobs, os.path.realpath)
    if not found:
        return "pass"
    why, _, _ = command_hook.reason(found, line.operators).partition("\n")
    return SUGGESTED.sub(r"\1", why.partition("Run: ")[2])


def test_the_corpus(bg: Cli) -> None:
    assert len(LINES) > 200
    bg.jobs(CORPUS["jobs"])
    for name in ("web", "e2e", "sub"):
        (bg.folder / name).mkdir()
    project = api.locate(str(bg.folder))
    jobs = api.declared_commands.declared_commands(project, {"pytest"})
    wrong = {f"{place}: {text}": f"{got}, wanted {wanted}" for place, wanted, text in LINES if (got := said(text, bg.folder / place, jobs)) != wanted}  # fmt: skip
    assert wrong == {}


def test_a_suggestion_can_be_run(bg: Cli) -> None:
    bg.jobs("jobs: {it: {command: make it}}")
    (bg.folder / "Makefile").write_text("it:\n\t@echo made $$CI\n")
    why = json.loads(ask(bg, "gemini", {"tool_input": {"command": "CI='a b' make it -j 2 | tail"}}))["reason"]
    suggested = re.search(r"Run: (.*)", why)
    assert suggested
    words = re.sub(r"\S*bgrun ", f"{' '.join(bg.command)} ", suggested[1], count=1)
    done = subprocess.run(words, shell=True, cwd=bg.folder, env=bg.env, capture_output=True, text=True)
    assert done.returncode == 0, done
    assert bg("logs", "it").out == "made a b\n"


@given(st.text(alphabet="p y|&;<>()'\"\\$`#\n=-./2{}!", max_size=30))
def test_no_line_is_too_odd(text: str) -> None:
    shell_line.parse(text)
    shell_line.parse(f"cd a && pytest {text}")


def test_long_lines_are_passed() -> None:
    assert shell_line.parse("pytest " + "x" * shell_line.LONGEST) is None
    nested = "pytest"
    for _ in range(5):
        nested = f"bash -c {shlex.quote(nested)}"
    assert shell_line.parse(nested) is None


# --- the command ----------------------------------------------------------------------------------


def ask(bg: Cli, client: str, event: object, *, place: Path | None = None, more: tuple[str, ...] = ()) -> str:
    """Call the hook as a client does; it must always allow its client to work on."""
    text = event if isinstance(event, str) else json.dumps(event)
    command = [*bg.command, *more, "hook", client]
    done = subprocess.run(command, input=text, cwd=place or bg.folder, env=bg.env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


EVENTS = {
    "claude": {"tool_name": "Bash", "tool_input": {"command": "pytest"}},
    "codex": {"tool_name": "shell", "tool_input": {"command": ["bash", "-lc", "pytest"]}},
    "cursor": {"command": "pytest", "hook_event_name": "beforeShellExecution"},
    "gemini": {"tool_name": "run_shell_command", "tool_input": {"command": "pytest", "dir_path": "."}},
    "opencode": {"command": "pytest"},
}


@pytest.mark.parametrize("client", hook_event.CLIENTS)
def test_each_client_is_answered_in_its_form(bg: Cli, client: str) -> None:
    bg.jobs("jobs: {suite: {command: pytest}}")
    said = json.loads(ask(bg, client, {**EVENTS[client], "cwd": str(bg.folder)}))
    if client == "cursor":
        assert said["permission"] == "deny"
    elif client in ("gemini", "opencode"):
        assert said["decision"] == "deny"
    else:
        assert said["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert "bgrun start suite --wait" in json.dumps(said)


ODD = ("[]", '{"command": 3}', '{"command": [1]}', '{"tool_input": null}', '{"cwd": "/nowhere", "command": "make all"}')


def test_an_event_without_a_command_has_none() -> None:
    assert [hook_event.event_of(json.loads(text)).command for text in ODD] == ["", "", "", "", "make all"]
    assert hook_event.event_of({"cwd": 3, "command": "x", "tool_input": {"workdir": "sub"}}).directory == "sub"
    assert hook_event.event_of({"cwd": "/a", "tool_input": {"workdir": "sub"}}).directory == "/a/sub"


def test_an_odd_event_lets_the_command_run(bg: Cli) -> None:
    bg.jobs("jobs: {suite: {command: make all}}")
    for odd in ("", ODD[-1], "[" * 100_000, json.dumps({"command": "x " * 3_000_000})):
        assert ask(bg, "claude", odd) == ""
    assert json.loads(ask(bg, "cursor", "junk")) == {"permission": "allow"}
    assert ask(bg, "emacs", {"command": "make all"}) == ""


@pytest.mark.parametrize("text", ["jobs: broken", "jobs: {a: {command: pytest, timeout: soon}}", "log_dir: .\n", "\0", "jobs: {a: {command: pytest}}\ninclude: [nowhere.yaml]"])  # fmt: skip
def test_a_broken_job_file_refuses_nothing(bg: Cli, text: str) -> None:
    bg.jobs(text)
    assert ask(bg, "claude", {"command": "pytest"}) == ""
    (bg.folder / "bgjobs.yaml").unlink()
    assert ask(bg, "claude", {"command": "pytest"}) == ""


def test_the_directory_of_the_event_counts(bg: Cli, tmp_path: Path) -> None:
    bg.jobs("jobs: {suite: {command: pytest}}")
    (bg.folder / "sub").mkdir()
    elsewhere = tmp_path / "link"
    elsewhere.symlink_to(bg.folder)
    for cwd, denied in ((bg.folder, True), (bg.folder / "sub", False), (tmp_path, False), (elsewhere, True)):
        event = {"tool_input": {"command": "pytest -q"}, "cwd": str(cwd)}
        assert ("deny" in ask(bg, "claude", event, place=tmp_path)) is denied, cwd
    why = ask(bg, "claude", {"tool_input": {"command": f"cd {bg.folder} && pytest"}, "cwd": str(tmp_path)})
    assert (
        f"bgrun -C {os.path.realpath(bg.folder)} start suite"
        in json.loads(why)["hookSpecificOutput"]["permissionDecisionReason"]
    )


def test_changes_of_the_job_file_count_at_once(bg: Cli) -> None:
    bg.jobs("include: [more.yaml]\njobs: {suite: {command: pytest}}")
    (bg.folder / "more.yaml").write_text("jobs: {lint: {command: ruff check .}}")
    bg("run", "any", "--wait", "--", "true")

    def denied(command: str) -> bool:
        return "deny" in ask(bg, "claude", {"command": command})

    assert denied("pytest")
    assert denied("pytest")
    assert denied("ruff check .")
    (bg.folder / "more.yaml").write_text("jobs: {lint: {command: mypy}}")
    assert not denied("ruff check .")
    assert denied("mypy")
    bg.jobs("jobs: {suite: {command: tox}}")
    assert not denied("pytest")
    assert denied("tox")
