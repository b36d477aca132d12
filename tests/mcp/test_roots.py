"""A server that was started outside of the project: the client says which directories it has open."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from bgrun.mcp.roots import directories
from tests.mcp.test_server import result_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli


def test_only_directories_of_this_machine_count(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "file").touch()
    here = f"{tmp_path}".replace(" ", "%20")
    uris = [
        f"file://{here}/a%20b",
        f"file://localhost{here}",
        f"file://far{here}",
        f"https://x{here}",
        f"file://{here}/file",
    ]
    assert directories([*uris, "file:///no/such", "", "x"]) == [f"{tmp_path}/a b", f"{tmp_path}"]


def tell(bg: Cli, elsewhere: Path, uris: list[str] | None, *calls: tuple[str, dict[str, Any], bool]) -> list[str]:
    """Return the answers of a server that runs elsewhere to a client with these directories open."""
    asked: list[None] = []

    async def open_here(_: Any) -> types.ListRootsResult:
        asked.append(None)
        if uris == []:
            raise ValueError("not now")
        return types.ListRootsResult(roots=[types.Root.model_validate({"uri": uri}) for uri in uris or []])

    async def work() -> list[str]:
        server = StdioServerParameters(command=sys.executable, args=["-m", "bgrun", "mcp"], cwd=elsewhere, env=bg.env)
        callback = None if uris is None else open_here
        async with Client(stdio_client(server), mode="legacy", list_roots_callback=callback) as client:
            return [await result_of(client, name, error=error, **given) for name, given, error in calls]

    with_answers = anyio.run(work)
    assert len(asked) <= len(calls)
    return with_answers


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def test_the_project_that_is_open_is_served(bg: Cli, elsewhere: Path) -> None:
    bg.jobs("jobs: {ok: {command: echo here}}")
    listed, ended = tell(
        bg,
        elsewhere,
        [elsewhere.as_uri(), bg.folder.as_uri()],
        ("bgrun_list", {}, False),
        ("bgrun_start", {"job": "ok"}, False),
    )
    assert listed == "ok"
    assert ended.startswith("succeeded ok_")
    assert [run["label"] for run in bg.json("list")["runs"]] == ["ok"]
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("uris", [None, [], ["file:///no/such"]])
def test_without_a_project_the_error_says_how_to_name_it(bg: Cli, elsewhere: Path, uris: list[str] | None) -> None:
    (error,) = tell(bg, elsewhere, uris, ("bgrun_start", {"job": "ok"}, True))
    assert error.startswith(f"no bgjobs.yaml in {elsewhere} or any parent directory\n")
    assert error.endswith("bgrun --file PATH/bgjobs.yaml mcp")
    assert list(elsewhere.iterdir()) == []
