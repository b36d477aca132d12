"""What breaks around services: each test breaks one thing, with real servers and probers."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.store import state
from bgrun.store.store import Store
from bgrun.system import clock, lock, ports
from tests.conftest import LIMITS_S, Cli, wait_until
from tests.faults import without
from tests.faults.conftest import is_gone, orphan, words_of
from tests.local.readiness.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = """
import os, signal, socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
listener.listen()
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
def leave(*_):
    while not os.path.exists("leave"):
        time.sleep(0.02)
    os._exit(0)
if "lingering" in sys.argv:
    signal.signal(signal.SIGTERM, leave)
print("listening", flush=True)
while True:
    listener.accept()[0].close()
"""


@pytest.fixture
def shop(bg: Cli) -> Iterator[Cli]:
    """A project with a server `web` that needs `db`; jobs of it wait for files that the tests write."""
    (bg.folder / "server.py").write_text(SERVER, encoding="utf-8")
    bg.jobs(
        f"""
services:
  db: {{command: "exec {sys.executable} -S server.py", port: auto, ready: listening}}
  web:
    command: exec {sys.executable} -S server.py
    port: auto
    ready: {{port: true}}
    depends_on: db
  never: {{command: sleep 100, ready: {{log: listening, timeout: 300ms}}}}
  again:
    command: |
      if [ ! -e up ]; then touch up; exit 4; fi
      rm up; until rm rise 2>&-; do sleep 0.02; done; echo listening; read -r _ < pipe; exit 3
    ready: listening
    retry: {{max: 5, backoff: 50ms}}
  stubborn: {{command: "exec {sys.executable} -S server.py stubborn", port: auto, ready: listening, stop_grace_period: 300ms}}
jobs:
  e2e:
    command: until [ -e go ]; do sleep 0.02; done; exit "$(cat go)"
    depends_on: web
  after: {{command: touch after, depends_on: [e2e, web]}}
  with_never: {{command: touch ran, depends_on: never}}
  with_stubborn: {{command: "true", depends_on: stubborn}}
  first: {{command: "touch first; until [ -e go ]; do sleep 0.02; done", depends_on: again}}
  second: {{command: touch second, depends_on: [first, again]}}
  lint: {{command: "until [ -e go ]; do sleep 0.02; done"}}
groups:
  checks: {{jobs: [e2e, after]}}
  fast: {{jobs: [e2e, lint], fail_fast: true}}
  serving: {{jobs: [db, web]}}
