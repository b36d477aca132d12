"""Outputs belong to the run that wrote them: collected as it ends, shown wherever a run is, never another run's."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from bgrun.jobfile.schema import schema
from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """
jobs:
  build:
    command: "{{ what | raw }}"
    params: {what: {default: "true"}}
    outputs:
      coverage: {json: out/cov.json, pick: totals.percent}
      wheel: {glob: "dist/*.whl"}
  also: {command: "{{ what | raw }}", params: {what: {default: "true"}}, outputs: {one: {json: ./out/cov.json}}}
  deep: {command: "{{ what | raw }}", params: {what: {}}, working_dir: sub, outputs: {x: {glob: "**/*.x"}}}
  secret: {command: "{{ what | raw }}", params: {what: {}}, secrets: [TOKEN], outputs: {x: {json: x.json, pick: x}, f: {glob: "*.f"}}}
  plain: {command: "true"}
"""
COVERAGE = 'printf \'{"totals": {"percent": 87.5}}\' > out/cov.json'
BOTH = f"{COVERAGE}; touch dist/a.whl dist/b.whl"


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    for name in ("out", "dist", "sub"):
        (bg.folder / name).mkdir()
    return bg


def run(cli: Cli, job: str, what: str, **env: str) -> dict[str, Any]:
    """Run a job to its end and return the run."""
    done: dict[str, Any] = cli.json("start", job, f"what={what}", "--wait", code=None, **env)
    return done


def outputs(cli: Cli, run: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a run: the value of each, or why it is missing."""
    found = cli.json("report", run["run_id"])["digest"]["outputs"]
    return {name: one["note"] if one["value"] is None else one["value"] for name, one in found.items()}


def test_they_are_shown_wherever_a_run_is(project: Cli) -> None:
    ran = run(project, "build", BOTH)
    wanted = {"coverage": 87.5, "wheel": ["dist/a.whl", "dist/b.whl"]}
    assert outputs(project, ran) == wanted
    lines = ["OUTPUT coverage=87.5", "OUTPUT wheel=dist/a.whl, dist/b.whl"]
    for command in (["report"], ["wait"]):
        assert [line for line in project(*command, ran["run_id"]).out.splitlines() if "OUTPUT" in line] == lines
    listed = project.json("list", "--outputs")
    jsonschema.Draft7Validator(schema("runs")).validate(listed)
    assert {name: one["value"] for name, one in listed["runs"][0]["outputs"].items()} == wanted
    assert project("list", "--outputs").out.splitlines()[1].endswith("coverage=87.5 wheel=dist/a.whl, … (1 more)")
    assert "outputs" not in project.json("list")["runs"][0]
    assert "OUTPUT" not in project("start", "plain", "--wait").out


def test_a_missing_one_says_why(project: Cli) -> None:
    assert outputs(project, run(project, "build", "true")) == {
        "coverage": "out/cov.json was not written", "wheel": "dist/*.whl was not written",
    }  # fmt: skip
    run(project, "build", BOTH)
    assert outputs(project, run(project, "build", "exit 3")) == {
        "coverage": "out/cov.json is older than the run", "wheel": "dist/*.whl is older than the run",
    }  # fmt: skip
    text = project("start", "build", "--wait").out
    assert "OUTPUT coverage missing: out/cov.json is older than the run" in text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "out/cov.json is not valid JSON"),
        ('{"totals": {}}', "out/cov.json has no 'percent' in totals"),
        ("[]", "out/cov.json has no 'totals'"),
        ('{"totals": {"percent": [1]}}', "totals.percent is an array; pick a string, number or boolean"),
        ('{"totals": {"percent": NaN}}', "NaN is no JSON number"),
        ('{"totals": {"percent": 1e999}}', "totals.percent is not a finite number"),
    ],
)
def test_a_document_without_the_value_says_why(project: Cli, content: str, why: str) -> None:
    ran = run(project, "build", f"printf '%s' '{content}' > out/cov.json")
    assert why in outputs(project, ran)["coverage"]


def test_nothing_hostile_is_followed_or_read_whole(project: Cli) -> None:
    (project.folder / "private.json").write_text('{"totals": {"percent": 1}}')
    made = "ln -s ../private.json out/cov.json; ln -s /etc/passwd dist/x.whl; mkfifo dist/y.whl; mkdir dist/z.whl"
    found = outputs(project, run(project, "build", made))
    assert found["wheel"] == "dist/*.whl was not written"
    assert "cov.json" in found["coverage"]
    assert isinstance(found["coverage"], str)
    big = run(project, "build", "rm out/cov.json; truncate -s 20M out/cov.json")
    assert "exceeds the limit of 16 MiB" in outputs(project, big)["coverage"]
    deep = run(project, "build", """printf '%0100000d' 0 | tr 0 '[' > out/cov.json""")
    assert "is not valid JSON" in outputs(project, deep)["coverage"]


