"""Services that run already: used by what needs them, if they are what it would start itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.api.services import without
from bgrun.plan import Node, RenderedJob, RenderedPlan
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli

SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""
JOBS = """
services:
  db: {command: exec python3 serve.py "$PORT", port: auto, ready: {port: true}, env: {MARK: "first"}}
  web: {command: exec python3 serve.py "$PORT", port: auto, ready: {port: true}, depends_on: [db]}
jobs:
  e2e: {command: 'echo "web=$WEB db=$DB"', depends_on: [web], env: &ports {WEB: "{{ services.web.port }}", DB: "{{ services.db.port }}"}}
  both: {command: 'echo "web=$WEB db=$DB"', depends_on: [web, db], env: *ports}
  look: {command: 'echo "web=$WEB db=$DB"', env: *ports}
groups:
  checks: {jobs: [e2e, both]}
"""


@pytest.fixture
def served(bg: Cli) -> Iterator[Cli]:
    """A project whose server runs, with its database."""
    (bg.folder / "serve.py").write_text(SERVER)
    bg.jobs(JOBS)
    bg("start", "web", "--wait", "--timeout", "30s")
    yield bg
    bg("stop", "web", code=None)
    wait_until(lambda: bg.json("status", "plan_web")["runs"][0]["state"] != "running", "the end of the servers")


def live(bg: Cli) -> set[str]:
    return {run["run_id"] for run in bg.json("list", "--state", "running")["runs"] if run["service"]}


def test_what_needs_a_service_that_runs_uses_it(served: Cli) -> None:
    web, db = served.state("web"), served.state("db")
    before = live(served)
    for job in ("e2e", "both", "look"):
        served("start", job, "--wait", "--timeout", "30s")
        assert served("logs", job).out == f"web={web['port']} db={db['port']}\n"
    served("group", "checks", "--wait", "--timeout", "30s")
    assert live(served) == before == {web["run_id"], db["run_id"]}
    assert served.meta(served.state("both"))["uses"].split() == [web["run_id"], db["run_id"]]


def test_a_service_that_runs_is_joined(served: Cli) -> None:
    again = served.json("start", "web", "--wait", "--timeout", "30s")
    assert again["joined"]
    assert again["run_id"] == served.state("web")["run_id"]
    assert again["ready_at"]


def test_another_service_of_the_same_name_is_started_apart(served: Cli) -> None:
    before, running = [served.state(name)["port"] for name in ("web", "db")], live(served)
    served.jobs(JOBS.replace("first", "second"))
    # The database is another one now, and so is the web server that needs it.
    served("start", "e2e", "--wait", "--timeout", "30s")
    ports = [int(word.partition("=")[2]) for word in served("logs", "e2e").out.split()]
    assert len({*before, *ports}) == 4
    wait_until(lambda: live(served) == running, "the end of the other servers")


def test_a_rerun_does_without_the_record_of_a_job_that_it_needed(bg: Cli) -> None:
    bg.jobs("jobs: {first: {command: 'true', retention: {max_runs: 1}}, then: {command: 'true', depends_on: [first]}}")
    bg("start", "then", "--wait")
    before = bg.state("first")["run_id"]
    bg("start", "first", "--wait")
    wait_until(lambda: not (bg.logs / f"{before}.meta").exists(), "the older run is deleted")
    bg("rerun", "then", "--wait")


def test_what_waits_for_a_service_that_ends_is_skipped(bg: Cli) -> None:
    bg.jobs(
        "services: {web: {command: exec sleep 60, ready: {log: never, timeout: 60s}}}\n"
        "jobs: {e2e: {command: echo hi, depends_on: [web]}}"
    )
    web = bg.json("start", "web")
    bg("start", "e2e")
    assert bg.state("e2e")["state"] == "queued"
    bg("stop", "web")
    skipped = bg.ended("e2e")
    assert (skipped["state"], skipped["reason"]) == ("skipped", f"dependency {web['run_id']} has finished")


def test_what_waits_for_a_service_starts_once_that_is_ready(bg: Cli) -> None:
    bg.jobs(
        "services: {web: {command: exec sleep 60, ready: {command: test -e flag}}}\n"
        "jobs: {e2e: {command: echo hi, depends_on: [web]}}"
    )
    web = bg.json("start", "web")
    bg("start", "e2e")
    wait_until(lambda: bg.state("e2e")["reason"] == f"waiting until {web['run_id']} is ready", "why it waits")
    assert bg.state("e2e")["state"] == "queued"
    (bg.folder / "flag").touch()
    assert bg.ended("e2e")["state"] == "succeeded"
    assert bg.state("web")["state"] == "running"
    assert bg.json("rerun", "e2e", "--wait", "--timeout", "30s")["state"] == "succeeded"
    bg("stop", "web")
    assert bg.json("rerun", "e2e", "--wait", "--timeout", "30s", code=1)["state"] == "skipped"


def test_what_uses_a_service_that_starts_again_waits_for_that(bg: Cli) -> None:
    bg.jobs(
        """
services:
  web:
    command: if [ -e die ]; then touch up; exec sleep 60; fi; touch began; until [ -e die ]; do sleep 0.02; done; exit 1
    retry: {max: 1, backoff: 3s}
jobs:
  e2e:
    # Without a check it is ready once it was launched: its attempt has begun, and may yet be about to do anything.
    command: test "$(cat .logs/.web_*.attempt)" = 2 && until [ -e up ]; do sleep 0.02; done
    depends_on: web
"""
    )
    web = bg.json("start", "web")
    wait_until((bg.folder / "began").exists, "it began")
    (bg.folder / "die").touch()
    wait_until((bg.logs / f".{web['run_id']}.attempt").exists, "it died")
    assert bg.json("start", "e2e", "--wait", "--timeout", "30s")["state"] == "succeeded"
    assert bg.meta(bg.state("e2e"))["uses"] == web["run_id"]
    bg("stop", "web")


def test_what_is_said_of_a_service_of_another_plan_that_was_stopped(bg: Cli) -> None:
    bg.jobs(
        "services: {web: {command: exec sleep 60}}\n"
        "jobs: {e2e: {command: 'until [ -e go ]; do sleep 0.02; done; exit 1', depends_on: [web]}}"
    )
    web = bg.json("start", "web")
    run = bg.json("start", "e2e")
    wait_until(lambda: bg.state("e2e")["state"] == "running", "it runs")
    assert f"web is still needed by {run['run_id']}" in bg("stop", "web").err
    assert bg.meta(bg.state("e2e"))["uses"] == web["run_id"]
    (bg.folder / "go").touch()
    bg.ended("e2e")
    (line,) = bg.json("report", "e2e")["digest"]["services"]
    assert line.startswith("web (needed by this) was stopped ")


def job(name: str) -> RenderedJob:
    return RenderedJob(name, "", "", "", "/", job=name)


def test_what_only_a_used_service_needs_is_left_out() -> None:
    nodes = (
        Node(job("build")),
        Node(job("db")),
        Node(job("web"), (0, 1), conditions=("succeeded", "ready")),
        Node(job("lint")),
        Node(job("e2e"), (2, 3), conditions=("ready", "succeeded")),
    )
    found = without(RenderedPlan(nodes, (4,)), {2: "web_1"})
    assert [node.job.job for node in found.nodes] == ["lint", "e2e"]
    assert found.wanted == (1,)
    assert (found.nodes[1].needs, found.nodes[1].conditions, found.nodes[1].uses) == ((0,), ("succeeded",), ("web_1",))