""",
    )
    yield bg
    for run in bg.json("list", "-n", "50")["runs"]:  # only of a test that failed
        if run["state"] in ("queued", "running"):
            bg("stop", "--now", run["run_id"], code=None)


def members(bg: Cli, group_run: str) -> dict[str, dict[str, Any]]:
    """Return the runs of a group by their labels."""
    store = Store(str(bg.logs))
    runs = [store.read(one) for one in (store.facts(group_run) or {}).get("members", "").split()]
    return {run.label: run._asdict() for run in runs if run}


def start(bg: Cli, *words: str) -> str:
    """Start something and return the run ID of its group."""
    run = bg.json(*words)
    return str(run["group_run"] or run["run_id"])


def until_state(bg: Cli, group_run: str, label: str, *states: str) -> dict[str, Any]:
    """Return a run of a group once it is in one of these states."""

    def found() -> dict[str, Any] | None:
        run = members(bg, group_run).get(label)
        return run if run and run["state"] in states else None

    run: dict[str, Any] = wait_until(found, f"{label} is {states}")
    return run


def go(bg: Cli, code: int = 0) -> None:
    """Let the jobs that wait end with an exit code."""
    (bg.folder / "go.new").write_text(str(code), encoding="utf-8")
    (bg.folder / "go.new").rename(bg.folder / "go")


def order(bg: Cli, group_run: str) -> list[str]:
    """Return the events in the log of a group, as `started web`."""
    lines = (bg.logs / f"{group_run}.log").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines]
    return [f"{one[1]} {one[2].rsplit('_', 2)[0]}" for one in words if len(one) > 2 and "_20" in one[2]]


def server_of(run: dict[str, Any]) -> psutil.Process:
    """Return the server of a service: the child of its job script."""
    found: list[psutil.Process] = wait_until(lambda: psutil.Process(run["pid"]).children(), "the server")
    return found[0]


def probers(bg: Cli, group_run: str) -> list[psutil.Process]:
    """Return the processes that check readiness: forks of the supervisor."""
    leader = psutil.Process(bg.state(group_run)["pid"])
    words = words_of(leader)
    return [one for one in leader.children() if words and words_of(one) == words]


# --- all is well ------------------------------------------------------------------------------


def test_services_start_in_order_become_ready_and_stop_in_the_reverse_order(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "e2e", "running")
    runs = members(shop, group)
    own = {label: int(shop.meta(runs[label])["port"]) for label in ("db", "web")}
    go(shop)
    ended = shop.ended(group)
    assert (ended["state"], ended["exit_code"]) == ("succeeded", 0)
    assert order(shop, group) == [
        *("started db", "ready db", "started web", "ready web", "started e2e", "succeeded e2e"),
        *("started after", "succeeded after", "stopped web", "stopped db"),
    ]
    runs = members(shop, group)
    for label in ("db", "web"):
        assert runs[label]["reason"] == "no longer needed (1 process stopped)"
        assert shop.meta(runs[label])["ready_at"] >= shop.meta(runs[label])["started_at"]
    for port in own.values():
        assert ports.is_free(port)


def test_a_service_alone_runs_until_it_is_stopped_with_a_slim_supervisor_and_no_prober(shop: Cli) -> None:
    run = shop.json("start", "db")
    meta = Path(run["meta"])
    wait_until(lambda: "ready_at=" in meta.read_text(encoding="utf-8"), "db is ready")
    supervisor = psutil.Process(int(shop.meta(run)["supervisor_pid"]))
    wait_until(lambda: "memfd" in str(supervisor.cmdline()) or "-c" in supervisor.cmdline(), "it was re-executed")
    assert [one.pid for one in supervisor.children() if one.pid != run["pid"] and "sleep" not in one.name()] == []
    assert shop.state("db")["state"] == "running"
    shop("stop", "db")
    assert shop.ended("db")["state"] == "stopped"


def test_a_group_of_services_runs_until_it_is_stopped(shop: Cli) -> None:
    group = start(shop, "group", "serving")
    wait_until(lambda: "ready web" in order(shop, group), "web is ready")
    shop("stop", group)
    assert shop.ended(group)["state"] == "stopped"
    assert order(shop, group)[-2:] == ["stopped web", "stopped db"]


def test_starts_at_the_same_moment_have_each_a_service_of_their_own(shop: Cli) -> None:
    shop.jobs(
        f"""
