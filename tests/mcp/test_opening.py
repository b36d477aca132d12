"""The answers before the SDK is imported: they are the SDK's own, and no message is lost or answered twice."""

from __future__ import annotations

import io
import json
import os
import subprocess
from threading import Thread
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types
import mcp_types.version
import pytest

from bgrun import __version__, api
from bgrun.mcp import server, tools
from bgrun.mcp.opening import MOST_LINE, VERSIONS, Opening
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

CLIENTS = {
    "least": {"name": "x", "version": "1"},
    "codex": {"name": "codex-mcp-client", "title": "Codex", "version": "0.169.0"},
    "all": {
        **{"name": "é\u2028", "title": "", "version": "", "description": "d", "websiteUrl": "https://x.example"},
        "icons": [{"src": "data:,x", "mimeType": "image/png", "sizes": ["any"], "theme": "dark"}],
    },
}
ABILITIES: dict[str, dict[str, Any]] = {
    "none": {},
    "claude": {"roots": {}, "elicitation": {}},
    "gemini": {"roots": {"listChanged": True}},
    "more": {
        "sampling": {"tools": {}, "context": {}},
        "elicitation": {"form": {}, "url": {}},
        "experimental": {"a": {}},
    },
    "extension": {"extensions": {"io.example/ui": {}}, "experimental": {}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def request(number: int | str, method: str, **params: Any) -> dict[str, Any]:
    """Return a request; without parameters if none are given."""
    return {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params else {})}


def handshake(number: int | str = 0, version: str = "2025-06-18", **other: Any) -> dict[str, Any]:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENTS["least"], **other}
    return request(number, "initialize", **params)


def opening() -> Opening:
    declared = [tool.declaration for tool in tools.declared(tools.ServerOptions())]
    return Opening(tools.NAME, __version__, tools.INSTRUCTIONS, declared)


