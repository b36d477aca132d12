"""The two readers of the command line agree on every form that the quick one takes; and what that saves."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.cli import click_parser, parser
from bgrun.cli.spec.overview import COMMANDS
from bgrun.cli.spec.shapes import Command
from tests.conftest import TOP

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = (
    "a",
    "x=1",
    "3",
    "0",
    "-1",
    "1h30m",
    "90",
    "soon",
    "",
    "-",
    "--",
    "-x",
    "é",
    "007",
    "group",
    "5 ",
    "+3",
    "--json",
)


def by_click(words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values that click reads, or None where it refuses the words or answers them itself."""
    command = click_parser.build().commands[words[0]]
    try:
        return command.make_context(words[0], list(words[1:])).params
    except (click.ClickException, click.exceptions.Exit):
        return None


def spellings(command: Command) -> list[str]:
    return [spelling for option in (*command.options, *command.project_options) for spelling in option.spellings]


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    command = draw(st.sampled_from(COMMANDS))
    word = st.one_of(st.sampled_from(WORDS), st.sampled_from(spellings(command) or ["a"]))
    return [command.name, *draw(st.lists(word, max_size=6))]


@settings(max_examples=400)
@given(command_lines())
def test_both_readers_agree(words: list[str]) -> None:
    plain = parser.read(words, None)
    if plain is not None:
        command, values = plain
        assert command.name == words[0]
        assert values == by_click(words)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_quick_reader_takes_every_option_written_out(command: Command) -> None:
    values = {"flag": [], "text": ["x"], "texts": ["x"], "int": ["5"], "duration": ["5s"], "path": ["p"]}
    given = ["x"] if any(argument.many in ("one", "some") for argument in command.arguments) else []
    for option in command.options:
        for spelling in option.spellings:
            words = [command.name, *given, spelling, *values[option.kind]]
            read = parser.read(words, None)
            assert read is not None, words
            assert read[1] == by_click(words)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--help"],
        ["status", "--help"],
        ["--version"],
        ["-fx", "status"],
        ["statu"],
        ["status", "-qq"],
        ["latest"],
    ],
)
def test_everything_else_is_clicks(words: list[str]) -> None:
    assert parser.read(words, None) is None


def loaded(*words: str) -> set[str]:
    """Return the modules that a command loads, in a folder without runs."""
    code = f"import sys; from bgrun.cli import app; app.run({list(words)!r}); print(*sys.modules, file=sys.stderr)"
    env = {"PYTHONPATH": str(TOP), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words", [("status",), ("list",), ("wait", "x"), ("stop", "x"), ("latest", "x"), ("logs", "x")]
)
def test_status_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    heavy = {
        "click",
        "jinja2",
        "jsonschema",
        "rich",
        "psutil",
        "subprocess",
        "socket",
        "dataclasses",
        "inspect",
        "asyncio",
    }
    found = loaded(*words) & heavy
    # Where there is no such run, the job file is asked whether it is declared.
    assert not found - ({"subprocess", "socket"} if words[0] == "wait" else set()), found
