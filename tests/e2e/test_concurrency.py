"""Concurrency groups, as a user has them: in line, refused, replaced, joined; and whoever is killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.system import lock
from tests.conftest import Cli, wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

HELD = "while [ ! -e go_{{ n }} ]; do sleep 0.02; done; echo {{ n }} >> order"
JOBS = f"""
jobs:
  one: {{command: "{HELD}", params: {{n: {{default: "0"}}}}, concurrency: {{group: g}}}}
  sure: {{command: "{HELD}", params: {{n: {{default: "0"}}}}, concurrency: {{group: g, when_busy: reject}}}}
  newest: {{command: "{HELD}", params: {{n: {{default: "0"}}}}, concurrency: {{group: n, when_busy: replace}}}}
  same: {{command: "{HELD}", params: {{n: {{default: "0"}}}}, concurrency: {{when_busy: join}}}}
  anywhere: {{command: "{HELD}", params: {{n: {{default: "0"}}}}, concurrency: {{group: u, scope: user}}}}
  many:
    command: |
      mkdir -p inside && touch inside/$$
      until n=$(ls inside | wc -l); [ "$n" -lt 3 ] || touch full; [ -e full ]; do sleep 0.02; done
      echo "$n" >> seen && sleep 0.05 && rm inside/$$
    matrix: {{n: [1, 2, 3, 4, 5, 6, 7, 8]}}
    concurrency: {{limit: 3}}
  free: {{command: echo free >> order}}
groups:
  mixed: {{jobs: [one, free], max_parallel: 1}}
  refused: {{jobs: [sure, free]}}
