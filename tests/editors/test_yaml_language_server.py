"""The language server behind YAML in editors, on a job file with our schema: diagnostics, hover, completion."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TOP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = """# yaml-language-server: $schema=bgjobs.schema.json
jobs:
  tests:
    command: pytest
    timeout: soon
    retry: {max: 2}
    \
"""
VALID = """# yaml-language-server: $schema=bgjobs.schema.json
include: [ci.yaml, {web: web/bgjobs.yaml}]
jobs:
  tests:
    command: [pytest, 3, "{{ extra }}"]
    retry: 3
    depends_on: build
    env: {A: null, B: NO, C: 1.10, D: 0755}
    env_file: [.env, {path: .env.local, required: false}]
    tags: ["2024"]
"""
HOVERS = {1: "Job files whose jobs", 5: "Retry a failed command", 6: "Jobs that must succeed", 7: "null removes",
          8: "dotenv files"}  # fmt: skip
"""What an editor shows over the first word of a line."""


class Server:
    """A language server spoken to over its standard streams (Language Server Protocol, base protocol)."""

    def __init__(self, programs: Path, folder: Path) -> None:
        pipe = subprocess.PIPE
        command = [programs / "node", programs / "yaml-language-server", "--stdio"]
        self.process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self.count = 0

    def send(self, method: str, params: dict[str, Any], **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self.count += 1
        self.send(method, params, id=self.count)
        return next(message["result"] for message in self.messages() if message.get("id") == self.count)

    def messages(self) -> Iterator[dict[str, Any]]:
        """Give what the server says; what it asks is answered with nothing."""
        assert self.process.stdout
        while (line := self.process.stdout.readline()).startswith(b"Content-Length:"):
            self.process.stdout.readline()
            message = json.loads(self.process.stdout.read(int(line.split()[1])))
            if "method" in message and "id" in message:
                self.reply(message)
            yield message

    def reply(self, message: dict[str, Any]) -> None:
        items = message.get("params", {}).get("items", []) if message["method"] == "workspace/configuration" else []
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": [{} for _ in items]}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()


@pytest.fixture
def server(clients: Path, tmp_path: Path) -> Iterator[Server]:
    shutil.copy(TOP / "schemas" / "bgjobs.schema.json", tmp_path)
    (tmp_path / "bgjobs.yaml").write_text(TEXT)
    running = Server(clients, tmp_path)
    yield running
    running.process.kill()
    running.process.wait()
    for stream in (running.process.stdin, running.process.stdout):
        assert stream
        stream.close()


def opened(server: Server, folder: Path, text: str) -> str:
    """Open a job file, and return its URI."""
    uri = (folder / "bgjobs.yaml").as_uri()
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
    server.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
    server.send("initialized", {})
    settings = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
    server.send("workspace/didChangeConfiguration", {"settings": settings})
    server.send("textDocument/didOpen", {"textDocument": document})
    return uri


@pytest.mark.timeout(240)
def test_all_forms_of_the_job_file_are_known_in_the_editor(server: Server, tmp_path: Path) -> None:
    uri = opened(server, tmp_path, VALID)
    at = {"textDocument": {"uri": uri}}
    for line, text in HOVERS.items():
        column = len(VALID.splitlines()[line]) - len(VALID.splitlines()[line].lstrip()) + 1
        assert text in json.dumps(
            server.ask("textDocument/hover", {**at, "position": {"line": line, "character": column}})
        )
    # The diagnostics of a broken text come last: those of the valid one before them would have been for it.
    change = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": VALID + "    nope: 1\n"}]}
    server.send("textDocument/didChange", change)
    reported = next(
        message["params"]["diagnostics"]
        for message in server.messages()
        if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["diagnostics"]
    )
    assert [one["range"]["start"]["line"] for one in reported] == [len(VALID.splitlines())], reported


@pytest.mark.timeout(240)
def test_diagnostics_hover_and_completion(server: Server, tmp_path: Path) -> None:
    uri = opened(server, tmp_path, TEXT)
    reported = next(
        message["params"]["diagnostics"]
        for message in server.messages()
        if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["diagnostics"]
    )
    assert reported[0]["range"]["start"]["line"] == 4, reported
    at = {"textDocument": {"uri": uri}}
    hover = server.ask("textDocument/hover", {**at, "position": {"line": 5, "character": 6}})
    assert "Retry a failed command" in json.dumps(hover)
    offered = server.ask("textDocument/completion", {**at, "position": {"line": 6, "character": 4}})
    items = offered["items"] if isinstance(offered, dict) else offered
    assert {"concurrency", "depends_on", "problems"} <= {item["label"] for item in items}
