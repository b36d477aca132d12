"""A plan becomes calls of sbatch: arrays, dependencies and lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.plan import Limits, RenderedJob, RunPlan
from bgrun.slurm import batch
from tests.plans import graphs

if TYPE_CHECKING:
    from bgrun.slurm.batch import Batch
    from tests.plans import Graph

TOKEN = "0123456789abcdef"


def run(name: str, *needs: str, timeout_s: float | None = None) -> RunPlan:
    return RunPlan(name, RenderedJob(name, "", "", "", "", limits=Limits(timeout_s)), {}, needs)


def words(one: Batch, jobs: dict[str, str] | None = None) -> list[str]:
    return batch.argv(one, TOKEN, "/a/.logs", "/b/launcher.sh", jobs or {}, "train")


def test_a_single_run_is_a_job_with_its_token() -> None:
    (one,) = batch.batches([run("a_1")])
    given = words(one)
    assert given[0] == "sbatch"
    assert given[-3:] == ["/b/launcher.sh", "/a/.logs", "a_1"]
    assert {f"--comment=bgrun:{TOKEN}", "--parsable", "--no-requeue", "--output=/a/.logs/jobs/a_1.slurm.log"} <= set(
        given
    )
    assert not [word for word in given if word.startswith(("--array", "--dependency", "--time"))]


def test_equal_runs_are_one_array_with_its_limit() -> None:
    (one,) = batch.batches([run(f"a_{n}") for n in range(200)], 8)
    given = words(one)
    assert "--array=0-199%8" in given
    assert given[-1] == "@/a/.logs/.a_0.members"


@pytest.mark.parametrize("most", [None, 3, 9])
def test_a_limit_that_limits_nothing_is_not_passed_on(most: int | None) -> None:
    (one,) = batch.batches([run(f"a_{n}") for n in range(3)], most)
    assert "--array=0-2" in words(one)


def test_a_run_waits_for_the_jobs_that_it_needs() -> None:
    first, last = batch.batches([run("a"), run("b", "a")])
    assert words(last, {"a": "12"})[9:11] == ["--dependency=afterok:12", "--kill-on-invalid-dep=yes"]
    assert first.needs == ()


def test_a_whole_array_is_needed_by_its_own_id() -> None:
    jobs = {"a": "12_0", "b": "12_1", "c": "13", "d": "14_0", "e": "14_1"}
    (one,) = batch.batches([run("z", "a", "b", "c", "e")])
    assert batch.dependency(one, jobs)[0] == "--dependency=afterok:12:13:14_1"


def test_unequal_runs_with_a_limit_run_in_lanes() -> None:
    found = batch.batches([run("a"), run("b", timeout_s=60.0), run("c", "a")], 2, "bgrun-x")
    assert [one.lane for one in found] == ["bgrun-x-0", "bgrun-x-1", "bgrun-x-0"]
    assert batch.dependency(found[2], {"a": "7"})[0] == "--dependency=afterok:7,singleton"
    assert "--job-name=bgrun-x-1" in words(found[1])


def test_a_run_that_is_submitted_once_more_keeps_the_limit_of_its_plan() -> None:
    (array,) = batch.batches([run(f"a_{n}") for n in range(5)], 2, "bgrun-x")
    assert [batch.lane_of(array, place, TOKEN)[-2:] for place in range(5)] == ["-0", "-1", "-0", "-1", "-0"]
    assert batch.lane_of(array, 0, TOKEN) != batch.lane_of(array, 0, "another")
    alone = batch.batches([run("a"), run("b", timeout_s=60.0), run("c")], 2, "bgrun-x")
    assert [batch.lane_of(one, 0, TOKEN) for one in alone] == ["bgrun-x-0", "bgrun-x-1", "bgrun-x-0"]
    (wide,) = batch.batches([run(f"a_{n}") for n in range(5)], 5)
    assert batch.lane_of(wide, 0, TOKEN) == ""


@given(graphs(), st.one_of(st.none(), st.integers(1, 5)))
def test_each_run_is_submitted_once_after_those_that_it_needs(graph: Graph, most: int | None) -> None:
    found = batch.batches([run(name, *needs) for name, needs in graph.needs.items()], most, "lane")
    submitted: dict[str, str] = {}
    for place, one in enumerate(found):
        assert set(one.needs) <= set(submitted)
        batch.dependency(one, submitted)
        for index, member in enumerate(one.runs):
            assert set(member.needs) == set(one.needs)
            assert member.run_id not in submitted
            submitted[member.run_id] = f"{place}_{index}" if one.is_array else str(place)
    assert set(submitted) == set(graph.needs)
    if most is not None and not found[0].lane and len(submitted) > most:
        assert [one.at_once for one in found] == [most]
    assert len({one.lane for one in found}) <= max(1, most or 1)


@pytest.mark.parametrize(
    ("answer", "job"),
    [("12\n", "12"), ("12;alpha\n", "12"), ("warning\n12\n", "12"), ("", ""), ("Submitted batch job 3", ""), ("x", "")],
)
def test_the_job_id_is_read_from_the_answer(answer: str, job: str) -> None:
    assert batch.job_of(answer) == job


@pytest.mark.parametrize(
    "words",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
    ],
)
def test_a_controller_that_does_not_answer_refuses_nothing(words: str) -> None:
    assert batch.is_unanswered(words)


def test_a_refusal_is_one() -> None:
    assert not batch.is_unanswered("sbatch: error: Batch job submission failed: Invalid partition name specified")
