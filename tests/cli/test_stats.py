"""`list` with filters, `stats`, and a timeout that goes by history."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """
jobs:
  good: {command: "true", tags: [ci]}
  bad: {command: "exit 3"}
  slow: {command: "sleep {{ s }}", params: {s: {default: "0"}}, timeout: 200%}
"""


def test_list_answers_what_ran_here(bg: Cli) -> None:
    bg.jobs(JOBS)
    bg("start", "good", "bad", "--wait", code=1)
    assert {run["label"] for run in bg.json("list", "--state", "failed")["runs"]} == {"plan", "bad"}
    assert "use 2h, 7d" in bg("list", "--since", "soon", code=2).err
    assert [run["label"] for run in bg.json("list", "--tag", "ci", "--since", "1h")["runs"]] == ["good"]
    assert bg.json("list", "--since", "2999-01-01")["runs"] == []
    assert [run["label"] for run in bg.json("list", "--sort", "oldest", "bad")["runs"]] == ["bad"]
    assert "choose from queued" in bg("list", "--state", "fine", code=2).err


def test_stats_and_a_timeout_that_is_a_share_of_what_is_usual(bg: Cli) -> None:
    bg.jobs(JOBS)
    bg("start", "bad", "--wait", code=1)
    first = bg.json("start", "slow", "--wait")
    assert "timeout_s" not in bg.meta(first)
    meta = Path(first["meta"])
    meta.write_text(re.sub("duration_s=.*", "duration_s=0.75", meta.read_text()))  # however slow this machine is
    late = bg.json("start", "slow", "s=600", "--wait", code=1)
    assert (late["state"], bg.meta(late)["timeout_s"]) == ("timed_out", "1.5")
    found = bg.json("stats", "slow")["labels"]
    assert [(one["runs"], one["success_rate"], one["last_failure"]) for one in found] == [(2, 0.5, late["run_id"])]
    assert [line.split()[:3] for line in bg("stats").out.splitlines()[1:]] == [["bad", "1", "0%"], ["slow", "2", "50%"]]
    assert "did you mean" in bg("stats", "slwo", code=2).err


def test_runs_are_in_the_order_of_time_whatever_zone_they_began_in(bg: Cli) -> None:
    """Their ids are local times: those of the first sort last. So it is in the hour that the end of summer time repeats."""
    bg.jobs("jobs: {w: {command: 'true', label: 'w_{{ n }}', params: {n: {type: integer}}}}")
    zones = ("EAST-14", "HERE-2", "HERE-1", "UTC0", "WEST+12")
    runs = [bg.json("start", "w", str(n), "--wait", TZ=zone)["run_id"] for n, zone in enumerate(zones)]
    assert sorted(runs, key=lambda run: run[4:]) == runs[::-1], "so their names say"
    for zone in zones:
        reported = bg.json("list", TZ=zone)["runs"]
        assert [run["run_id"] for run in reported] == runs[::-1]
        assert bg("list", "-n", "1", "-q", TZ=zone).out.split() == runs[-1:]
        assert bg("list", "-n", "2", "-q", TZ=zone).out.split() == runs[:-3:-1]
        assert [run["run_id"] for run in bg.json("status", TZ=zone)["runs"]] == runs[::-1]
        assert bg.state("w")["run_id"] == runs[-1]
        heads, *rows = [re.split(" {2,}", line) for line in bg("list", TZ=zone).out.splitlines()]
        shown = [row[heads.index("STARTED")] for row in rows]
        assert shown == sorted(shown, reverse=True), "all times are local ones of whoever reads"
        hours = {"EAST-14": 14, "HERE-2": 2, "HERE-1": 1, "UTC0": 0, "WEST+12": -12}[zone]
        began = datetime.fromisoformat(reported[0]["started_at"]).astimezone(timezone(timedelta(hours=hours)))
        assert shown[0] == began.strftime("%Y-%m-%d %H:%M:%S")


def test_a_label_sorts_by_its_ids_even_if_the_clock_was_another(bg: Cli) -> None:
    first = bg("run", "x", "--wait", "-q", "--", "true", TZ="EAST-14").out.split()[0]
    second = bg("run", "x", "--wait", "-q", "--", "true", TZ="WEST+12").out.split()[0]
    assert second == f"{first}z2"
    assert bg("latest", "x").out.endswith(f"{second}.log\n")
    assert bg("list", "x", "-q").out.split() == [second, first]
