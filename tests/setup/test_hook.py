"""What a client's hook is answered: whole declared jobs are pointed to bgrun, all else may run."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun.jobfile.specs import JobSpec, Param
from bgrun.setup import command_hook

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = {
    "suite": JobSpec("suite", "pytest {{ path }} -v", params=(Param("path", default="tests/"),)),
    "lint": JobSpec("lint", ("ruff", "check", ".")),
    "script": JobSpec("script", "./scripts/verify.sh --all"),
    "pipe": JobSpec("pipe", "make test | tee out"),
}


@pytest.mark.parametrize(
    ("command", "job"),
    [
        ("pytest", "suite"),
        ("pytest tests -q", "suite"),
        ("python -m pytest -x", "suite"),
        (".venv/bin/pytest", "suite"),
        ("cd app && CI=1 uv run pytest", "suite"),
        ("timeout 60 pytest -v", "suite"),
        ("pytest tests/test_one.py", ""),
        ("pytest -k total", ""),
        ("ruff check .", "lint"),
        ("ruff check bgrun", ""),
        ("ruff format .", ""),
        ("./scripts/verify.sh", "script"),
        ("./scripts/verify.sh --fast", "script"),
        ("pytest | tail", ""),
        ("git commit -m 'pytest'", ""),
        ("make test", ""),
        ("bgrun start suite", ""),
        ("'unclosed", ""),
        ("", ""),
        ("python", ""),
    ],
)
def test_which_job_a_command_is(command: str, job: str) -> None:
    assert command_hook.job_for(command, JOBS) == job


@pytest.mark.parametrize(
    ("client", "event"),
    [
        ("cursor", {"command": "pytest", "cwd": "/x", "hook_event_name": "beforeShellExecution"}),
        ("claude", {"tool_name": "Bash", "tool_input": {"command": "pytest"}}),
    ],
)
def test_each_client_is_answered_in_its_form(bg: Cli, client: str, event: dict[str, object]) -> None:
    bg.jobs("jobs: {suite: {command: pytest}}")

    def ask(text: str) -> str:
        done = subprocess.run(
            [*bg.command, "hook", client],
            input=text,
            cwd=bg.folder,
            env=bg.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    reported = ask(json.dumps(event))
    assert "bgrun start suite --wait" in reported
    said = json.loads(reported)
    refused = said["permission"] if client == "cursor" else said["hookSpecificOutput"]["permissionDecision"]
    assert refused == "deny"
    for odd in (
        "",
        "junk",
        "[]",
        '{"command": 3}',
        '{"tool_input": null}',
        json.dumps({"command": "ls"}),
        "[" * 100_000,
    ):
        answer = ask(odd)
        assert answer == "" if client == "claude" else json.loads(answer) == {"permission": "allow"}
    bg.jobs("jobs: broken")
    assert "deny" not in ask(json.dumps(event))