services: {{web: {{command: "exec {sys.executable} -S server.py", port: auto, ready: {{port: true}}}}}}
jobs: {{e2e: {{command: 'echo "$WEB"', depends_on: web, env: {{WEB: "{{{{ services.web.port }}}}"}}}}}}
""",
    )
    with ThreadPoolExecutor(6) as starts:
        groups = list(starts.map(lambda _: start(shop, "start", "e2e"), range(6)))
    ended = [(shop.ended(group)["state"], members(shop, group)) for group in groups]
    assert [state for state, _ in ended] == ["succeeded"] * 6
    for _, runs in ended:
        printed = (shop.logs / f"{runs['e2e']['run_id']}.log").read_text(encoding="utf-8")
        assert printed.split() == [str(runs["web"]["port"])]


# --- a service fails --------------------------------------------------------------------------


def test_a_service_that_dies_leaves_the_job_its_own_result_and_skips_what_is_queued(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "e2e", "running")
    server_of(until_state(shop, group, "web", "running")).kill()
    until_state(shop, group, "web", "failed")
    until_state(shop, group, "after", "skipped")
    go(shop)
    ended = shop.ended(group)
    runs = members(shop, group)
    assert ended["state"] == "failed"
    assert {label: run["state"] for label, run in runs.items()} == {
        **{"db": "stopped", "web": "failed", "e2e": "succeeded", "after": "skipped"}
    }
    assert runs["web"]["exit_code"] == 137
    assert runs["after"]["reason"] == f"dependency {runs['web']['run_id']} failed"
    assert not (shop.folder / "after").exists()


def test_with_fail_fast_a_service_that_dies_ends_the_rest(shop: Cli) -> None:
    group = start(shop, "group", "fast")
    until_state(shop, group, "e2e", "running")
    server_of(until_state(shop, group, "web", "running")).kill()
    assert shop.ended(group)["state"] == "failed"
    states = {label: run["state"] for label, run in members(shop, group).items()}
    assert states == {"db": "stopped", "web": "failed", "e2e": "stopped", "lint": "stopped"}


def test_a_service_that_exits_with_0_has_failed(shop: Cli) -> None:
    shop.jobs("services: {web: {command: 'true'}}")
    shop("start", "web")
    ended = shop.ended("web")
    assert (ended["state"], ended["exit_code"], ended["reason"]) == ("failed", 0, "the service exited by itself")


def test_a_service_that_ends_while_its_supervisor_is_killed_has_failed_too(shop: Cli) -> None:
    shop.jobs("services: {web: {command: 'until [ -e go ]; do sleep 0.02; done'}}")
    run = shop.json("start", "web")
    os.kill(int(shop.meta(run)["supervisor_pid"]), signal.SIGKILL)
    go(shop)
    wait_until(lambda: shop.state("web")["state"] != "running", "it has ended")
    assert shop.state("web")["state"] == "failed"


def test_a_service_that_is_never_ready_is_stopped_and_what_needs_it_is_skipped(shop: Cli) -> None:
    group = start(shop, "start", "with_never")
    assert shop.ended(group)["state"] == "failed"
    runs = members(shop, group)
    assert runs["never"]["state"] == "failed"
    assert runs["never"]["reason"].startswith("not ready in 0.3 s: a log line that matches 'listening': ")
    assert runs["with_never"]["state"] == "skipped"
    assert runs["with_never"]["reason"] == f"dependency {runs['never']['run_id']} failed"
    assert not (shop.folder / "ran").exists()


def test_a_port_that_is_taken_is_refused_with_who_has_it(shop: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shop.jobs(
            f"services: {{web: {{command: sleep 100, port: {port}}}}}\njobs: {{e2e: {{command: 'true', depends_on: web}}}}"
        )
        done = shop("start", "web", code=None)
        assert done.code == 2
        assert f"port {port} is taken by pid {os.getpid()} (" in done.err
        group = start(shop, "start", "e2e")
        assert shop.ended(group)["state"] == "failed"
        assert f"port {port} is taken by pid {os.getpid()}" in members(shop, group)["web"]["reason"]
        assert members(shop, group)["e2e"]["state"] == "skipped"


def test_a_start_waits_for_the_port_of_a_service_that_is_being_stopped(bg: Cli) -> None:
    (bg.folder / "server.py").write_text(SERVER, encoding="utf-8")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    bg.jobs(
        f"""
services:
  db: {{command: "exec {sys.executable} -S server.py lingering", port: {port}, ready: listening, stop_grace_period: 10m}}
jobs:
  e2e: {{command: "true", depends_on: db}}
"""
    )
    group = start(bg, "start", "e2e")
    bg("wait", members(bg, group)["e2e"]["run_id"])
    wait_until((bg.logs / f".{members(bg, group)['db']['run_id']}.stop").exists, "the stop of its service")
    again = start(bg, "start", "e2e")
    assert members(bg, again)["db"]["state"] == "queued"
    (bg.folder / "leave").touch()
    assert bg.ended(again)["state"] == "succeeded"


def test_the_summary_of_a_job_begins_with_the_service_that_failed_before_it(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "e2e", "running")
    server_of(until_state(shop, group, "web", "running")).kill()
    until_state(shop, group, "web", "failed")
    go(shop, 1)
    shop.ended(group)
    run = members(shop, group)["e2e"]
    line = shop.json("report", run["run_id"])["digest"]["services"][0]
    assert re.fullmatch(r"web \(needed by this\) failed .* before this ended: exit 137 \(SIGKILL\)", line)
    printed = shop("report", run["run_id"]).out.splitlines()
    assert printed[1] == line
    digest = shop.json("report", group)["digest"]
    assert [one["run_id"].rsplit("_", 2)[0] for one in digest["runs"]] == ["web", "e2e"]  # db only was not needed


def test_two_plans_never_launch_a_service_with_the_same_declared_port(shop: Cli) -> None:
    port = free_port()
    shop.jobs(
        f"""
