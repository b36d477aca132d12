"""`list` with filters, `stats`, and a timeout that goes by history."""

from __future__ import annotations

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
    assert "2h or 7d" in bg("list", "--since", "soon", code=2).err
    assert [run["label"] for run in bg.json("list", "--tag", "ci", "--since", "1h")["runs"]] == ["good"]
    assert bg.json("list", "--since", "2999-01-01")["runs"] == []
    assert [run["label"] for run in bg.json("list", "--sort", "oldest", "bad")["runs"]] == ["bad"]
    assert "the states are" in bg("list", "--state", "fine", code=2).err


def test_stats_and_a_timeout_that_is_a_share_of_what_is_usual(bg: Cli) -> None:
    bg.jobs(JOBS)
    bg("start", "bad", "--wait", code=1)
    first = bg.json("start", "slow", "--wait")
    assert "timeout_s" not in bg.meta(first)
    late = bg.json("start", "slow", "s=600", "--wait", code=1)
    assert (late["state"], bg.meta(late)["timeout_s"]) == ("timed_out", "1")
    found = bg.json("stats", "slow")["labels"]
    assert [(one["runs"], one["success_rate"], one["last_failure"]) for one in found] == [(2, 0.5, late["run_id"])]
    assert [line.split()[:3] for line in bg("stats").out.splitlines()[1:]] == [["bad", "1", "0%"], ["slow", "2", "50%"]]
    assert "did you mean" in bg("stats", "slwo", code=2).err
