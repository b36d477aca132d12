"""Plans, as a user has them: dependencies, conditions, retries, hooks, and what a dead supervisor leaves."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.conftest import LIMITS_S, wait_until
from tests.faults.conftest import is_gone
from tests.plans import Graph, predicted

if TYPE_CHECKING:
    from tests.conftest import Cli

CHAIN = """
jobs:
  build: {command: "test ! -e broken && echo built >> order"}
  test: {command: "echo tested {{ level }} >> order", depends_on: [build], params: {level: {default: low}}}
  deploy: {command: "echo deployed >> order", depends_on: [test]}
  lint: {command: "echo linted >> order"}
groups:
  all: {jobs: [deploy, lint], max_parallel: 1}
  strict: {jobs: [lint, build], depends_on: {lint: [build]}, max_parallel: 2}
"""


def states(document: dict[str, Any]) -> dict[str, str]:
    return {run["job"]: run["state"] for run in document["runs"]}


def order(bg: Cli) -> list[str]:
    return (bg.folder / "order").read_text().splitlines()


def test_a_start_runs_first_what_the_job_needs(bg: Cli) -> None:
    bg.jobs(CHAIN)
    run = bg.json("start", "deploy")
    assert (run["job"], run["group"]) == ("deploy", "plan_deploy")
    assert bg.ended(run["run_id"])["state"] == "succeeded"
    assert order(bg) == ["built", "tested low", "deployed"]


def test_a_command_that_never_ran_is_no_success_whatever_codes_count_as_one(bg: Cli) -> None:
    """Its working directory goes while it is queued: the code of the job script is not that of the command."""
    bg.jobs("""
        jobs:
          clean: {command: rmdir sub}
          diff: {command: "touch ../ran; exit 1", working_dir: sub, success_exit_codes: [0, 1, 2], depends_on: [clean]}
    """)
    (bg.folder / "sub").mkdir()
    run = bg.json("start", "diff", "--wait", code=1)
    assert (run["state"], run["exit_code"]) == ("failed", 125)
    assert not (bg.folder / "ran").exists()


def test_a_run_whose_script_was_deleted_is_no_success_whatever_codes_count_as_one(bg: Cli) -> None:
    """A shell without its script exits with 2 or 127."""
    bg.jobs("""
        jobs:
          clean: {command: rm .logs/jobs/diff_*.sh}
          diff: {command: "touch ran; exit 1", success_exit_codes: [0, 1, 2, 127], depends_on: [clean]}
    """)
    run = bg.json("start", "diff", "--wait", code=1)
    assert (run["state"], run["exit_code"]) == ("skipped", None)
    assert run["reason"].startswith(f"the job script of {run['run_id']} no longer exists: {bg.logs}/jobs/")
    assert not (bg.folder / "ran").exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros"])
def test_a_damaged_script_is_not_run_again(bg: Cli, damage: str) -> None:
    """As a power cut leaves it: the shell would exit with 0 before it came to the command."""
    run = bg.start("x", "exit 3")
    bg("wait", "x", code=1)
    script = Path(run["script"])
    whole = script.read_bytes()
    script.write_bytes({"empty": b"", "cut": whole[:900], "zeros": whole[:900] + b"\0" * 512 + whole[1412:]}[damage])
    again = bg("rerun", "x", code=2)
    assert again.err.splitlines()[0] == f"error: the job script of {run['run_id']} is damaged: {script}"
    assert len(bg.json("list", "--all")["runs"]) == 1


def test_the_run_of_several_jobs_never_has_the_name_of_one(bg: Cli) -> None:
    """`terraform plan` failed: `status plan` must not show the success of other jobs that were started later."""
    bg.jobs("""
        jobs:
          plan: {command: exit 3}
          named: {command: "true", label: plan_plan}
          build: {command: "true"}
          test: {command: "true", depends_on: [build]}
          plan_test: {command: exit 4}
    """)
    bg("start", "plan", "--wait", code=1)
    both = bg.json("start", "build", "named", "--wait")
    assert (both["state"], both["label"]) == ("succeeded", "plan_plan_plan")
    assert bg.json("start", "test", "--wait")["group"] == "plan_test_plan"
    assert bg.state("plan")["exit_code"] == 3
    bg("status", "plan_test", code=2)


def test_the_run_of_several_jobs_is_kept_apart_from_an_ad_hoc_label(bg: Cli) -> None:
    bg.jobs(CHAIN)
    assert bg.json("start", "build", "lint", "--wait")["label"] == "plan"
    bg("run", "plan", "--wait", "--", "sh", "-c", "exit 3", code=1)
    assert bg.json("start", "build", "lint", "--wait")["label"] == "plan_plan"
    assert bg.state("plan")["exit_code"] == 3


def test_a_job_that_becomes_a_matrix_keeps_its_name(bg: Cli) -> None:
    bg.jobs("jobs: {m: {command: exit 3}}\n")
    bg("start", "m", "--wait", code=1)
    bg.jobs("jobs: {m: {command: 'exit {{ matrix.n }}', matrix: {n: [0]}}}\n")
    one = bg.json("start", "m", "--wait")
    bg.jobs("jobs: {m: {command: 'test {{ matrix.n }} -lt 2', matrix: {n: [0, 1]}}}\n")
    both = bg.json("start", "m", "--wait")
    assert (one["label"], both["label"], bg.state("m")["exit_code"]) == ("m_0", "m", 0)


def test_what_needs_a_failed_job_is_skipped_with_the_reason(bg: Cli) -> None:
    bg.jobs(CHAIN)
    (bg.folder / "broken").touch()
    done = bg.json("group", "all", "--wait", code=1)
    assert states(done) == {"build": "failed", "test": "skipped", "deploy": "skipped", "lint": "succeeded"}
    build = next(run["run_id"] for run in done["runs"] if run["job"] == "build")
    skipped = next(run for run in done["runs"] if run["job"] == "test")
    assert skipped["reason"] == f"dependency {build} failed"
    script = ["bash", done["script"]]
    assert subprocess.run(script, env=bg.env, check=False).returncode == 1, "by hand it ends at the first that fails"
    (bg.folder / "broken").unlink()
    (bg.folder / "order").unlink()
    subprocess.run(script, env=bg.env, check=True)
    assert order(bg) == ["built", "tested low", "deployed", "linted"]
    again = bg.json("rerun", done["run_id"], "--failed", "--wait")
    assert states(again) == {"build": "succeeded", "test": "succeeded", "deploy": "succeeded"}
    assert "rerun them all" in bg("rerun", again["run_id"], "--failed", code=2).err


def test_only_some_of_a_group_with_parameters(bg: Cli) -> None:
    bg.jobs(CHAIN)
    for words in (("--only", "deploy"), ("--", "only", "deploy")):
        (bg.folder / "order").unlink(missing_ok=True)
        bg("group", "all", "--param", "level=high", "--wait", *words)
        assert order(bg) == ["built", "tested high", "deployed"]
    assert "did you mean 'deploy'" in bg("group", "all", "--only", "deplyo", code=2).err
    assert "level" in bg("group", "all", "--param", "levle=x", code=2).err
    assert "only JOB" in bg("group", "all", "--", "deploy", code=2).err


def test_several_jobs_in_one_start(bg: Cli) -> None:
    bg.jobs(CHAIN)
    done = bg.json("start", "lint", "test", "level=mid", "--max-parallel", "1", "--wait")
    assert done["label"] == "plan"
    assert order(bg) == ["linted", "built", "tested mid"]
    assert "twice" in bg("start", "lint", "lint", code=2).err
    assert "exactly one job, got 2" in bg("start", "lint", "build", "--", "x", code=2).err


def test_a_group_may_add_an_order_of_its_own(bg: Cli) -> None:
    bg.jobs(CHAIN)
    bg("group", "strict", "--wait")
    assert order(bg) == ["built", "linted"]


def test_a_job_whose_condition_is_false_is_skipped_and_spoils_nothing(bg: Cli) -> None:
    bg.jobs("""
