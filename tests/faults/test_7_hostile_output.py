"""Fault 7: arguments and output of every kind."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import Cli

ARGUMENTS = [
    "plain", "two words", "", "'", '"', "$HOME", "$(id)", "`id`", "a\nb", "--", "--help", "-n", "ünïcödé ✓",
    "\\", "\\n", "*", "~", "#x", "a;b", "a&&b", "!", "%s", "=", "k=v", "\t", "\x1b[31m", "{{ x }}",
]  # fmt: skip
SHOW = "import json, os, sys; print(json.dumps([os.fsencode(a).hex() for a in sys.argv[1:]]))"


def shown(bg: Cli, arguments: list[str]) -> list[bytes]:
    bg("run", "x", "--wait", "--", sys.executable, "-c", SHOW, *arguments)
    return [bytes.fromhex(word) for word in json.loads(Path(bg.state("x")["log"]).read_text())]


def test_arguments_reach_the_command_exactly(bg: Cli) -> None:
    assert shown(bg, ARGUMENTS) == [argument.encode() for argument in ARGUMENTS]


def test_arguments_that_are_not_utf8(bg: Cli) -> None:
    odd = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    assert shown(bg, [odd]) == [b"caf\xe9 \xff"]
    assert bg.json("status", "x")["runs"][0]["state"] == "succeeded"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=8))
def test_any_arguments(bg: Cli, arguments: list[str]) -> None:
    assert shown(bg, arguments) == [argument.encode() for argument in arguments]


OUTPUTS = {
    "binary": bytes(range(256)) * 64,
    "ansi": b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x9b31m\n",
    "a 4 MiB line": b"x" * (4 << 20) + b"\n",
    "invalid utf-8": b"caf\xe9 \xff\xfe \xed\xa0\x80\n",
    "a progress bar": b"".join(b"%d%%\r" % n for n in range(100)) + b"\n",
    "no line end": b"the end",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_log_is_byte_for_byte_and_every_reader_survives(bg: Cli, kind: str) -> None:
    data = OUTPUTS[kind]
    (bg.folder / "data").write_bytes(data)
    bg("run", "x", "--wait", "--", "cat", "data")
    assert Path(bg.state("x")["log"]).read_bytes() == data
    document = bg.json("logs", "x")
    assert document["size"] == len(data)
    for reader in (("logs", "x"), ("follow", "x"), ("logs", "x", "--since-start")):
        assert not set(bg(*reader).out) & {"\x1b", "\x07", "\x9b", "\x00", "\x7f"}
    assert bg("logs", "x", "--raw", "--since-start").out.encode("utf-8", "surrogateescape") == data
    assert bg("follow", "x", "--raw").out.encode("utf-8", "surrogateescape") == data
