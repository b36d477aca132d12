"""What an engine gets to start, and what is left in the log directory if it does not start it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import LaunchError, LaunchPendingError, UsageError
from bgrun.plan import Node, RenderedJob, RenderedPlan, Retention, Title
from bgrun.store import meta, submission
from bgrun.store.store import Store
from bgrun.system import files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def job(label: str, cmd: str = "") -> RenderedJob:
    return RenderedJob(label, f"# {label}\n", cmd, "bash", "/", job=label, retention=Retention(3))


PLAN = RenderedPlan((Node(job("a")), Node(job("b"), needs=(0,), skip="its `if` is false")), (1,), 2, True)


def script(run_ids: Sequence[str]) -> str:
    return f"# {' '.join(run_ids)}\n"


TITLE = Title("checks", "bgrun group checks", "checks", script)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / ".logs"))


def scripts(store: Store) -> list[str]:
    return sorted(os.listdir(f"{store.log_dir}/jobs"))


def test_a_run_is_claimed_by_its_script_and_not_yet_a_run(store: Store, tmp_path: Path) -> None:
    with submission.claimed(store, str(tmp_path), RenderedPlan((Node(job("a")),), (0,))) as claimed:
        (run,) = claimed.runs
        assert claimed.group is None
        assert (run.job, run.needs, run.skip) == (job("a"), (), "")
        assert (run.facts["run_id"], run.facts["label"], run.facts["repo_dir"]) == (run.run_id, "a", str(tmp_path))
        assert "engine" not in run.facts
        with open(store.run(run.run_id).script, encoding="utf-8") as file:
            assert file.read() == "# a\n"
        assert store.index().every == "\n"
    assert scripts(store) == [f"{run.run_id}.sh"], "a block that ends has started it"


def test_of_a_plan_the_places_become_run_ids(store: Store) -> None:
    with submission.claimed(store, "/", PLAN, TITLE, "cluster") as claimed:
        first, second = claimed.runs
        group = claimed.group
        assert group
        assert (second.needs, second.facts["needs"], second.skip) == (
            (first.run_id,),
            first.run_id,
            "its `if` is false",
        )
        assert "needs" not in first.facts
        for run in (first, second):
            assert (run.facts["group"], run.facts["group_run"]) == ("checks", group.run_id)
        assert (group.label, group.max_parallel, group.fail_fast, group.retention) == ("checks", 2, True, Retention(3))
        assert (group.facts["cmd"], group.facts["max_parallel"]) == ("bgrun group checks", "2")
        assert {one.facts["engine"] for one in (first, second, group)} == {"cluster"}
        with open(store.run(group.run_id).script, encoding="utf-8") as file:
            assert file.read() == script([first.run_id, second.run_id])
        assert len(scripts(store)) == 3


@pytest.mark.parametrize("error", [LaunchError("no"), KeyboardInterrupt(), RuntimeError("odd")])
def test_a_start_that_fails_leaves_nothing(store: Store, error: BaseException) -> None:
    with pytest.raises(type(error)), submission.claimed(store, "/", PLAN, TITLE):
        assert len(scripts(store)) == 3
        raise error
    assert scripts(store) == []


def test_a_start_that_may_still_succeed_keeps_its_scripts(store: Store) -> None:
    with pytest.raises(LaunchPendingError), submission.claimed(store, "/", PLAN, TITLE):
        raise LaunchPendingError("no answer yet")
    assert len(scripts(store)) == 3


def test_a_start_that_fails_once_a_run_exists_keeps_every_record(store: Store) -> None:
    with pytest.raises(LaunchError), submission.claimed(store, "/", PLAN, TITLE) as claimed:
        at = store.run(claimed.runs[1].run_id)
        files.replace(at.meta, at.hidden("meta.new"), meta.pack(claimed.runs[1].facts))
        raise LaunchError("it went away after that")
    assert len(scripts(store)) == 3


def test_a_record_that_could_not_be_read_is_refused_before_anything_starts(store: Store) -> None:
    huge = job("a")._replace(params=tuple((f"p{number}", "x" * 100_000) for number in range(400)))
    plan = RenderedPlan((Node(job("b")), Node(huge)), (0, 1))
    with pytest.raises(UsageError, match="would be larger than"), submission.claimed(store, "/", plan, TITLE):
        raise AssertionError("the block is not entered")
    assert scripts(store) == []
