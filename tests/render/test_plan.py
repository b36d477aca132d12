"""Requests of a start or a group become a plan: nodes in order, with places of what they depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgrun.errors import UsageError
from bgrun.jobfile import loader
from bgrun.jobfile.specs import JobFile
from bgrun.plan import RenderedPlan
from bgrun.render import plan
from bgrun.render.job import Request
from bgrun.templating.inputs import RenderInputs

JOBS = b"""
jobs:
  lint: {command: [ruff], params: {level: {default: low}}}
  build: {command: [make]}
  unit: {command: ["test", "{{ matrix.n }}"], depends_on: [build], matrix: {n: [1, 2]}, params: {level: {default: low}}}
  deploy: {command: [deploy], depends_on: [unit, lint]}
  never: {command: [x], if: "os.name == 'plan9'"}
  same: {command: [x], matrix: {n: [1, 2]}, label: "{{ p }}_{{ matrix | length }}", params: {p: {}}}
groups:
  all: {jobs: [deploy, lint], max_parallel: 2, fail_fast: true, depends_on: {lint: [build]}}
"""


@pytest.fixture
def job_file(tmp_path: Path) -> JobFile:
    return loader.parse(str(tmp_path / "bgjobs.yaml"), JOBS)


def shown(made: RenderedPlan) -> list[tuple[str, tuple[int, ...]]]:
    return [(node.job.label, node.needs) for node in made.nodes]


def expanded(job_file: JobFile, *words: str) -> RenderedPlan:
    return plan.expand_jobs(job_file, plan.requests_of(job_file, words), RenderInputs({}))


def test_words_become_requests(job_file: JobFile) -> None:
    assert plan.requests_of(job_file, ["lint", "high", "build"]) == [Request("lint", ("high",)), Request("build")]
    assert plan.requests_of(job_file, ["lint", "level=build"], ["-x"]) == [Request("lint", ("level=build",), ("-x",))]


def test_dependencies_come_first_and_only_requested_jobs_are_wanted(job_file: JobFile) -> None:
    made = expanded(job_file, "deploy")
    assert shown(made) == [("build", ()), ("unit_1", (0,)), ("unit_2", (0,)), ("lint", ()), ("deploy", (1, 2, 3))]
    assert made.wanted == (4,)


def test_a_matrix_is_several_nodes_unless_one_is_selected(job_file: JobFile) -> None:
    assert expanded(job_file, "unit").wanted == (1, 2)
    assert shown(expanded(job_file, "unit", "n=2")) == [("build", ()), ("unit_2", (0,))]


def test_a_job_whose_condition_is_false_is_skipped(job_file: JobFile) -> None:
    (node,) = expanded(job_file, "never").nodes
    assert node.skip == "`if` is false: os.name == 'plan9'"
    assert "exit 1" in node.job.script


def test_a_group_adds_its_order_and_limits(job_file: JobFile) -> None:
    made = plan.expand_group(job_file, "all", RenderInputs({}), given=["level=high"])
    assert dict(shown(made))["lint"] == (0,)
    assert (made.max_parallel, made.fail_fast) == (2, True)
    assert {node.job.label: dict(node.job.params).get("level") for node in made.nodes} == {
        **{"build": None, "deploy": None},
        **{"lint": "high", "unit_1": "high", "unit_2": "high"},
    }
    only = plan.expand_group(job_file, "all", RenderInputs({}), only=["lint"])
    assert shown(only) == [("build", ()), ("lint", (0,))]


def test_a_single_job_is_rendered_without_dependencies_and_condition(job_file: JobFile) -> None:
    assert plan.render_one(job_file, Request("never"), RenderInputs({})).cmd == "x"
    assert plan.render_one(job_file, Request("unit", ("n=1",)), RenderInputs({})).cmd == "test 1"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["nope"], "no job named 'nope'", "list jobs with 'bgrun jobs'"),
        (["all"], "no job named 'all'", "'all' is a group: start it with 'bgrun group all'"),
        (["lint", "lint"], "job 'lint' is given twice", "to run it twice, run 'bgrun start' twice"),
        (["unit", "n=3"], "the matrix has no combination n=3", "available combinations: n=1, n=2"),
        (["same", "a"], "same: two matrix combinations have the label 'a_1'", "{{ matrix.NAME }}"),
    ],
)
def test_a_start_that_makes_no_plan(job_file: JobFile, words: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        expanded(job_file, *words)
    assert caught.value.message == message
    assert hint in caught.value.hint


def test_arguments_for_several_jobs_are_refused(job_file: JobFile) -> None:
    with pytest.raises(UsageError, match="arguments after '--' need exactly one job, got 2"):
        plan.requests_of(job_file, ["lint", "build"], ["-x"])


@pytest.mark.parametrize(
    ("name", "only", "given", "message", "hint"),
    [
        ("none", [], [], "no group named 'none'", "available groups: all"),
        ("lint", [], [], "no group named 'lint'", "'lint' is a job: start it with 'bgrun start lint'"),
        ("all", ["build"], [], "group 'all' has no job 'build'", "jobs in this group: deploy, lint"),
        ("all", [], ["foo"], "invalid --param 'foo': expected KEY=VALUE", "give it a value: --param foo=VALUE"),
        ("all", [], ["foo=1"], "no job in group 'all' has a parameter 'foo'", "available parameters: level"),
    ],
)
def test_a_group_that_makes_no_plan(
    job_file: JobFile, name: str, only: list[str], given: list[str], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        plan.expand_group(job_file, name, RenderInputs({}), only, given)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_matrix_needs_a_choice_to_be_rendered_alone(job_file: JobFile) -> None:
    with pytest.raises(UsageError) as caught:
        plan.render_one(job_file, Request("unit"), RenderInputs({}))
    assert caught.value.message == "job 'unit' has 2 matrix combinations to choose from"
    assert caught.value.hint == "choose one of: n=1, n=2"
