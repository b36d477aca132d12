"""Groups and lines: who may run when, who is skipped, and what goes on after a kill; judged by begin and end."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgrun.system import process
from soaking.processes import children, kill
from soaking.singles import started_id, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.model import Run
    from soaking.ground import Trial


def group(trial: Trial) -> None:
    """A group with an order at random: left alone, stopped, or its caller or supervisor killed; then what failed again."""
    rng = trial.rng
    names = [f"j{number}" for number in range(rng.randrange(4, 9))]
    codes = {name: rng.choice([0, 0, 0, 0, 2]) for name in names}
    needs = {name: rng.sample(names[:at], min(at, rng.choice([0, 0, 1, 2]))) for at, name in enumerate(names)}
    bounds: dict[str, Any] = {"max_parallel": most} if (most := rng.choice([0, 1, 2, 3])) else {}
    fail_fast = rng.random() < 0.3
    jobs = {
        name: {
            "command": trial.job(name, rng.randrange(2, 20) / 100, codes[name]),
            "depends_on": needs[name],
            "inhibit_sleep": False,
        }
        for name in names
    }
    groups = {"all": {"jobs": names, "fail_fast": fail_fast, **bounds}}
    trial.own_project(json.dumps({"jobs": jobs, "groups": groups}))
    act = rng.choice(["nothing", "kill caller", "kill supervisor", "stop", "stop one"])
    if act == "kill caller":
        trial.launch_and_kill("group", "all")
        trial.nobody_launches()
    else:
        trial.bgrun("group", "all")
        time.sleep(rng.random() * 0.3)
    disturb(trial, act, names)
    if not (found := trial.run_ids("all")):
        trial.expect(
            "wrong verdicts", act == "kill caller" and not trial.notes(), f"{act}: no record, and {trial.notes()}"
        )
        return
    runs = {name: trial.ended(trial.run_ids(name)[-1]) for name in names if trial.run_ids(name)}
    whole = trial.ended(found[-1])
    trial.count(f"{act}: {whole.state}")
    trial.expect("wrong verdicts", len(runs) == len(names), f"{act}: {len(runs)} of {len(names)} have a record")
    for name, run in runs.items():
        trial.stands_by_its_notes(run, name)
    if act in ("nothing", "kill caller") and not fail_fast:
        _as_declared(trial, runs, codes, needs)
    succeeded = all(run.state == "succeeded" for run in runs.values())
    told = f"{act}: the group {whole.state}, its runs {[f'{name} {run.state}' for name, run in runs.items()]}"
    # Whether a group whose supervisor was killed at its very end succeeded may stay open, but never the wrong way.
    trial.expect("wrong verdicts", succeeded or whole.state != "succeeded", told)
    if act in ("nothing", "kill caller"):
        trial.expect("wrong verdicts", (whole.state == "succeeded") == succeeded, told)
    in_order(trial, names, needs, most)
    if not succeeded:
        _again(trial, found[-1], runs, most)


def disturb(trial: Trial, act: str, names: list[str]) -> None:
    """Do to the group what was chosen."""
    if act == "kill supervisor" and (found := trial.run_ids("all")) and (one := trial.processes(found[-1])):
        kill(one.supervisor, one.supervisor_start)
    if act in ("stop", "stop one"):
        done = trial.bgrun("stop", "all" if act == "stop" else trial.rng.choice(names))
        trial.expect("leftovers", done.code == 0, f"{act}: exit {done.code} {done.err[-300:]}")


def _as_declared(trial: Trial, runs: dict[str, Run], codes: dict[str, int], needs: dict[str, list[str]]) -> None:
    expected: dict[str, str] = {}
    for name, code in codes.items():
        ready = all(expected[one] == "succeeded" for one in needs[name])
        expected[name] = verdict(code)[0] if ready else "skipped"
    found = {name: run.state for name, run in runs.items()}
    trial.expect("wrong verdicts", found == expected, f"{found}, not {expected}")


def in_order(trial: Trial, names: Iterable[str], needs: dict[str, list[str]], most: int) -> None:
    """See that nothing began before what it needs had succeeded, and no more ran at once than may."""
    begins = {one.name: one.at for one in trial.notes("begin")}
    ends = {one.name: one for one in trial.notes("end")}
    for name in names:
        for needed in needs.get(name, ()) if name in begins else ():
            end = ends.get(needed)
            ready = end and end.code == 0 and end.at <= begins[name]
            trial.expect("wrong verdicts", ready, f"{name} began, and {needed}, which it needs, had not succeeded")
    if most:
        spans = [(at, ends[name].at if name in ends else at) for name, at in begins.items()]
        at_once(trial, spans, most)


def at_once(trial: Trial, spans: Iterable[tuple[float, float]], most: int) -> None:
    """See that at no time more than so many of the spans overlap."""
    turns = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    now = 0
    for _, step in turns:
        now += step
        if now > most:
            trial.lie("too many at once", f"{now} ran at once, {most} may: {sorted(spans)}")
            return


def _again(trial: Trial, group_run: str, before: dict[str, Run], most: int) -> None:
    """With all mended, run again what did not succeed: that and nothing else, and then all has succeeded."""
    Path(f"{trial.notes_file}.mended").touch()
    first = trial.notes()
    done = trial.bgrun("rerun", group_run, "--failed", "--wait")
    trial.expect(
        "wrong verdicts", done.code == 0, f"rerun --failed: exit {done.code} {done.out[-500:]}{done.err[-300:]}"
    )
    second = trial.notes()[len(first) :]
    ran = sorted(one.name for one in second if one.word == "begin")
    due = sorted(name for name, run in before.items() if run.state != "succeeded")
    trial.expect("wrong verdicts", ran == due, f"rerun --failed ran {ran}, and {due} had not succeeded")
    if most:
        begins = {one.name: one.at for one in second if one.word == "begin"}
        ends = {one.name: one.at for one in second if one.word == "end"}
        at_once(trial, [(at, ends.get(name, at)) for name, at in begins.items()], most)


def line(trial: Trial) -> None:
    """Runs of one concurrency group, started together, with kills and stops among them at random."""
    rng = trial.rng
    names = [f"c{number}" for number in range(rng.randrange(3, 7))]
    limit = rng.choice([1, 1, 2])
    shared = {"concurrency": {"group": "g", "limit": limit}, "inhibit_sleep": False}
    codes = {name: rng.choice([0, 0, 4]) for name in names}
    jobs = {name: {"command": trial.job(name, rng.randrange(5, 40) / 100, codes[name]), **shared} for name in names}
    trial.own_project(json.dumps({"jobs": jobs}))
    acts = {name: rng.choice(["", "", "kill supervisor", "kill command", "stop", "kill caller"]) for name in names}
    moments = {name: rng.random() * 0.5 for name in names}
    with ThreadPoolExecutor(len(names)) as pool:
        cut = dict(
            zip(names, pool.map(lambda name: _in_line(trial, name, acts[name], moments[name]), names), strict=True)
        )
    ends = {one.name: one.at for one in trial.notes("end")}
    spans = [(one.at, ends.get(one.name) or max(one.at, cut[one.name])) for one in trial.notes("begin")]
    at_once(trial, spans, limit)
    for name in names:
        _judge_in_line(trial, name, acts[name], codes[name])


def _in_line(trial: Trial, name: str, act: str, moment: float) -> float:
    """Start one, and do to it what was chosen; return when that began (seconds since the epoch), or 0."""
    if act == "kill caller":
        trial.launch_and_kill("start", name)
        trial.nobody_launches()
        return 0.0
    run_id = started_id(trial.bgrun("start", name))
    if not run_id:
        trial.lie("commands that broke or hung", f"{name} was not started")
        return 0.0
    time.sleep(moment)
    one, now = trial.processes(run_id), time.time()
    if act == "stop":
        done = trial.bgrun("stop", run_id)
        trial.expect("leftovers", done.code == 0, f"stop {run_id}: exit {done.code} {done.err[-300:]}")
    elif act == "kill supervisor" and one:
        kill(one.supervisor, one.supervisor_start)
    elif act == "kill command" and one and one.pid:
        now = time.time()
        for child in children(one.pid):
            kill(child.pid, process.start_of(child.pid))
    return now


def _judge_in_line(trial: Trial, name: str, act: str, code: int) -> None:
    found = trial.run_ids(name)
    begun = trial.notes("begin", name)
    if not found:
        trial.expect("wrong verdicts", act == "kill caller" and not begun, f"{name} ({act}): no record, and {begun}")
        return
    run = trial.ended(found[-1])
    begun = trial.notes("begin", name)  # again: a supervisor may be killed just before the command's first word
    trial.stands_by_its_notes(run, name)
    allowed = {verdict(code)}
    if act == "kill command":
        allowed |= {("failed", 137)}
    if act == "stop":
        allowed |= {("stopped", 143), ("stopped", None)}
    if act == "kill supervisor" and not begun:
        allowed = {("skipped", None)}
    trial.judge(found[-1], allowed)
    trial.expect("wrong verdicts", len(begun) <= 1, f"{name} began {len(begun)} times")