services:
  web: {{command: "touch launched; until [ -e listen ]; do sleep 0.02; done; exec {sys.executable} -S server.py", port: {port}, ready: listening}}
jobs: {{e2e: {{command: 'true', depends_on: web}}}}
""",
    )
    first = start(shop, "start", "e2e")
    wait_until((shop.folder / "launched").exists, "web is launched, and does not listen yet")
    second = start(shop, "start", "e2e")
    assert shop.ended(second)["state"] == "failed"
    runs = members(shop, second)
    assert (runs["web"]["state"], runs["web"]["pid"], runs["e2e"]["state"]) == ("skipped", None, "skipped")
    assert runs["web"]["reason"] == f"cannot start web: port {port} is taken by a service that was just started"
    (shop.folder / "listen").touch()
    assert shop.ended(first)["state"] == "succeeded"
    third = start(shop, "start", "e2e")  # which got it as soon as the first one was over
    assert shop.ended(third)["state"] == "succeeded"


CUT_SHORT = ("no answer yet", "did not finish")
"""What may be all that there is to tell of a check with a near deadline, where others have the processor."""


def test_a_check_shows_its_command_and_no_script(shop: Cli) -> None:
    shown = {
        "web": "command 'echo not yet; exit 3': exit 3: not yet",
        "killed": "command 'kill -9 $$': killed by SIGKILL",
        "within": "command \"sh -c 'kill -9 $$'; exit $?\": exit 137 (SIGKILL)",
    }
    for within in LIMITS_S:
        shop.jobs(f"""
            services:
              web:
                command: sleep 100
                env: {{SOME: value}}
                ready: {{command: 'echo not yet; exit 3', timeout: {within}s}}
              killed: {{command: sleep 100, ready: {{command: 'kill -9 $$', timeout: {within}s}}}}
              within: {{command: sleep 100, ready: {{command: "sh -c 'kill -9 $$'; exit $?", timeout: {within}s}}}}
        """)
        for name in shown:
            shop("start", name)
        runs = {name: shop.ended(name, "60s") for name in shown}
        again = shop.json("rerun", "web", "--wait", code=1)
        if not any(cut in run["reason"] for run in (*runs.values(), again) for cut in CUT_SHORT):
            break
    for name, words in shown.items():
        assert runs[name]["reason"].startswith(f"not ready in {within} s: {words}")
        assert shop.meta(runs[name])["ready"] == words.partition(": ")[0]
    assert again["reason"].startswith(f"not ready in {within} s: {shown['web']}")


# --- rerun ------------------------------------------------------------------------------------


def test_a_rerun_brings_the_services_along(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "e2e", "running")
    go(shop, 1)
    shop.ended(group)
    go(shop)
    shop("rerun", group, "--failed", "--wait")
    again = shop.state("checks")["run_id"]
    assert shop.ended(again)["state"] == "succeeded"
    assert order(shop, again) == [
        *("started db", "ready db", "started web", "ready web", "started e2e", "succeeded e2e"),
        *("started after", "succeeded after", "stopped web", "stopped db"),
    ]
    run = shop.json("rerun", members(shop, group)["e2e"]["run_id"])
    assert shop.ended(run["run_id"])["state"] == "succeeded"
    assert shop.ended(run["group_run"])["state"] == "succeeded"
    assert "ready web" in order(shop, run["group_run"])


# --- retry ------------------------------------------------------------------------------------


def test_a_service_that_starts_again_has_to_become_ready_again_before_more_is_launched(shop: Cli) -> None:
    os.mkfifo(shop.folder / "pipe")
    rise = shop.folder / "rise"
    rise.touch()
    group = start(shop, "start", "second")
    until_state(shop, group, "first", "running")
    (shop.folder / "pipe").write_text("\n", encoding="utf-8")  # it dies, fails once more, and is up at the next attempt
    run = until_state(shop, group, "again", "running")
    attempt = shop.logs / f".{run['run_id']}.attempt"
    wait_until(lambda: attempt.read_text(encoding="utf-8").strip() in ("3", "4"), "it died")
    go(shop)
    wait_until(lambda: "succeeded first" in order(shop, group), "all else that is needed is over")
    rise.touch()
    assert shop.ended(group)["state"] == "succeeded"
    events = order(shop, group)
    assert "ready again" in events[events.index("succeeded first") : events.index("started second")]


PAUSED = "{command: 'test -e up || grep -q . <(sed 1d .logs/.w_*.attempt)'}"  # holds in the pause, and once it is up


@pytest.mark.parametrize(
    ("ready", "backoff"),
    [("{delay: 2s}", "2500ms"), (PAUSED, "1s"), ("{log: begun}", "1s")],
    ids=["delay", "command", "log"],
)
def test_a_service_that_waits_for_its_next_attempt_is_not_ready(bg: Cli, ready: str, backoff: str) -> None:
    bg.jobs(
        f"""