jobs:
  never: {command: "exit 9", if: "os.name == 'plan9'"}
  after: {command: "exit 9", depends_on: [never]}
  wanted: {command: "true", if: "env.get('WANTED') == 'yes'"}
  strict: {command: "true", if: env.NOT_THERE}
groups: {g: {jobs: [never, after, wanted]}, none: {jobs: [never]}}
""")
    done = bg.json("group", "g", "--wait", WANTED="yes")
    assert states(done) == {"never": "skipped", "after": "skipped", "wanted": "succeeded"}
    assert done["state"] == "succeeded"
    run = bg.json("start", "wanted")
    assert (run["state"], run["reason"]) == ("skipped", "`if` is false: env.get('WANTED') == 'yes'")
    assert bg("wait", "wanted", code=1)
    assert bg.json("rerun", run["run_id"])["state"] == "skipped"
    assert bg.json("group", "none", "--wait", code=1)["state"] == "skipped"
    assert "env.get" in bg("start", "strict", code=2).err


RETRY = """
jobs:
  flaky:
    command: |
      echo try >> tries
      [ $(wc -l < tries) -ge {{ good }} ] || exit {{ code }}
    params: {good: {type: integer}, code: {type: integer, default: 7}}
    retry: {max: 2, backoff: 10ms}
  picky: {command: "echo try >> tries; exit 3", retry: {max: 5, backoff: 10ms, exit_codes: [4]}}
  slow: {command: "echo try >> tries; exit 3", retry: {max: 5, backoff: 10m}}
