"""The arguments of a call: what has one meaning is taken, the rest is refused in a few words. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from bgrun.errors import UsageError
from bgrun.mcp import arguments, tools

TOOLS = {tool.name: tool for tool in tools.declared(tools.ServerOptions())}
TEXTS: list[tuple[Any, list[str]]] = [
    (["a=1", "--", "-x"], ["a=1", "--", "-x"]),
    ("a=1", ["a=1"]),
    ("a=1 -- -k 'x y'", ["a=1", "--", "-k", "x y"]),
    ("it's", ["it's"]),
    ('["a=1", "b=x y"]', ["a=1", "b=x y"]),
    ("[a]", ["[a]"]),
    ({"a": 1, "b": "x y", "c": True}, ["a=1", "b=x y", "c=true"]),
    ([7, 1.5, True], ["7", "1.5", "true"]),
    ("", []),
]


@pytest.mark.parametrize(("given", "words"), TEXTS)
def test_words(given: Any, words: list[str]) -> None:
    assert arguments.read(TOOLS["bgrun_start"], {"job": "x", "args": given})["args"] == words


@pytest.mark.parametrize(
    ("tool", "given", "read"),
    [
        ("wait", {"runs": "a, b c"}, {"runs": ["a", "b", "c"]}),
        ("wait", {"run": "a", "timeout_s": "30"}, {"runs": ["a"], "wait_s": 30.0}),
        ("wait", {"runs": ["a"], "timeout": "1m30s", "mode": " Any "}, {"runs": ["a"], "wait_s": 90.0, "mode": "any"}),
        ("log", {"runs": ["a"], "pattern": " x ", "max_lines": "7"}, {"run": "a", "match": " x ", "max_lines": 7}),
        ("log", {"run": "a", "lines": 5e9}, {"run": "a", "max_lines": arguments.MOST_LINES}),
        ("log", {"run": 5, "match": None, "since": None}, {"run": "5"}),
        ("start", {"job": " x ", "again": "True", "only": "failed"}, {"job": "x", "again": True, "only": "failed"}),
        ("start", {"job": "x", "again": 0, "wait_s": 0}, {"job": "x", "again": False, "wait_s": 0.0}),
        ("start", {"job": "x", "failed": True}, {"job": "x", "only": "failed"}),
        ("start", {"job": "x", "failed": "false"}, {"job": "x"}),
        ("list", {}, {}),
    ],
)
def test_what_is_meant(tool: str, given: dict[str, Any], read: dict[str, Any]) -> None:
    assert arguments.read(TOOLS[f"bgrun_{tool}"], given) == read


@pytest.mark.parametrize(
    ("tool", "given", "message"),
    [
        ("start", {}, "missing argument 'job'"),
        ("start", {"job": ""}, "missing argument 'job'"),
        ("start", {"job": {"a": 1}}, "job: expected a string, got an object"),
        ("start", {"job": "x" * 1_000_000}, "job: too long, at most 200 characters"),
        ("start", {"job": "x", "args": "x" * 1_000_000}, "args: too long, at most 4096 characters"),
        ("start", {"job": "x", "args": ["x" * 1_000_000]}, "args: too long, at most 4096 characters"),
        ("start", {"job": "x", "args": ["x"] * 101}, "args: too many, at most 100"),
        ("start", {"job": "x", "args": 5}, "args: expected a list of strings, got 5"),
        ("start", {"job": "x", "args": [[]]}, "args: expected strings, got a list"),
        ("start", {"job": "x", "wait_s": -1}, "wait_s: expected seconds from 0, got -1"),
        ("start", {"job": "x", "wait_s": float("inf")}, "wait_s: expected seconds from 0, got inf"),
        ("start", {"job": "x", "wait_s": float("nan")}, "wait_s: expected seconds from 0, got nan"),
        ("start", {"job": "x", "wait_s": True}, "wait_s: expected seconds, got True"),
        ("start", {"job": "x", "wait_s": "9" * 300}, "wait_s: expected seconds, got a long string"),
        ("start", {"job": "x", "again": "perhaps"}, "again: expected true or false, got 'perhaps'"),
        ("start", {"job": "x", "again": []}, "again: expected true or false, got a list"),
        ("start", {"job": "x", "only": "new"}, "only: expected failed, got 'new'"),
        ("wait", {"runs": []}, "missing argument 'runs'"),
        ("wait", {"runs": ["a"], "mode": ["any"]}, "mode: expected all or any or ready, got a list"),
        ("log", {"run": "a", "max_lines": 0}, "max_lines: expected a number from 1 to 1000, got 0"),
        ("log", {"run": "a", "max_lines": "many"}, "max_lines: expected a number from 1 to 1000, got 'many'"),
        ("log", {"run": "a", "match": "x" * 2000}, "match: too long, at most 1000 characters"),
        ("list", {"x" * 1_000_000: 1}, "unknown argument"),
    ],
)
def test_what_is_refused(tool: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        arguments.read(TOOLS[f"bgrun_{tool}"], given)
    assert refused.value.message.startswith(f"bgrun_{tool}: {message}")
    assert len(refused.value.message) < 200
    assert refused.value.hint.startswith("arguments: ")


def test_a_call_waits_as_long_as_its_client_lets_it() -> None:
    free, bound = tools.ServerOptions(), tools.ServerOptions(max_wait_s=25.0)
    waits = {
        (client, progress): tools.longest_wait_s(client, free, progress=progress)
        for client in ("claude-code", "codex-mcp-client", "gemini-cli-mcp-client", "opencode", "claude-ai", "")
        for progress in (True, False)
    }
    assert {client for (client, progress), wait in waits.items() if wait == 280 and not progress} == {
        "claude-code",
        "codex-mcp-client",
        "gemini-cli-mcp-client",
    }
    assert waits["opencode", True] == 280
    assert {waits["opencode", False], waits["claude-ai", True], waits["", True]} == {50}
    assert tools.longest_wait_s("claude-code", bound, progress=True) == 25