services:
  w:
    command: "if [ -e died ]; then touch up; echo begun; exec sleep 60; fi; touch died; exit 1"
    ready: {ready}
    retry: {{max: 1, backoff: {backoff}}}
jobs:
  needs: {{command: test -e up, depends_on: w}}
"""
    )
    assert bg.json("start", "needs", "--wait")["state"] == "succeeded"


def test_a_service_without_a_check_is_launched_again_before_more_is(bg: Cli) -> None:
    bg.jobs(
        """
services:
  w:
    command: "if [ -e died ]; then touch up; exec sleep 60; fi; touch died; exit 1"
    retry: {max: 1, backoff: 1s}
jobs:
  first: {command: "until cat .logs/.w_*.attempt; do sleep 0.01; done", depends_on: w}
  # Its attempt has begun, and may yet be about to do anything.
  second: {command: 'test "$(cat .logs/.w_*.attempt)" = 2 && until [ -e up ]; do sleep 0.02; done', depends_on: [first, w]}
"""
    )
    assert bg.json("start", "second", "--wait")["state"] == "succeeded"


def test_a_service_that_dies_after_the_last_job_and_before_its_stop_has_failed(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "after", "queued")
    until_state(shop, group, "e2e", "running")
    supervisor = psutil.Process(shop.state(group)["pid"])
    supervisor.suspend()  # it learns of both ends at once
    runs = members(shop, group)
    go(shop, 1)  # what is queued does not start, so that this was the last job
    for pid, ends in ((runs["e2e"]["pid"], None), (runs["web"]["pid"], server_of(runs["web"]))):
        if ends:
            ends.kill()
        wait_until(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "it has ended")
    supervisor.resume()
    assert shop.ended(group)["state"] == "failed"
    runs = members(shop, group)
    assert (runs["web"]["state"], runs["web"]["exit_code"]) == ("failed", 137)
    assert (runs["db"]["state"], runs["e2e"]["exit_code"]) == ("stopped", 1)


AGAIN = """
services:
  web:
    command: |
      if [ ! -e dead ]; then touch up; until [ -e die ]; do sleep 0.02; done; rm up; touch dead; exit 3; fi
      until [ -e revive ]; do sleep 0.02; done
      touch up; exec sleep 100
    ready: {command: test -e up, timeout: TIMEOUT}
    retry: {max: 3, backoff: 50ms}
