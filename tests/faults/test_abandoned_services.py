"""Services whose supervisor was killed: nobody checks or stops them any more, and nothing waits for that."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli, wait_until
from tests.faults.conftest import orphan
from tests.faults.test_services import go, members, start, until_state

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = """
services:
  db: {command: exec sleep 1000, ready: {command: test -e ready}}
  web: {command: "until [ -e web_ends ]; do sleep 0.02; done; exit 5", ready: {command: test -e ready}, depends_on: db}
jobs:
  e2e:
    command: until [ -e go ]; do sleep 0.02; done; exit "$(cat go)"
    depends_on: web
  later: {command: touch later, depends_on: [e2e, web]}
groups:
  checks: {jobs: [e2e]}
  more: {jobs: [e2e, later]}
  serving: {jobs: [db, web]}
"""


@pytest.fixture
def shop(bg: Cli) -> Iterator[Cli]:
    """A project with a service that another one needs; both are ready once there is a file."""
    bg.jobs(JOBS)
    yield bg
    for run in bg.json("list", "-n", "50")["runs"]:
        if run["state"] in ("queued", "running"):
            bg("stop", "--now", run["run_id"], code=None)


def ready(bg: Cli) -> None:
    (bg.folder / "ready").touch()


def begun(bg: Cli, group: str) -> str:
    """Start a group, wait until its first job runs and kill its supervisor; return the ID of its run."""
    ready(bg)
    run = start(bg, "group", group)
    until_state(bg, run, "e2e", "running")
    orphan(bg, bg.state(run))
    return run


def waiting(bg: Cli, *words: str) -> subprocess.Popen[str]:
    """Return a command that waits."""
    return subprocess.Popen(
        [*bg.command, *words], cwd=bg.folder, env=bg.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


# --- it was not ready yet ---------------------------------------------------------------------


def test_what_would_use_it_is_skipped_at_once(shop: Cli) -> None:
    db = shop.json("start", "db")
    shop.jobs(JOBS.replace("jobs:\n", "jobs:\n  look: {command: touch looked, depends_on: db}\n", 1))
    group = start(shop, "start", "look")
    until_state(shop, group, "look", "queued")
    orphan(shop, db)
    run = shop.ended(group) and members(shop, group)["look"]
    assert run["state"] == "skipped"
    assert run["reason"] == f"dependency {db['run_id']} will not become ready: its supervisor was killed"
    ready(shop)
    assert shop.state(db["run_id"])["ready_at"] is None
    assert not (shop.folder / "looked").exists()
    # What is started now does not use it.
    again = start(shop, "start", "look")
    assert shop.ended(again)["state"] == "succeeded"
    assert members(shop, again)["db"]["state"] == "stopped"
    assert shop.state(db["run_id"])["state"] == "running"


@pytest.mark.parametrize("words", [("start", "db", "--wait"), ("wait", "db", "--until", "ready")])
def test_a_wait_without_a_timeout_ends(shop: Cli, words: tuple[str, ...]) -> None:
    if words[0] == "wait":
        shop("start", "db")
    with waiting(shop, *words) as waiter:
        wait_until(lambda: list(shop.logs.glob(".db_*.ready")), "its check has answered")
        run = shop.state("db")
        assert waiter.poll() is None
        orphan(shop, run)
        out, err = waiter.communicate(timeout=20)
    assert waiter.returncode == 1
    assert re.search(rf"^running {run['run_id']} for \S+, never ready: its supervisor was killed", out, re.MULTILINE)
    assert "timed out" not in err
    assert shop("wait", "db", "--until", "ready", "-q", code=1).out == ""


def test_a_supervisor_whose_lock_was_deleted_makes_it_ready_all_the_same(shop: Cli) -> None:
    db = shop.json("start", "db")
    (shop.logs / f"{db['run_id']}.pid").unlink()
    assert not shop.state("db")["abandoned"]
    ready(shop)
    assert shop.json("wait", "db", "--until", "ready", "-t", "20s")["runs"][0]["ready_at"]


# --- a group is over once its jobs are --------------------------------------------------------


@pytest.mark.parametrize(("code", "state"), [(0, "succeeded"), (3, "failed")])
def test_a_wait_for_the_group_ends_with_its_jobs(shop: Cli, code: int, state: str) -> None:
    group = begun(shop, "checks")
    assert shop.state(group)["state"] == "running"
    with waiting(shop, "wait", group) as waiter:
        assert waiter.poll() is None
        go(shop, code)
        out, _ = waiter.communicate(timeout=20)
    assert waiter.returncode == (0 if code == 0 else 1)
    runs = members(shop, group)
    found = shop.state(group)
    assert (found["state"], found["exit_code"]) == (state, 0 if code == 0 else 1)
    assert sorted(found["left_running"]) == sorted(runs[name]["pid"] for name in ("db", "web"))
    left = re.escape(f"; left 2 processes running (pid {runs['db']['pid']}, {runs['web']['pid']}): bgrun stop {group}")
    assert re.search(rf"^{state} {group} .*{left}$", out, re.MULTILINE)
    assert {runs[name]["state"] for name in ("db", "web")} == {"running"}

    if code == 0:
        assert f"every job of {group} succeeded" in shop("rerun", group, "--failed", code=2).err
    stopped = shop("stop", group)
    assert re.search(r"stopped \d+ processes it had left running$", stopped.out)
    runs = members(shop, group)
    assert {runs[name]["state"] for name in ("db", "web")} == {"stopped"}
    found = shop.state(group)
    assert (found["state"], found["exit_code"], found["left_running"]) == (state, 0 if code == 0 else 1, [])
    # What nothing needed any more is no finding, and no failure.
    assert [one["run_id"] for one in shop.json("report", group)["digest"]["runs"]] == (
        [] if code == 0 else [runs["e2e"]["run_id"]]
    )


def test_a_group_whose_jobs_never_started_has_failed(shop: Cli) -> None:
    ready(shop)
    group = begun(shop, "more")
    go(shop)
    assert shop.ended(group)["state"] == "failed"
    assert members(shop, group)["later"]["state"] == "skipped"
    shop("stop", group)
    assert (shop.state(group)["state"], shop.state(group)["reason"]) == ("failed", "1 skipped of 2")


def test_a_group_whose_services_were_not_ready_has_failed(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "db", "running")
    orphan(shop, shop.state(group))
    assert shop.ended(group)["state"] == "failed"
    states = {label: run["state"] for label, run in members(shop, group).items()}
    assert states == {"db": "running", "web": "skipped", "e2e": "skipped"}
    shop("stop", group)
    assert shop.state(group)["state"] == "failed"


def test_a_service_counts_if_it_ended_while_a_job_ran(shop: Cli) -> None:
    group = begun(shop, "checks")
    (shop.folder / "web_ends").touch()
    assert until_state(shop, group, "web", "failed")["exit_code"] == 5
    go(shop)
    found = shop.ended(group)
    assert (found["state"], found["reason"]) == ("failed", "1 failed of 2")
    shop("stop", group)


def test_what_becomes_of_a_service_later_does_not_change_the_result(shop: Cli) -> None:
    group = begun(shop, "checks")
    go(shop)
    ended = shop.ended(group)
    assert ended["state"] == "succeeded"
    (shop.folder / "web_ends").touch()
    until_state(shop, group, "web", "failed")
    db = members(shop, group)["db"]
    os.killpg(db["pid"], signal.SIGKILL)
    until_state(shop, group, "db", "lost")
    found = shop.state(group)
    assert (found["state"], found["ended_at"]) == ("succeeded", ended["ended_at"])


def test_a_group_of_services_runs_until_they_are_stopped(shop: Cli) -> None:
    ready(shop)
    group = start(shop, "group", "serving")
    wait_until(lambda: members(shop, group)["web"]["ready_at"], "web is ready")
    orphan(shop, shop.state(group))
    assert shop.state(group)["state"] == "running"
    shop("stop", group)
    assert shop.state(group)["state"] == "stopped"


def test_a_stop_of_the_group_stops_what_its_jobs_use_along_with_them(shop: Cli) -> None:
    group = begun(shop, "checks")
    shop("stop", group)
    assert {label: run["state"] for label, run in members(shop, group).items()} == {
        **dict.fromkeys(("db", "web", "e2e"), "stopped")
    }
    assert shop.state(group)["state"] == "stopped"


def test_a_service_whose_group_was_deleted_is_in_nobodys_way(shop: Cli) -> None:
    ready(shop)
    shop("start", "web", "--wait", "-t", "20s")
    web = shop.state("web")
    for path in shop.logs.glob(f"{web['group_run']}.*"):
        path.unlink()
    go(shop)
    shop("start", "e2e", "--wait", "-t", "20s")
    assert shop.state("e2e")["state"] == "succeeded"
    shop("stop", "web", "db")


@pytest.mark.parametrize("killed", [0, 1], ids=["the earlier one", "the later one"])
def test_of_two_plans_at_once_the_death_of_one_leaves_the_other_alone(shop: Cli, killed: int) -> None:
    ready(shop)
    groups = [start(shop, "group", "checks") for _ in range(2)]
    for group in groups:
        until_state(shop, group, "e2e", "running")
    dead, lives = groups[killed], groups[1 - killed]
    orphan(shop, shop.state(dead))
    go(shop)
    assert shop.ended(lives)["state"] == "succeeded"
    runs = members(shop, lives)
    assert {runs[name]["reason"].partition(" (")[0] for name in ("db", "web")} == {"no longer needed"}
    assert shop.ended(dead)["state"] == "succeeded"
    assert {members(shop, dead)[name]["state"] for name in ("db", "web")} == {"running"}
    shop("stop", dead)


# --- what it leaves ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stopped", "ended", "killed"])
def test_the_last_answer_of_its_check_does_not_outlast_it(shop: Cli, how: str) -> None:
    shop.jobs("services: {web: {command: 'until [ -e go ]; do sleep 0.02; done', ready: {command: test -e ready}}}")
    run = shop.json("start", "web")
    answer = shop.logs / f".{run['run_id']}.ready"
    wait_until(lambda: answer.exists() and answer.read_text(), "its check has answered")
    orphan(shop, run)
    assert answer.exists()
    if how == "stopped":
        shop("stop", "web")
    elif how == "ended":
        go(shop)
        until_gone(shop, "web")
    else:
        os.killpg(run["pid"], signal.SIGKILL)
        until_gone(shop, "web")
    assert not answer.exists()


def until_gone(bg: Cli, ref: str) -> None:
    wait_until(lambda: bg.state(ref)["state"] != "running", f"{ref} is over")