"""


def test_a_command_is_tried_again_within_one_run(bg: Cli) -> None:
    bg.jobs(RETRY)
    run = bg.json("start", "flaky", "3", "--wait")
    assert (run["state"], bg.meta(run)["attempts"]) == ("succeeded", "3")
    marks = [line for line in Path(run["log"]).read_text().splitlines() if line.startswith("--- bgrun: attempt")]
    assert marks[1] == "--- bgrun: attempt 3 of 3 in 0.02 s; the one before ended with exit code 7 ---"
    (bg.folder / "tries").unlink()
    run = bg.json("start", "flaky", "9", "--wait", code=1)
    assert (run["state"], run["exit_code"], bg.meta(run)["attempts"]) == ("failed", 7, "3")


def test_only_the_named_exit_codes_are_worth_another_attempt(bg: Cli) -> None:
    bg.jobs(RETRY)
    run = bg.json("start", "picky", "--wait", code=1)
    assert (run["exit_code"], (bg.folder / "tries").read_text()) == (3, "try\n")
    assert "attempts" not in bg.meta(run)


@pytest.mark.parametrize("supervised", [True, False])
def test_a_stop_ends_the_pause_between_attempts(bg: Cli, supervised: bool) -> None:
    bg.jobs(RETRY)
    run = bg.json("start", "slow")
    wait_until(lambda: "attempt 2" in Path(run["log"]).read_text(), "the second attempt is announced")
    assert not Path(run["meta"]).with_suffix(".exit").exists()
    if not supervised:
        os.kill(int(bg.meta(run)["supervisor_pid"]), signal.SIGKILL)
    bg("stop", run["run_id"])
    assert bg.state(run["run_id"])["state"] == "stopped"
    assert (bg.folder / "tries").read_text() == "try\n"


def test_attempts_go_on_without_a_supervisor(bg: Cli) -> None:
    bg.jobs(RETRY.replace("backoff: 10ms}\n  picky", "backoff: 500ms}\n  picky"))
    run = bg.json("start", "flaky", "2")
    os.kill(int(bg.meta(run)["supervisor_pid"]), signal.SIGKILL)
    assert bg.ended(run["run_id"])["state"] == "succeeded"
    assert (bg.folder / "tries").read_text() == "try\ntry\n"


HOOKS = """
defaults:
  on_finish: echo "$BGRUN_LABEL $BGRUN_STATE $BGRUN_EXIT_CODE" >> reported
jobs:
  good: {command: "true", on_success: ['echo "good {{ job }}" >> reported'], on_failure: echo bad >> reported}
  bad: {command: "exit 4", on_failure: [{command: "echo '{{ x }}' >> reported"}], params: {x: {default: "it's"}}}
  hangs:
    command: "true"
    on_finish: [{command: "echo begun; sleep 600", timeout: WITHIN}, "exit 5", {notify: true}]
