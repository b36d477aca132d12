"""What a person and a script see of services: whether they are ready, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """
services:
  web: {command: exec sleep 60, port: 21999, ready: {command: test -e flag}}
  ends: {command: 'echo going; exit 3', ready: {command: test -e flag}}
jobs:
  quick: {command: echo hi}
"""


@pytest.fixture
def declared(bg: Cli) -> Cli:
    """A project with services that are ready once there is a flag."""
    bg.jobs(JOBS)
    return bg


def test_a_wait_for_a_service_ends_at_the_timeout_or_once_it_is_ready(declared: Cli) -> None:
    late = declared("start", "web", "--timeout", "0.3s", code=124)
    assert "not ready yet" in late.out + late.err
    assert declared("wait", "web", "--until", "ready", "--timeout", "0.1s", code=124).out.startswith("running web_")
    wait_until(lambda: "times)" in (declared.state("web")["reason"] or ""), "the answer of its check")
    assert " ready" not in declared("status", "web").out.splitlines()[0]
    (declared.folder / "flag").touch()
    run = declared.json("wait", "web", "--until", "ready")["runs"][0]
    assert (run["state"], run["service"], run["port"], run["url"]) == ("running", True, 21999, "http://127.0.0.1:21999")
    assert run["ready_at"] > run["started_at"]
    assert declared("status", "web").out.splitlines()[0].endswith(" ready url=http://127.0.0.1:21999")
    assert "ready at http://127.0.0.1:21999" in declared("status").out
    assert declared("wait", "--until", "ready", "-q").code == 0  # every service that runs
    declared("stop", "web")


def test_a_service_that_ends_before_it_is_ready_fails_the_wait(declared: Cli) -> None:
    declared("start", "ends", "--wait", "--timeout", "30s", code=1)
    ended = declared.state("ends")
    assert (ended["state"], ended["exit_code"], ended["ready_at"]) == ("failed", 3, None)
    declared("wait", "ends", "--until", "ready", code=1)


def test_a_wait_without_reference_leaves_services_alone(declared: Cli) -> None:
    declared("start", "web")
    assert "no runs but services" in declared("wait", code=2).err
    quick = declared.json("start", "quick", "--wait")
    declared("start", "ends", "--wait", "--timeout", "30s", code=1)
    assert [run["run_id"] for run in declared.json("wait")["runs"]] == [quick["run_id"]]
    held = declared.json("run", "held", "--", "sleep", "60")
    assert [run["run_id"] for run in declared.json("wait", "--timeout", "0.1s", code=124)["runs"]] == [held["run_id"]]
    declared("stop", "held")
    declared("stop", "web")


def test_a_bare_wait_passes_a_service_by_that_came_with_another_one(bg: Cli) -> None:
    bg.jobs(
        "services: {db: {command: exec sleep 60}, web: {command: exec sleep 60, depends_on: db}}\njobs: {a: {command: 'true'}}"
    )
    quick = bg.json("start", "a", "--wait")
    web = bg.json("start", "web")
    assert [run["run_id"] for run in bg.json("wait", "--timeout", "10s")["runs"]] == [quick["run_id"]]
    bg("stop", web["group_run"])


def test_a_job_is_never_ready(declared: Cli) -> None:
    declared("start", "quick", "--wait")
    assert "is not a service" in declared("wait", "quick", "--until", "ready", code=2).err
    assert "no active services" in declared("wait", "--until", "ready", code=2).err
    assert "choose ready or finished" in declared("wait", "quick", "--until", "soon", code=2).err
    declared("wait", "quick", "--until", "finished")


def test_a_wait_for_a_job_ends_once_its_services_have_stopped(bg: Cli) -> None:
    bg.jobs("""
services:
  db: {command: "trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.02; done"}
  web: {command: exec sleep 60, depends_on: db}
  needed: {command: exec sleep 60}
jobs:
  e2e: {command: echo hi, depends_on: {web: {condition: service_healthy}, slow: {condition: service_started}}}
  slow: {command: "until [ -e go ]; do sleep 0.02; done", depends_on: needed}
""")
    bg("start", "e2e", "--wait", "-t", "60s")
    assert {name: bg.state(name)["state"] for name in ("db", "web", "needed", "slow")} == {
        **{"db": "stopped", "web": "stopped", "needed": "running", "slow": "running"}
    }
    (bg.folder / "go").touch()
    assert bg.ended("plan_e2e")["state"] == "succeeded"


def test_the_timeout_of_a_wait_counts_for_the_stop_of_services_too(bg: Cli) -> None:
    bg.jobs("""
services:
  web:
    command: trap 'until [ -e go ]; do sleep 0.02; done; exit 0' TERM; echo up; while :; do sleep 0.02; done
    ready: up
    stop_grace_period: 60s
jobs: {e2e: {command: echo hi, depends_on: web}}
""")
    done = bg("start", "e2e", "--timeout", "4s")  # the job itself has succeeded
    assert "succeeded e2e_" in done.out
    assert bg.state("web")["state"] == "running"
    (bg.folder / "go").touch()
    assert bg.ended("plan_e2e")["state"] == "succeeded"
