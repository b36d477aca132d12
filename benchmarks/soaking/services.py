"""Services: nothing starts before what it needs is ready, and none outlives its last need; judged by begin and end."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING

from soaking.processes import kill
from soaking.singles import verdict

if TYPE_CHECKING:
    from bgrun.model import Run
    from soaking.ground import Trial

TOO_EARLY = 9
"""The exit code of a job that finds a service that it needs not ready."""
SERVICES = ("db", "web")


def plan(trial: Trial) -> None:
    """A group of two jobs and two services: left alone, stopped, or a service or the supervisor killed.

    abandon: the supervisor is killed, and nobody stops the services before the group is over.
    """
    rng = trial.rng
    code = rng.choice([0, 0, 2])
    act = rng.choice(["nothing", "nothing", "stop", "kill db", "kill web", "kill supervisor", "abandon"])
    trial.own_project(_job_file(trial, code))
    trial.bgrun("group", "all")
    time.sleep(rng.random() * 1.5)
    found = trial.run_ids("all")
    _disturb(trial, act, found[-1])
    whole = trial.ended(found[-1])
    trial.expect("wrong verdicts", not whole.live, f"{act}: the group is still {whole.state}: {whole.reason}")
    if act == "abandon":
        _stop_abandoned(trial, whole)
    runs = {name: trial.ended(ids[-1]) for name in (*SERVICES, "e2e", "lint") if (ids := trial.run_ids(name))}
    shown = (
        f"{act}: the group {whole.state}, its runs {[f'{name} {one.state} {one.reason}' for name, one in runs.items()]}"
    )
    trial.count(f"{act}: {whole.state}")
    trial.expect("wrong verdicts", len(runs) == 4, shown)
    trial.expect("wrong verdicts", runs["e2e"].exit_code != TOO_EARLY, shown)
    for name in ("e2e", "lint"):
        trial.stands_by_its_notes(runs[name], name)
    served = all(_served(runs[name]) for name in SERVICES)
    succeeded = served and runs["e2e"].state == runs["lint"].state == "succeeded"
    if act == "abandon" and not served:
        # Its supervisor was killed, so that its result is that of its jobs.
        passed = runs["e2e"].state == runs["lint"].state == "succeeded"
        trial.expect("wrong verdicts", (whole.state == "succeeded") == passed, shown)
    elif act == "kill supervisor" and whole.state == "succeeded":
        # What was stopped after the jobs does not count.
        passed = runs["e2e"].state == runs["lint"].state == "succeeded"
        trial.expect("wrong verdicts", passed, shown)
    else:
        trial.expect("wrong verdicts", succeeded or whole.state != "succeeded", shown)
    if act == "nothing":
        trial.expect("wrong verdicts", served and runs["e2e"].state == verdict(code)[0], shown)
        trial.expect("wrong verdicts", (whole.state == "succeeded") == succeeded, shown)
        ends = [runs[name].ended_at or "" for name in ("e2e", "web", "db")]
        trial.expect("wrong verdicts", ends == sorted(ends), f"{shown}: ended {ends}")


def _stop_abandoned(trial: Trial, whole: Run) -> None:
    """Stop the services that a killed supervisor left; that does not change the result of its group."""
    trial.bgrun("stop", whole.run_id)
    after = trial.look(whole.run_id)
    now = after and (after.state, after.exit_code, after.ended_at)
    trial.expect("wrong verdicts", now == (whole.state, whole.exit_code, whole.ended_at), f"{whole} became {after}")


def _served(run: Run) -> bool:
    return run.state == "stopped" and (run.reason or "").startswith("no longer needed")


def _job_file(trial: Trial, code: int) -> str:
    """Return a job file whose services are ready once they have made a file."""
    services = {
        name: {
            "command": f"sleep {trial.rng.random() / 5:.2f}; touch {name}.up; exec {shlex.join(trial.job(name, 60, 0))}",
            "ready": {"command": f"test -e {name}.up", "timeout": "25s"},
            "depends_on": needs,
            "inhibit_sleep": False,
        }
        for name, needs in (("db", []), ("web", ["db"]))
    }
    checked = f"test -e db.up && test -e web.up || exit {TOO_EARLY}; exec "
    jobs = {
        "e2e": {
            "command": checked + shlex.join(trial.job("e2e", trial.rng.random() / 5, code)),
            "depends_on": ["web"],
            "inhibit_sleep": False,
        },
        "lint": {"command": trial.job("lint", 0.05, 0), "inhibit_sleep": False},
    }
    most = {"max_parallel": 1} if trial.rng.random() < 0.5 else {}
    return json.dumps({"services": services, "jobs": jobs, "groups": {"all": {"jobs": ["e2e", "lint"], **most}}})


def _disturb(trial: Trial, act: str, group: str) -> None:
    if act == "stop":
        done = trial.bgrun("stop", "all")
        trial.expect("leftovers", done.code == 0, f"{act}: exit {done.code} {done.err[-300:]}")
    elif act in ("kill supervisor", "abandon"):
        if one := trial.processes(group):
            kill(one.supervisor, one.supervisor_start)
        if act == "abandon":
            return  # once the jobs are over, so is the group
        # Nobody stops the services now but whoever asks for it.
        for name in SERVICES:
            if ids := trial.run_ids(name):
                trial.bgrun("stop", ids[-1])
    elif act.startswith("kill ") and (ids := trial.run_ids(act[5:])) and (one := trial.processes(ids[-1])) and one.pid:
        kill(one.pid, one.pid_start)