"""


def test_hooks_are_called_at_the_end(bg: Cli) -> None:
    bg.jobs(HOOKS.replace("WITHIN", "2s"))
    reported = bg.folder / "reported"
    bg("start", "good", "--wait")
    wait_until(lambda: reported.exists() and len(reported.read_text().splitlines()) == 2, "both hooks wrote")
    assert sorted(reported.read_text().splitlines()) == ["good good", "good succeeded 0"]
    reported.unlink()
    bg("start", "bad", "--wait", code=1)
    wait_until(lambda: reported.exists() and len(reported.read_text().splitlines()) == 2, "both hooks wrote")
    assert sorted(reported.read_text().splitlines()) == ["bad failed 4", "it's"]


def test_a_hook_that_fails_or_hangs_changes_no_result_and_ends(bg: Cli) -> None:
    for within in LIMITS_S:
        bg.jobs(HOOKS.replace("WITHIN", f"{within}s"))
        run = bg.json("start", "hangs", "--wait")
        assert run["state"] == "succeeded"
        supervisor = int(bg.meta(run)["supervisor_pid"])
        wait_until(lambda: is_gone(supervisor), "the supervisor is gone, and with it the hook", within + 20.0)  # noqa: B023
        assert bg.state(run["run_id"])["state"] == "succeeded"
        log = bg.logs / "jobs" / f"{run['run_id']}.hooks.log"
        if log.exists() and "begun" in log.read_text():
            return
    pytest.fail("the hook never began")


def graph_of(seed: int, size: int, chains: int = 12) -> Graph:
    """Chains of diamonds and fans: a hub, a fan behind it, and a join, which is the next hub; some runs fail."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible graph, no secret
    needs: dict[str, tuple[str, ...]] = {f"n{place}": () for place in range(chains)}
    hubs = list(needs)
    while len(needs) < size:
        hub = hubs.pop(0)
        fan = [f"n{len(needs) + place}" for place in range(chance.randint(2, 9))]
        needs |= dict.fromkeys(fan, (hub,))
        join = f"n{len(needs)}"
        needs[join] = tuple(chance.sample(fan, chance.randint(1, 2)))
        hubs.append(join)
    failing = frozenset(chance.sample(sorted(needs), size // 25))
    return Graph(needs, failing)


def declare(bg: Cli, graph: Graph, pause: str = "") -> None:
    jobs = {
        name: {"command": f"{pause}touch ran_{name}; test ! -e fail_{name}", "depends_on": list(needs)}
        for name, needs in graph.needs.items()
    }
    bg.jobs(yaml.safe_dump({"jobs": jobs, "groups": {"plan": {"jobs": list(graph.needs), "max_parallel": 4}}}))
    for name in graph.failing:
        (bg.folder / f"fail_{name}").touch()


def test_a_large_plan_ends_as_predicted(bg: Cli) -> None:
    graph = graph_of(4, 500)
    declare(bg, graph)
    done = bg.json("group", "plan", "--wait", code=1)
    assert states(done) == predicted(graph)[0]


def test_a_plan_whose_supervisor_is_killed_halfway_can_be_resumed(bg: Cli) -> None:
    graph = graph_of(5, 500)
    declare(bg, graph)
    group = bg.json("group", "plan")
    wait_until(lambda: len(list(bg.logs.glob("n*.exit"))) > 100, "some of it has run", 60.0)
    os.kill(int(bg.meta(group)["supervisor_pid"]), signal.SIGKILL)
    ended = bg.json("wait", group["run_id"], code=1)["runs"][0]
    assert ended["state"] == "failed"
    listed = bg.json("list", "--all")["runs"]
    seen = {run["job"]: run for run in listed if run["job"]}
    foretold = predicted(graph)[0]
    unstarted = [("skipped", "the supervisor ended before this run started")]
    for job, run in seen.items():
        # One may be at its gate, with its record in view: nobody opens it any more, and its command does not run.
        lost = run["state"] == "lost" and not (bg.folder / f"ran_{job}").exists()
        assert run["state"] == foretold[job] or lost or (run["state"], run["reason"]) in unstarted, run
    assert sum(run["state"] == "lost" for run in seen.values()) <= 1
    again = bg.json("rerun", group["run_id"], "--failed", "--wait", code=1)
    succeeded = {job: "succeeded" for job, run in seen.items() if run["state"] == "succeeded"}
    assert succeeded | states(again) == foretold


MATRIX = """
jobs:
  unit:
    command: echo {{ matrix.python }} {{ matrix.db }} >> order
    matrix: {python: ["3.11", "3.12"], db: [pg, lite], exclude: [{python: "3.11", db: pg}]}
    if: matrix.db != 'none'
  report: {command: echo report >> order, depends_on: [unit]}
  same: {command: "true", matrix: {n: ["a/b", "a b"]}}
"""


def test_each_combination_of_a_matrix_is_a_run_of_its_own_label(bg: Cli) -> None:
    bg.jobs(MATRIX)
    done = bg.json("start", "report", "--wait")
    assert order(bg)[-1] == "report"
    assert sorted(order(bg)[:-1]) == ["3.11 lite", "3.12 lite", "3.12 pg"]
    assert len(bg.meta(done)["needs"].split()) == 3
    done = bg.json("start", "unit", "--wait")
    assert done["label"] == "unit"
    assert [run["label"] for run in done["runs"]] == ["unit_3.11_lite", "unit_3.12_pg", "unit_3.12_lite"]
    assert bg.json("start", "unit", "python=3.11", "--wait")["label"] == "unit_3.11_lite"
    assert "available combinations: python=3.11 db=lite" in bg("start", "unit", "python=2", code=2).err
    assert "the label 'same_a-b'" in bg("start", "same", code=2).err
    assert "choose one of: " in bg("render", "unit", code=2).err
    assert "echo 3.12 pg" in bg("render", "unit", "python=3.12", "db=pg").out


def test_a_large_plan_is_stopped_as_a_small_one_is(bg: Cli) -> None:
    """One look at all processes serves all of its runs: none of them has to wait for its grace to be over."""
    count = 150
    bg.jobs(f"jobs: {{nap: {{command: sleep 300, matrix: {{n: {list(range(count))}}}}}}}")
    run = bg.json("start", "nap")

    def all_run() -> bool:
        return all(one["state"] == "running" for one in bg.json("status", *members)["runs"])

    members = run["members"] if "members" in run else bg.meta(run)["members"].split()
    assert len(members) == count
    wait_until(all_run, "all of them run", 60.0)
    assert bg.json("stop", "nap")["runs"][0]["state"] == "stopped"
    ended = {(one["state"], one["exit_code"]) for one in bg.json("status", *members)["runs"]}
    assert ended == {("stopped", 143)}


GROUP_NEEDS = """
jobs:
  first: {command: "echo first >>order; exit $(cat code)"}
  a: {command: "echo a >>order"}
  b: {command: "echo b >>order"}
groups:
  all: {jobs: [a, b], depends_on: %s}
"""


@pytest.mark.parametrize("needs", ["[first]", "{a: [first], b: [a]}"], ids=["whole", "single"])
def test_what_a_group_depends_on_runs_first(bg: Cli, needs: str) -> None:
    """Declared for the whole group or for single jobs of it; if it fails, nothing of that runs, and the group fails."""
    order, code = bg.folder / "order", bg.folder / "code"
    bg.jobs(GROUP_NEEDS % needs)
    code.write_text("0")
    bg("group", "all", "--wait")
    words = order.read_text().split()
    assert words[0] == "first"
    assert sorted(words) == ["a", "b", "first"]
    assert needs.startswith("[") or words == ["first", "a", "b"]
    order.unlink()
    code.write_text("3")
    run = bg.json("group", "all", "--wait", code=1)
    assert run["state"] == "failed"
    assert order.read_text().split() == ["first"]
    states = {one["label"]: one["state"] for one in run["runs"]}
    assert states == {"first": "failed", "a": "skipped", "b": "skipped"}


def test_a_job_of_the_group_may_be_what_the_group_depends_on(bg: Cli) -> None:
    bg.jobs((GROUP_NEEDS % "[first]").replace("jobs: [a, b]", "jobs: [a, first, b]"))
    (bg.folder / "code").write_text("0")
    bg("group", "all", "--wait")
    assert (bg.folder / "order").read_text().split()[0] == "first"


def test_the_duration_of_a_run_is_the_recorded_one(bg: Cli) -> None:
    """Not one that is worked out anew from the times of its files, which anybody may touch."""
    run = bg.json("run", "x", "--wait", "--", "true")
    recorded = bg.meta(run)
    os.utime(run["log"].removesuffix(".log") + ".exit", (2_000_000_000, 2_000_000_000))
    seen = bg.state("x")
    assert seen["duration_s"] == float(recorded["duration_s"]) < 60
    assert seen["ended_at"] == recorded["ended_at"]