def line(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


class Sdk:
    """The SDK alone, with streams that a test holds."""

    def __init__(self) -> None:
        self.read, self.write_end = os.pipe()
        self.answers: list[dict[str, Any]] = []

    def input(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.FileIO(self.read), encoding="utf-8", errors="replace")

    def output(self) -> Sdk:
        return self

    def write(self, text: str) -> None:
        self.answers.append(json.loads(text))

    def flush(self) -> None:
        """Do nothing."""


def answers_of_sdk(folder: Path, messages: list[dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Return the answers of the SDK to messages by their IDs."""
    sdk = Sdk()
    calls = server.Calls(api.locate(str(folder), None), tools.ServerOptions())
    serving = Thread(target=lambda: anyio.run(server._serve, calls, sdk))
    serving.start()
    try:
        os.write(sdk.write_end, b"".join(map(line, messages)))
        asked = [one for one in messages if "id" in one]
        wait_until(lambda: len(sdk.answers) == len(asked), "every request is answered")
    finally:
        os.close(sdk.write_end)
        serving.join(30)
    return {one["id"]: one for one in sdk.answers}


@pytest.mark.parametrize("version", [*VERSIONS, "1999-01-01", ""])
@pytest.mark.parametrize("able", ABILITIES)
def test_the_answers_are_those_of_the_sdk(tmp_path: Path, version: str, able: str) -> None:
    for client in CLIENTS.values():
        token = {"progressToken": 7}
        messages = [
            handshake("first", version, capabilities=ABILITIES[able], clientInfo=client, _meta=token),
            INITIALIZED,
            request(1, "ping"),
            request(2, "tools/list"),
            request(3, "tools/list", _meta={"progressToken": "x"}),
            request("3", "ping", _meta={}),
        ]
        begun = opening()
        ours = [json.loads(answer) for one in messages if (answer := begun.feed(line(one)))]
        assert begun.open
        assert begun.listed
        assert begun.kept == [line(one) for one in messages[:2]], "the SDK needs the handshake and nothing else"
        theirs = answers_of_sdk(tmp_path, messages)
        assert {one["id"]: one for one in ours} == theirs


def test_the_versions_are_those_of_the_sdk() -> None:
    assert VERSIONS == mcp_types.version.HANDSHAKE_PROTOCOL_VERSIONS


MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
LEFT = {
    "no JSON": b"junk\n",
    "no UTF-8": b'{"jsonrpc": "2.0", "id": 1, "method": "ping\xff"}\n',
    "a batch": line([request(1, "ping")]),
    "a response": line({"jsonrpc": "2.0", "id": 1, "result": {}}),
    "another method": line(request(1, "tools/call", name="bgrun_list")),
    "another handshake": line(handshake(5)),
    "another era": line(request(1, "tools/list", _meta=MODERN)),
    "a cursor": line(request(1, "tools/list", cursor="2")),
    "no object of parameters": line({**request(1, "ping"), "params": []}),
    "no ID": line({**request(1, "ping"), "id": None}),
    "a truth value as ID": line({**request(1, "ping"), "id": True}),
    "a fraction as ID": line({**request(1, "ping"), "id": 1.5}),
    "a request without ID": line({"jsonrpc": "2.0", "method": "ping"}),
    "another JSON-RPC": line({**request(1, "ping"), "jsonrpc": "1.0"}),
    "more keys": line({**request(1, "ping"), "more": 1}),
    "a key twice": b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "ping"}\n',
    "half a character": b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}\n',
    "not a number": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": {"progressToken": NaN}}}\n',
    "deep": b"[" * 60_000 + b"\n",
    "long": line(request(1, "ping", _meta={"progressToken": "x" * MOST_LINE})),
    "two lines": b'{"jsonrpc": "2.0", "id": 1,\r"method": "ping"}\n',
}
ODD = {
    "no version": {"protocolVersion": 5},
    "no client": {"clientInfo": {"name": "x"}},
    "an odd title": {"clientInfo": {"name": "x", "version": "1", "title": 5}},
    "an odd icon": {"clientInfo": {"name": "x", "version": "1", "icons": [{"src": "x", "theme": "red"}]}},
    "an unknown capability": {"capabilities": {"tasks": {"list": 5}}},
    "an odd capability": {"capabilities": {"roots": 5}},
    "an odd flag": {"capabilities": {"roots": {"listChanged": "maybe"}}},
    "another era": {"_meta": MODERN},
}


@pytest.mark.parametrize("data", LEFT.values(), ids=LEFT)
def test_what_is_not_plain_is_left_to_the_sdk(data: bytes) -> None:
    begun = opening()
    assert begun.feed(line(handshake()))
    kept = [line(handshake()), data, line(request(9, "ping"))]
    assert (begun.feed(data), begun.feed(kept[2])) == (b"", b"")
    assert (begun.kept, begun.open) == (kept, False)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_handshake_that_is_not_plain_is_left_to_the_sdk(odd: dict[str, Any]) -> None:
    begun = opening()
    assert begun.feed(line(handshake(**odd))) == b""
    assert not begun.open


def test_nothing_is_answered_before_the_handshake() -> None:
    begun = opening()
    assert [begun.feed(line(request(n, method))) for n, method in enumerate(("ping", "tools/list"))] == [b"", b""]
    assert len(begun.kept) == 2


class Talk:
    """An installed server, its input held open until each request has its answer."""

    def __init__(self, bg: Cli, bgrun_bin: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [bgrun_bin / "bgrun", "mcp"], cwd=bg.folder, env=bg.env, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )

    def say(self, *parts: bytes) -> None:
        assert self.process.stdin
        for part in parts:
            self.process.stdin.write(part)
            self.process.stdin.flush()

    def answers(self, number: int) -> list[dict[str, Any]]:
        assert self.process.stdout
        return [json.loads(self.process.stdout.readline()) for _ in range(number)]

    def end(self) -> list[bytes]:
        """Close the input; return what else the server says until it exits."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        rest = self.process.stdout.readlines()
        self.process.stdout.close()
        assert self.process.wait(30) == 0
        return rest


CALL = request(5, "tools/call", name="bgrun_list", arguments={})
ALL = [handshake(), INITIALIZED, request(1, "tools/list"), request(2, "ping"), CALL, request(6, "ping")]


def test_each_message_has_one_answer(bg: Cli, bgrun_bin: Path) -> None:
    bg.jobs("jobs: {ok: {command: 'true'}}")
    every = b"".join(map(line, ALL))
    for parts in ([every], [bytes([one]) for one in every]):
        talk = Talk(bg, bgrun_bin)
        talk.say(*parts)
        found = talk.answers(5)
        assert [one["id"] for one in found[:3]] == [0, 1, 2]
        assert sorted(one["id"] for one in found[3:]) == [5, 6]
        assert all("result" in one for one in found)
        talk.say(line(request(7, "tools/list")), line(handshake(8)))
        later = {one["id"]: one["result"] for one in talk.answers(2)}
        assert later[7] == found[1]["result"]
        assert later[8] == found[0]["result"], "only the answer that was sent is left out"
        assert talk.end() == []


def test_a_call_before_the_list_waits_for_the_sdk(bg: Cli, bgrun_bin: Path) -> None:
    bg.jobs("jobs: {ok: {command: 'true'}}")
    talk = Talk(bg, bgrun_bin)
    talk.say(b"junk\n", line([1]), line(handshake(3)), line(INITIALIZED), line(CALL))
    found = talk.answers(4)
    assert [one["id"] for one in found] == [None, None, 3, 5]
    assert [one["error"]["code"] for one in found[:2]] == [mcp_types.PARSE_ERROR, mcp_types.INVALID_REQUEST]
    assert talk.end() == []


def test_a_client_that_leaves_at_once(bg: Cli, bgrun_bin: Path) -> None:
    for said in ([], [line(handshake()), line(INITIALIZED)], [line(handshake())[:-9]], [b"x" * 1_000_000]):
        talk = Talk(bg, bgrun_bin)
        talk.say(*said)
        assert len(talk.end()) == (len(said) == 2)


def test_the_list_comes_before_the_sdk(bg: Cli, bgrun_bin: Path, tmp_path: Path) -> None:
    """A stand-in for the SDK cannot be imported: the list is answered all the same, and then the reason is said."""
    (tmp_path / "slow" / "mcp").mkdir(parents=True)
    (tmp_path / "slow" / "mcp" / "__init__.py").write_text("raise ImportError('no', name='mcp')")
    asked = b"".join(map(line, ALL[:3]))
    env = {**bg.env, "PYTHONPATH": str(tmp_path / "slow")}
    command = [bgrun_bin / "bgrun", "mcp"]
    done = subprocess.run(command, cwd=bg.folder, env=env, input=asked, capture_output=True, timeout=60, check=False)
    assert [json.loads(one)["id"] for one in done.stdout.splitlines()] == [0, 1]
    assert (done.returncode, b"hint: install it: " in done.stderr) == (2, True)
