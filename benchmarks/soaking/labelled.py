"""Labels: several live runs of one, waited for, looked at and stopped by its name; and all of a project's at once."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from soaking.ground import LAST_S, Done
from soaking.processes import kill, wait
from soaking.singles import started_id, verdict

if TYPE_CHECKING:
    from soaking.ground import Trial


def _runs_of(trial: Trial, label: str, jobs: list[list[str]]) -> list[str]:
    """Start so many jobs under one label, one after the other or all at once; return their runs."""
    with ThreadPoolExecutor(len(jobs) if trial.rng.random() < 0.5 else 1) as pool:
        done = list(pool.map(lambda words: trial.bgrun("run", label, "--", *words), jobs))
    found = [started_id(one) for one in done]
    trial.expect("commands that broke or hung", all(found), f"not all of {label} were started: {found}")
    return [one for one in found if one]


def _states(done: Done) -> dict[str, str]:
    try:
        return {run["run_id"]: run["state"] for run in json.loads(done.out)["runs"]}
    except (ValueError, KeyError, TypeError):
        return {}


def waited_for(trial: Trial) -> None:
    """`wait LABEL` returns when the last of its live runs has ended, and with 0 only if all have succeeded."""
    trial.own_project()
    rng, gate = trial.rng, trial.halt
    codes = [rng.choice([0, 0, 5]) for _ in range(rng.randrange(2, 5))]
    jobs = [trial.job(f"n{at}", rng.randrange(1, 40) / 100, code, gate=gate) for at, code in enumerate(codes)]
    found = _runs_of(trial, "srv", jobs)
    listed = _states(trial.bgrun("status", "srv", "--json"))
    trial.expect("wrong verdicts", listed == dict.fromkeys(found, "running"), f"status srv: {listed}, and {found} live")
    waiter = trial.caller("wait", "srv")
    time.sleep(0.5 + rng.random() * 0.1)
    trial.expect(
        "wrong verdicts", waiter.poll() is None, f"wait srv: exit {waiter.returncode}, and all of {found} live"
    )
    gate.touch()
    code = waiter.wait(LAST_S)
    now, ends = time.time(), trial.notes("end")
    trial.expect("wrong verdicts", len(ends) == len(codes), f"wait srv returned after {len(ends)} of {len(codes)} runs")
    trial.expect("wrong verdicts", all(one.at <= now for one in ends), "wait srv returned before the last had ended")
    trial.expect(
        "wrong verdicts", code == (1 if any(codes) else 0), f"wait srv: exit {code} of runs that ended {codes}"
    )
    ended = sorted(trial.ended(run_id).exit_code or 0 for run_id in trial.run_ids("srv"))
    trial.expect("wrong verdicts", ended == sorted(codes), f"srv ended {ended}, not {sorted(codes)}")
    trial.count(f"exit {code}")


def stopped(trial: Trial) -> None:
    """`stop LABEL` ends its live runs, each of them, some of them orphans, and none of a label that begins alike."""
    trial.own_project()
    rng = trial.rng
    found = _runs_of(trial, "srv", [trial.job(f"n{at}", 40, 0) for at in range(rng.randrange(2, 5))])
    others = _runs_of(trial, "srv_2", [trial.job("other", 40, 0)])
    count = len(found) + len(others)
    wait(lambda: len(trial.notes("begin")) == count, LAST_S)
    orphans = rng.sample(found, 1) if rng.random() < 0.4 else []
    for run_id in orphans:
        if one := trial.processes(run_id):
            kill(one.supervisor, one.supervisor_start)
    everything = rng.random() < 0.5
    done = trial.bgrun("stop", "--all") if everything else trial.bgrun("stop", "srv")
    trial.expect("leftovers", done.code == 0, f"stop: exit {done.code} {done.err[-300:]}")
    gone = [one for one in trial.notes("begin") if everything or one.name != "other"]
    trial.expect("leftovers", trial.gone(gone), f"stop {'--all' if everything else 'srv'} left some of {found} alive")
    for run_id in found:
        trial.bgrun("stop", run_id)
        trial.judge(run_id, {("stopped", 143), *([("stopped", None)] if run_id in orphans else [])})
    for run_id in others:
        run = trial.look(run_id)
        trial.expect(
            "wrong verdicts", run and run.live != everything, f"{run_id} is {run and run.state}: {everything=}"
        )
        trial.bgrun("stop", run_id)
        trial.judge(run_id, {("stopped", 143)})


def queue_stopped(trial: Trial) -> None:
    """`stop LABEL` of one run that runs and others that wait for it: none of them begins."""
    job = {"command": trial.job("one", 40, 0), "concurrency": {"group": "g"}, "inhibit_sleep": False}
    trial.own_project(json.dumps({"jobs": {"srv": job}}))
    count = trial.rng.randrange(2, 5)
    found = [started_id(trial.bgrun("start", "srv")) for _ in range(count)]
    wait(lambda: trial.notes("begin"), LAST_S)
    done = trial.bgrun("stop", "srv")
    trial.expect("leftovers", done.code == 0, f"stop srv: exit {done.code} {done.err[-300:]}")
    time.sleep(0.1)
    begun = trial.notes("begin")
    trial.expect(
        "leftovers", len(begun) == 1 and trial.gone(begun), f"stop srv, and {len(begun)} of {count} have begun"
    )
    trial.bgrun("stop", *[one for one in found if one])
    for run_id in found:
        if run_id:
            trial.judge(run_id, {("stopped", 143), ("stopped", None)})


def of_one_second(trial: Trial) -> None:
    """Many runs of one label in one second: the names sort as they were started, for a shell too."""
    trial.own_project()
    codes = [trial.rng.choice([0, 3]) for _ in range(trial.rng.randrange(3, 13))]
    found: list[str] = []
    for at, code in enumerate(codes):
        found += _runs_of(trial, "quick", [trial.job(f"n{at}", 0, code)])
    for run_id, code in zip(found, codes, strict=False):
        trial.judge(run_id, {verdict(code)})
    shown = trial.run_ids()
    trial.expect("wrong verdicts", shown == found, f"started {found}, and by name {shown}")
    newest = _states(trial.bgrun("status", "quick", "--json"))
    trial.expect("wrong verdicts", list(newest) == found[-1:], f"status quick tells of {newest}, not of {found[-1:]}")