"""


@pytest.fixture
def line(bg: Cli) -> Iterator[Cli]:
    """A project with concurrency groups; whatever is still held at the end is let go."""
    bg.jobs(JOBS)
    yield bg
    for n in range(10):
        (bg.folder / f"go_{n}").touch()
    for run in bg.json("list", "--all")["runs"]:
        bg.ended(run["run_id"])


def go(bg: Cli, n: int) -> None:
    (bg.folder / f"go_{n}").touch()


def running(bg: Cli, run: dict[str, Any]) -> None:
    wait_until(lambda: bg.state(run["run_id"])["state"] == "running", f"{run['run_id']} runs")


def supervisor(bg: Cli, run: dict[str, Any]) -> int:
    return int(bg.meta(run)["supervisor_pid"])


def test_first_come_first_served(line: Cli) -> None:
    runs = [line.json("start", "one", str(n)) for n in range(4)]
    assert [run["state"] for run in runs] == ["running", "queued", "queued", "queued"]
    assert runs[1]["reason"] == "waiting for concurrency group 'g' (limit 1)"
    assert "QUEUED" in line("start", "one", "4").out
    for n in (3, 4, 2, 1, 0):
        go(line, n)
    for run in runs:
        assert line.ended(run["run_id"])["state"] == "succeeded"
    line.ended("one")
    assert (line.folder / "order").read_text().split() == ["0", "1", "2", "3", "4"]


def test_whoever_waits_sleeps(line: Cli) -> None:
    line.json("start", "one", "0")
    waits = line.json("start", "one", "1")
    minder = psutil.Process(supervisor(line, waits))
    (waiter,) = wait_until(minder.children, "a process sleeps for it")
    wait_until(lambda: waiter.num_threads() == 2, "it sleeps on the slot")
    seen: list[list[float]] = [[]]

    def is_at_rest() -> bool:
        """Return whether both sleep, and have done nothing since the last call."""
        seen.append([sum(one.cpu_times()[:2]) + sum(one.num_ctx_switches()) for one in (minder, waiter)])
        return seen[-1] == seen[-2] and {minder.status(), waiter.status()} == {psutil.STATUS_SLEEPING}

    wait_until(is_at_rest, "both are at rest")
    line.state(waits["run_id"])
    assert is_at_rest()


@pytest.mark.parametrize("victims", ["supervisor", "waiter", "both of the holder"])
def test_the_line_goes_on_whoever_is_killed(line: Cli, victims: str) -> None:
    first, second, third = [line.json("start", "one", str(n)) for n in range(3)]
    if victims == "supervisor":
        os.kill(supervisor(line, second), signal.SIGKILL)
        assert line.ended(second["run_id"])["reason"] == "the supervisor ended before this run started"
    elif victims == "waiter":
        (waiter,) = wait_until(psutil.Process(supervisor(line, second)).children, "a process sleeps for it")
        waiter.kill()
        psutil.wait_procs([waiter])
    else:
        os.kill(supervisor(line, first), signal.SIGKILL)
        assert line.state(first["run_id"])["state"] == "running"
        assert line.state(second["run_id"])["state"] == "queued", "the job goes on, and so its slot is taken"
        os.killpg(first["pgid"], signal.SIGKILL)
        running(line, second)
    for n in range(3):
        go(line, n)
    assert line.ended(third["run_id"])["state"] == "succeeded"
    if victims == "waiter":
        assert line.ended(second["run_id"])["state"] == "succeeded"


def test_one_that_waits_can_be_stopped(line: Cli) -> None:
    line.json("start", "one", "0")
    second, third = [line.json("start", "one", str(n)) for n in (1, 2)]
    stopped = line.json("stop", second["run_id"])["runs"][0]
    assert (stopped["state"], stopped["reason"]) == ("stopped", "stopped before it started")
    assert not Path(stopped["log"]).with_suffix(".exit").exists()
    go(line, 0)
    running(line, third)


def test_one_more_is_refused(line: Cli) -> None:
    first = line.json("start", "one", "0")
    refused = line("start", "sure", code=2).err
    assert f"concurrency group 'g' is full (limit 1): {first['run_id']} is running" in refused
    assert f"bgrun wait {first['run_id']}" in refused
    assert len(line.json("list", "--all")["runs"]) == 1
    done = line.json("group", "refused", "--wait", code=1)
    assert {run["job"]: run["state"] for run in done["runs"]} == {"sure": "skipped", "free": "succeeded"}


def test_the_newest_takes_the_place_of_the_others(line: Cli) -> None:
    first, second, third = [line.json("start", "newest", str(n)) for n in range(3)]
    running(line, third)
    assert line.ended(first["run_id"])["reason"].startswith(f"replaced by {second['run_id']}")
    assert line.ended(second["run_id"])["reason"].startswith(f"replaced by {third['run_id']}")
    os.kill(supervisor(line, third), signal.SIGKILL)
    fourth = line.json("start", "newest", "3")
    running(line, fourth)
    assert line.ended(third["run_id"])["reason"].startswith(f"replaced by {fourth['run_id']} (")


def test_the_same_start_joins_the_live_run(line: Cli) -> None:
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(line.folder)]
    for words in (["init", "-q"], ["add", "bgjobs.yaml"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env=line.env)
    first = line.json("start", "same", "0")
    again = line.json("start", "same", "0")
    assert (first["joined"], again["joined"], again["run_id"]) == (False, True, first["run_id"])
    assert line("start", "same", "0").out.startswith(f"JOINED {first['run_id']}: already running")
    other = line.json("start", "same", "1")
    assert (other["joined"], other["state"]) == (False, "queued")
    (line.folder / "bgjobs.yaml").write_text(JOBS + "# changed\n")
    changed = line.json("start", "same", "0")
    assert (changed["joined"], changed["state"]) == (False, "queued")
    go(line, 0)
    assert line("wait", again["run_id"])


def test_a_start_many_times_at_once_is_one_run(line: Cli) -> None:
    starts = [
        subprocess.Popen([*line.command, "start", "same", "-q"], cwd=line.folder, env=line.env, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    assert len({one.communicate(timeout=30)[0] for one in starts}) == 1
    assert len(line.json("list", "--all")["runs"]) == 1


def test_a_group_of_the_user_spans_projects(line: Cli, tmp_path: Path) -> None:
    other = Cli(tmp_path / "other", line.command, line.env)
    other.folder.mkdir()
    other.jobs(JOBS)
    line.json("start", "anywhere", "0")
    waits = other.json("start", "anywhere", "0")
    assert waits["state"] == "queued"
    go(line, 0)
    running(other, waits)
    go(other, 0)
    assert other.ended(waits["run_id"])["state"] == "succeeded"


def test_never_more_than_the_limit(line: Cli) -> None:
    plans = [line.json("start", "many")["run_id"] for _ in range(2)]
    line("wait", *plans)
    seen = [int(text) for text in (line.folder / "seen").read_text().split()]
    assert len(seen) == 16
    assert max(seen) == 3


def test_a_plan_goes_on_while_one_of_its_runs_waits(line: Cli) -> None:
    line.json("start", "one", "0")
    plan = line.json("group", "mixed")
    wait_until(lambda: (line.folder / "order").exists(), "the other job ran")
    assert line.state(plan["run_id"])["state"] == "running"
    go(line, 0)
    assert line.ended(plan["run_id"])["state"] == "succeeded"


def test_what_is_in_the_way_of_the_locks_is_reported(line: Cli) -> None:
    (line.folder / ".logs").mkdir(mode=0o700)
    (line.folder / ".logs" / "jobs").mkdir()
    (line.folder / ".logs" / ".concurrency").write_text("not a folder")
    reported = line("start", "one", code=None)
    assert reported.code == 2
    assert reported.err.startswith(f"error: {line.folder}/.logs/.concurrency is not a directory\n")
    assert line.json("list", "--all")["runs"] == []
    (line.folder / ".logs" / ".concurrency").unlink()


TWO = f"""
jobs:
  first: {{command: "{HELD}", params: {{n: {{default: "0"}}}}, concurrency: {{group: one}}}}
  second: {{command: "{HELD}", params: {{n: {{default: "1"}}}}, concurrency: {{group: two}}}}
  a: {{command: echo a >> order, concurrency: {{group: one}}}}
  b: {{command: echo b >> order, concurrency: {{group: two}}}}
  own: {{command: "sleep 0.1; echo {{{{ matrix.n }}}} >> order", matrix: {{n: [7, 8, 9]}},
        concurrency: {{group: own, when_busy: replace}}}}