def test_of_many_files_some_are_listed_and_the_rest_counted(project: Cli) -> None:
    ran = run(project, "build", "touch dist/{001..120}.whl")
    found = project.json("report", ran["run_id"])["digest"]["outputs"]["wheel"]
    assert (len(found["value"]), found["more"], found["note"]) == (20, 100, None)
    assert "dist/005.whl, … (115 more)" in project("report", ran["run_id"]).out


def test_paths_are_relative_to_the_project(project: Cli) -> None:
    ran = run(project, "deep", "mkdir -p a/b .hidden; touch a/b/1.x .hidden/2.x")
    assert outputs(project, ran) == {"x": ["sub/a/b/1.x"]}


def test_secrets_are_masked(project: Cli) -> None:
    token = "hunter2-4711"
    what = r"""printf '{"x": "a \\u0068unter2-4711 b"}' > x.json; touch "$TOKEN.f" """
    ran = run(project, "secret", what, TOKEN=token)
    assert outputs(project, ran) == {"x": "a *** b", "f": ["***.f"]}
    assert token not in (project.logs / "jobs" / f"{ran['run_id']}.digest.json").read_text()
    number = run(project, "secret", """printf '{"x": %s}' "$TOKEN" > x.json""", TOKEN="47114711")
    assert outputs(project, number)["x"] == "***"


def test_runs_at_the_same_time_that_write_one_file_are_not_mixed_up(project: Cli) -> None:
    one = project.json("start", "build", f"what=touch up; until [ -e go ]; do sleep 0.05; done; {BOTH}")
    wait_until((project.folder / "up").exists, "it runs")
    other = run(project, "also", "echo 1 > out/cov.json")
    (project.folder / "go").touch()
    project.ended(one["run_id"])
    assert one["run_id"] in outputs(project, other)["one"]
    assert outputs(project, one)["coverage"] == 87.5, "the other one was over by then"


def test_a_stopped_run_keeps_what_it_wrote_and_one_that_never_ran_has_none(project: Cli) -> None:
    ran = project.json("start", "build", f"what={BOTH}; touch up; sleep 60")
    wait_until((project.folder / "up").exists, "it wrote them")
    project("stop", ran["run_id"])
    assert outputs(project, ran)["coverage"] == 87.5
    project.jobs(JOBS.replace("  plain: {", "  plain: {if: '1 == 2', outputs: {a: {glob: b}}, "))
    assert outputs(project, project.json("start", "plain", code=None)) == {}


def test_where_nobody_saw_the_end_they_are_not_collected_and_that_is_said(project: Cli) -> None:
    ran = project.json("start", "build", f"what=until [ -e go ]; do sleep 0.05; done; {BOTH}; exit 4")
    os.kill(int(project.meta(ran)["supervisor_pid"]), signal.SIGKILL)
    (project.folder / "go").touch()
    assert project.ended(ran["run_id"])["exit_code"] == 4
    assert set(outputs(project, ran).values()) == {"not collected: nobody saw the run finish"}


def test_they_are_kept_with_the_run_and_by_its_rerun(project: Cli) -> None:
    ran = run(project, "build", BOTH)
    kept = outputs(project, ran)
    for path in (*(project.folder / "dist").iterdir(), *(project.folder / "out").iterdir()):
        path.unlink()
    assert outputs(project, ran) == kept
    (project.logs / "jobs" / f"{ran['run_id']}.digest.json").unlink()
    assert outputs(project, ran) == kept, "the copies are enough"
    assert outputs(project, project.json("rerun", ran["run_id"], "--wait")) == kept


def test_each_combination_and_parameter_has_its_own_path(bg: Cli) -> None:
    bg.jobs("""
jobs:
  t:
    matrix: {n: [1, 2]}
    params: {what: {default: x}}
    command: printf '%s' '{{ matrix.n }}' > {{ what }}{{ matrix.n }}.json
    outputs: {n: {json: "{{ what }}{{ matrix.n }}.json"}}
""")
    group = bg.json("start", "t", "what=y", "--wait")
    assert [outputs(bg, one) for one in group["runs"]] == [{"n": 1}, {"n": 2}]
    assert json.loads((bg.folder / "y2.json").read_text()) == 2