jobs: {e2e: {command: test -e up, depends_on: web}}
"""


@pytest.mark.parametrize("abandoned", [False, True], ids=["supervised", "abandoned"])
def test_a_used_service_that_was_started_again_has_to_be_ready_again(shop: Cli, abandoned: bool) -> None:
    shop.jobs(AGAIN.replace("TIMEOUT", "30s"))
    web = shop.json("start", "web", "--wait", "-t", "20s")
    if abandoned:
        os.kill(int(shop.meta(web)["supervisor_pid"]), signal.SIGKILL)
        wait_until(lambda: shop.state("web")["abandoned"], "its supervisor is gone")
    (shop.folder / "die").touch()
    wait_until(lambda: (shop.logs / f".{web['run_id']}.attempt").exists(), "it is started again")
    group = start(shop, "start", "e2e")
    run = until_state(shop, group, "e2e", "queued")
    assert shop.meta(run)["uses"] == web["run_id"]
    first = wait_until(lambda: probers(shop, group), "a prober")[0]
    first.kill()
    wait_until(lambda: [one for one in probers(shop, group) if one.pid != first.pid], "another one")
    (shop.folder / "revive").touch()
    assert shop.ended(group)["state"] == "succeeded"
    assert not (shop.logs / f".{web['run_id']}.ready").exists()
    assert shop.state("web")["state"] == "running"
    shop("stop", "web")


def test_what_uses_a_service_that_does_not_become_ready_again_is_skipped(shop: Cli) -> None:
    shop.jobs(AGAIN.replace("TIMEOUT", "30s"))
    web = shop.json("start", "web", "--wait", "-t", "20s")
    (shop.folder / "die").touch()
    wait_until(lambda: (shop.logs / f".{web['run_id']}.attempt").exists(), "it is started again")
    recorded = Path(web["meta"]).read_text()
    assert recorded.count("[], 30.0, ") == 1
    for within in LIMITS_S:
        Path(web["meta"]).write_text(recorded.replace("[], 30.0, ", f"[], {within}.0, "))
        group = start(shop, "start", "e2e")
        assert shop.ended(group, "60s")["state"] == "failed"
        reason = members(shop, group)["e2e"]["reason"]
        if not any(cut in reason for cut in CUT_SHORT):
            break
    assert reason.startswith(f"dependency {web['run_id']} is not ready: command 'test -e up': exit 1")
    shop("stop", "web")


# --- stops ------------------------------------------------------------------------------------


def test_a_stubborn_service_is_killed_and_the_group_waits_for_that(shop: Cli) -> None:
    group = start(shop, "start", "with_stubborn")
    assert shop.ended(group)["state"] == "succeeded"
    run = members(shop, group)["stubborn"]
    assert (run["state"], run["exit_code"]) == ("stopped", 137)
    assert is_gone(run["pid"])


def test_a_stop_of_the_group_ends_jobs_first_and_then_services_in_order(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "e2e", "running")
    shop("stop", group)
    assert shop.ended(group)["state"] == "stopped"
    events = [one for one in order(shop, group) if one.startswith("stopped")]
    assert events == ["stopped after", "stopped e2e", "stopped web", "stopped db"]
    assert {run["reason"].partition(" (")[0] for run in members(shop, group).values()} == {
        *("on request", "stopped before it started")
    }


def test_a_stop_of_a_needed_service_is_as_if_it_had_died(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "e2e", "running")
    stopped = shop("stop", "web")
    assert f"web is still needed by {members(shop, group)['e2e']['run_id']}" in stopped.err
    until_state(shop, group, "after", "skipped")
    go(shop)
    assert shop.ended(group)["state"] == "failed"
    runs = members(shop, group)
    assert runs["e2e"]["state"] == "succeeded"
    assert (runs["web"]["state"], runs["web"]["reason"]) == ("stopped", "on request (1 process stopped)")


def test_a_server_that_left_the_session_is_stopped_too(shop: Cli) -> None:
    shop.jobs(
        "services: {web: {command: 'setsid -f sleep 1000; echo up; sleep 1000', ready: up, stop_grace_period: 300ms}}\n"
        "jobs: {e2e: {command: 'true', depends_on: web}}"
    )
    group = start(shop, "start", "e2e")
    assert shop.ended(group)["state"] == "succeeded"
    run = members(shop, group)["web"]
    assert run["reason"].startswith("no longer needed (")
    assert "left_running" not in shop.meta(run)  # the guard of all tests finds what is left


# --- killed helpers ---------------------------------------------------------------------------


def test_a_prober_that_is_killed_is_started_again(shop: Cli) -> None:
    shop.jobs(
        "services: {web: {command: 'until [ -e go ]; do sleep 0.02; done; echo listening; sleep 100', ready: listening}}\n"
        "jobs: {e2e: {command: 'true', depends_on: web}}"
    )
    group = start(shop, "start", "e2e")
    first = wait_until(lambda: probers(shop, group), "a prober")[0]
    first.kill()
    second = wait_until(lambda: [one for one in probers(shop, group) if one.pid != first.pid], "another one")
    assert second
    go(shop)
    assert shop.ended(group)["state"] == "succeeded"


def test_a_prober_that_is_killed_too_often_fails_the_service(shop: Cli) -> None:
    shop.jobs(
        "services: {web: {command: sleep 100, ready: listening}}\njobs: {e2e: {command: 'true', depends_on: web}}"
    )
    group = start(shop, "start", "e2e")
    killed: set[int] = set()
    while len(killed) < 4:
        fresh = wait_until(lambda: [one for one in probers(shop, group) if one.pid not in killed], "a prober")[0]
        killed.add(fresh.pid)
        fresh.kill()
    assert shop.ended(group)["state"] == "failed"
    reason = members(shop, group)["web"]["reason"]
    assert reason == "not ready: its check was killed by SIGKILL (4 times) (1 process stopped)"


def test_services_outlive_their_supervisor_and_nothing_claims_to_be_ready(shop: Cli) -> None:
    shop.jobs(
        "services: {web: {command: 'until [ -e go ]; do sleep 0.02; done; echo listening; sleep 100', ready: listening}}\n"
        "jobs: {e2e: {command: touch ran, depends_on: web}}"
    )
    group = start(shop, "start", "e2e")
    left = wait_until(lambda: probers(shop, group), "a prober")
    os.kill(shop.state(group)["pid"], signal.SIGKILL)
    wait_until(lambda: all(is_gone(one.pid) for one in left), "no prober")
    go(shop)
    runs = members(shop, group)
    assert runs["web"]["state"] == "running"
    assert runs["web"]["reason"] == state.ABANDONED
    assert "ready_at" not in shop.meta(runs["web"])
    assert runs["e2e"]["state"] == "skipped"
    shop("stop", runs["web"]["run_id"])
    assert shop.state(runs["web"]["run_id"])["state"] == "stopped"
    assert not (shop.folder / "ran").exists()


@pytest.mark.parametrize("killed", [False, True], ids=["suspended", "and the check killed"])
def test_the_time_to_become_ready_ends_while_the_machine_sleeps(shop: Cli, killed: bool) -> None:
    shop.jobs(
        "services: {web: {command: sleep 100, ready: {command: test -e go, timeout: 5s}}}\n"
        "jobs: {e2e: {command: 'true', depends_on: web}}"
    )
    group = start(shop, "start", "e2e")
    began = clock.steady_clock()  # it was launched before that
    supervisor, (prober,) = psutil.Process(shop.state(group)["pid"]), wait_until(lambda: probers(shop, group), "it")
    (answer,) = wait_until(lambda: list(shop.logs.glob(".web_*.ready")), "its answer")
    wait_until(lambda: "exit 1" in answer.read_text(), "its first answer")
    supervisor.suspend()
    prober.kill() if killed else prober.suspend()
    wait_until(lambda: clock.steady_clock() > began + 5, "the time is over")
    go(shop)
    supervisor.resume()
    if not killed:
        prober.resume()
    assert shop.ended(group)["state"] == "failed"
    runs = members(shop, group)
    why = "its check was killed by SIGKILL" if killed else "command 'test -e go': exit 1"
    assert runs["web"]["reason"].startswith(f"not ready in 5 s: {why}")
    assert (runs["web"]["state"], runs["e2e"]["state"]) == ("failed", "skipped")


def test_of_services_killed_along_with_their_supervisor_nothing_is_left(shop: Cli) -> None:
    group = start(shop, "group", "checks")
    until_state(shop, group, "e2e", "running")
    runs = members(shop, group)
    own = {run["pid"] for run in runs.values() if run["pid"]}
    state_home = Path(shop.env.get("XDG_STATE_HOME") or f"{shop.env['HOME']}/.local/state")
    locks = [state_home / "bgrun" / "ports" / str(runs[label]["port"]) for label in ("db", "web")]
    assert all(lock.is_held(str(path)) for path in locks)
    os.kill(shop.state(group)["pid"], signal.SIGKILL)
    for pid in own:
        os.killpg(pid, signal.SIGKILL)
    for label in ("db", "web", "e2e"):
        assert until_state(shop, group, label, "lost")["reason"].startswith("exit code unknown")
    assert shop.state(group)["state"] == "lost"
    wait_until(lambda: not any(lock.is_held(str(path)) for path in locks), "nobody has the locks")
    wait_until(lambda: all(ports.is_free(runs[label]["port"]) for label in ("db", "web")), "the servers are gone, too")
    go(shop)
    again = start(shop, "group", "checks")
    assert shop.ended(again)["state"] == "succeeded"
    assert members(shop, again)["web"]["port"] == runs["web"]["port"]


def test_after_a_restart_of_the_machine_services_are_lost_and_used_by_nothing(shop: Cli) -> None:
    shop("start", "web", "--wait", "-t", "20s")
    before = {label: shop.state(label) for label in ("db", "web")}
    orphan(shop, before["web"])
    for run in before.values():  # as if other processes had these PIDs now
        meta = Path(run["meta"])
        meta.write_text(meta.read_text().replace(shop.meta(run)["boot_id"], "another-boot"))
    for label in before:
        lost = shop.state(label)
        assert (lost["state"], lost["exit_code"]) == ("lost", None)
        assert "restarted" in lost["reason"]
    go(shop)
    group = start(shop, "start", "e2e")
    assert shop.ended(group)["state"] == "succeeded"
    runs = members(shop, group)
    assert runs["web"]["run_id"] != before["web"]["run_id"]
    assert runs["web"]["port"] != before["web"]["port"]  # something still listens there
    for run in before.values():
        os.killpg(run["pid"], signal.SIGKILL)


# --- another system ---------------------------------------------------------------------------


def test_services_where_nothing_is_that_only_linux_has(shop: Cli, tmp_path: Path) -> None:
    elsewhere = without.elsewhere(shop, tmp_path)
    group = start(elsewhere, "group", "checks")
    until_state(elsewhere, group, "e2e", "running")
    go(elsewhere)
    assert elsewhere.ended(group)["state"] == "succeeded"
    assert order(elsewhere, group)[-2:] == ["stopped web", "stopped db"]
    group = start(elsewhere, "start", "with_never")
    assert elsewhere.ended(group)["state"] == "failed"
    assert members(elsewhere, group)["never"]["state"] == "failed"


# --- no services ------------------------------------------------------------------------------


def test_a_plan_without_services_loads_nothing_of_them(bg: Cli) -> None:
    bg.jobs("jobs: {a: {command: 'true'}, b: {command: 'true', depends_on: a}}")
    program = """import os, sys
end = os._exit
os._exit = lambda code: (print(*sys.modules, file=sys.stderr, flush=True), end(code))
from bgrun.__main__ import main
os._exit(main())"""
    watched = Cli(bg.folder, [sys.executable, "-c", program], bg.env)
    for _ in range(2):  # the plan is rendered, then cached
        loaded = set(watched("start", "b").err.split())
        assert "bgrun.api.start" in loaded
        rooms = (
            "bgrun.local.readiness",
            "bgrun.local.supervision.services",
            "bgrun.render.services",
            "bgrun.system.ports",
        )
        assert not {one for one in loaded if one.startswith(rooms)}
        assert bg.ended("b")["state"] == "succeeded"


def test_what_a_check_prints_of_a_secret_is_not_in_the_record(bg: Cli) -> None:
    bg.jobs("""
        services:
          web:
            command: sleep 60
            secrets: [TOKEN]
            ready: {command: 'echo "$TOKEN"; false', timeout: 2s}
    """)
    bg("start", "web", "--wait", code=1, TOKEN="a-secret-of-ours")
    assert not [path for path in bg.logs.rglob("*") if path.is_file() and b"a-secret-of-ours" in path.read_bytes()]
    assert "exit 1: ***" in bg.state("web")["reason"]
