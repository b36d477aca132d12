"""What people type: aliases, `help`, letters, and the options of the project in any place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.cli import parser

if TYPE_CHECKING:
    from tests.conftest import Cli

OTHER = "jobs: {other: {command: pwd}}\n"


@pytest.mark.parametrize(("alias", "name"), [("ps", "status"), ("kill", "stop"), ("tail", "logs")])
def test_an_alias_is_the_command(bg: Cli, alias: str, name: str) -> None:
    bg("run", "x", "--wait", "--", "echo", "hi")
    assert bg(alias, "x").out == bg(name, "x").out
    assert bg(alias, "--help").out == bg(name, "--help").out
    assert f"Alias: {alias}." in bg(name, "--help").out
    assert parser.read([alias, "x"], None) == parser.read([name, "x"], None) != None  # noqa: E711


def test_help_is_a_command(bg: Cli) -> None:
    assert bg("help").out == bg("--help").out == bg("-h").out
    assert bg("help", "run").out == bg("run", "--help").out == bg("run", "-h").out
    assert bg("help", "kill").out == bg("stop", "--help").out
    assert "unknown command 'strat'" in bg("help", "strat", code=2).err
    assert bg("-V").out == bg("--version").out


@pytest.mark.parametrize(
    "words",
    [
        ("-f", "sub/jobs.yaml", "start", "other", "--wait"),
        ("start", "other", "--wait", "-f", "sub/jobs.yaml"),
        ("start", "--file", "sub/jobs.yaml", "other", "--wait"),
        ("-C", "sub", "-f", "jobs.yaml", "start", "other", "--wait"),
        ("start", "other", "--wait", "--directory", "sub", "-f", "jobs.yaml"),
        ("start", "other", "--wait", "--directory=sub", "--file=jobs.yaml"),
    ],
    ids=" ".join,
)
def test_the_options_of_the_project_stand_before_or_after(bg: Cli, words: tuple[str, ...]) -> None:
    (bg.folder / "sub").mkdir()
    (bg.folder / "sub" / "jobs.yaml").write_text(OTHER)
    bg(*words)
    assert bg("-C", "sub", "logs", "other").out == f"{bg.folder}/sub\n"
    assert not bg.logs.exists()


def test_a_letter_of_the_command_is_its_own(bg: Cli) -> None:
    (bg.folder / "sub").mkdir()
    (bg.folder / "sub" / "bgjobs.yaml").write_text(OTHER)
    bg("run", "x", "--wait", "-C", "sub", "--", "sh", "-c", "pwd; seq 5")
    assert bg("logs", "x", "--directory", "sub", "--grep", "^3$", "-C", "1").out == "2\n3\n4\n"
    assert bg("-C", "sub", "logs", "x", "-n", "6").out.splitlines()[0] == f"{bg.folder}/sub"


def test_a_directory_that_does_not_exist(bg: Cli) -> None:
    for words in (("-C", "gone", "status"), ("status", "-C", "gone"), ("jobs", "--directory=gone")):
        assert bg(*words, code=2).err.startswith("error: 'gone' is not a directory\n  hint: ")