groups: {{both: {{jobs: [a, b]}}, owns: {{jobs: [own]}}}}
"""


def test_a_plan_that_waits_for_two_groups_goes_on_with_whichever_is_free_first(line: Cli) -> None:
    line.jobs(TWO)
    line.json("start", "first")
    line.json("start", "second")
    line.json("group", "both")
    assert [line.state(job)["state"] for job in ("a", "b")] == ["queued", "queued"]
    go(line, 1)
    assert line.ended("b")["state"] == "succeeded"
    assert line.state("a")["state"] == "queued"
    go(line, 0)
    assert line.ended("both")["state"] == "succeeded"
    assert (line.folder / "order").read_text().split() == ["1", "b", "0", "a"]


def test_a_plan_never_replaces_its_own_runs(line: Cli) -> None:
    line.jobs(TWO)
    line.json("group", "owns")
    assert line.ended("owns")["state"] == "succeeded"
    assert (line.folder / "order").read_text().split() == ["7", "8", "9"]


def test_who_waits_ends_with_the_supervisor(line: Cli) -> None:
    """At once, before it could take a slot for nobody: the kernel sees to it (prctl(2))."""
    line.json("start", "one", "0")
    second = line.json("start", "one", "1")
    minder = psutil.Process(supervisor(line, second))
    (waiter,) = wait_until(minder.children, "a process sleeps for it")
    wait_until(lambda: waiter.num_threads() == 2, "it sleeps on the slot")
    minder.kill()
    wait_until(lambda: is_gone(waiter.pid), "it has ended", 10)
    assert line.state(second["run_id"])["state"] == "skipped"


def test_who_waits_keeps_no_other_run_of_its_plan_from_ending(line: Cli) -> None:
    """The process that sleeps for it was forked with all that its supervisor has open, locks of runs among it."""
    line.jobs(
        TWO.replace("groups: {", "groups: {after: {jobs: [second, late]}, ").replace(
            "jobs:",
            "jobs:\n  quick: {command: 'true'}\n  late: {command: 'true', depends_on: [quick], concurrency: {group: one}}",
            1,
        )
    )
    line.json("start", "first")
    plan = line.json("group", "after")
    wait_until(
        lambda: "concurrency group" in (line.state("late")["reason"] or ""),
        "it waits for its turn while the other one runs",
    )
    go(line, 1)
    ended = line.ended("second")
    assert ended["state"] == "succeeded"
    # It is what `bgrun wait` sleeps on.
    wait_until(lambda: not lock.is_held(str(Path(ended["log"]).with_suffix(".pid"))), "its lock is free")
    assert line.state("late")["state"] == "queued"
    go(line, 0)
    assert line.ended(plan["run_id"])["state"] == "succeeded"
