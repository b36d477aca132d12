"""Timeouts, hooks and dependants, whatever happens around them: each is checked by what the jobs and hooks noted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bgrun
from soaking.ground import LAST_S, SLACK_S
from soaking.processes import suspend, wait
from soaking.singles import verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from soaking.ground import Ground, Trial

GRACE_S = 0.3
LATE = ("start", "late")
STARTS = (LATE, ("start", "good"), ("start", "bad"), ("start", "halted"), ("group", "all"))
LABELS = tuple(words[1] for words in STARTS)
MEMBERS = ("first", "second", "third", "later")
# How a job ends whose project was renamed before its command began: its script found its working directory gone (125),
# or its shell (dash 2, bash 127) did not find the script; what depends on it is skipped.
NOT_BEGUN = {("failed", 125), ("failed", 2), ("failed", 127), ("skipped", None)}
_making = threading.Lock()


def _job_file(trial: Trial, timeouts: dict[str, float], hooked: set[str], first: str) -> str:
    """Return jobs that end in every way, some with all three kinds of hooks, and a group of some."""
    rng = trial.rng
    ways = {name: rng.choice(["plain", "polite", "deaf"]) for name in timeouts}
    words = {
        "late": trial.job("late", 40, 0, ways["late"]),
        "good": trial.job("good", rng.random(), 0),
        "bad": trial.job("bad", rng.random(), 3),
        "halted": trial.job("halted", 300, 0),
        "first": trial.job("first", rng.random() / 2, 0),
        "second": trial.job("second", rng.random() / 2, 0),
        "third": trial.job("third", rng.random() / 4, 5),
        "later": trial.job("later", 40, 0, ways["later"]),
    }
    jobs: dict[str, Any] = {}
    for name, command in words.items():
        jobs[name] = {"command": command if rng.random() < 0.5 else " ".join(command), "inhibit_sleep": False}
        jobs[name] |= {"stop_grace_period": f"{GRACE_S}s"}
        if name == "late" and first:
            jobs[name]["command"] = f"{first}; exec {' '.join(command)}"
        if name in hooked:
            jobs[name] |= {f"on_{when}": [trial.hook(when)] for when in ("finish", "success", "failure")}
        if name in timeouts:
            jobs[name]["timeout"] = f"{timeouts[name]:.2f}s"
    jobs["second"]["depends_on"] = jobs["third"]["depends_on"] = ["first"]
    return json.dumps({"jobs": jobs, "groups": {"all": {"jobs": ["later", "second", "third"]}}})


def _kept(trial: Trial, start: Callable[..., object], disturb: Callable[[], object], first: str = "") -> None:
    """Start some of all that, disturb it and judge; `first` is what the job `late`, the last one then, begins with."""
    timeouts = {name: 0.1 + trial.rng.random() for name in ("late", "later")}
    # Without hooks a supervisor is another one: it becomes slim.
    hooked = {label for label in (*LABELS, *MEMBERS) if trial.rng.random() < 0.6}
    trial.own_project(_job_file(trial, timeouts, hooked, first))
    chosen = trial.rng.sample(STARTS, trial.rng.randrange(2, len(STARTS) + 1))
    if first:
        chosen = [*(words for words in chosen if words != LATE), LATE]
    for words in chosen:
        start(*words)
    disturb()
    trial.nobody_launches()
    if found := trial.run_ids("halted"):
        wait(lambda: trial.notes("begin", "halted") or not ((run := trial.look(found[-1])) and run.live), LAST_S)
        done = trial.bgrun("stop", found[-1])
        trial.expect("leftovers", done.code == 0, f"stop halted: exit {done.code} {done.err[-300:]}")
    for label in (*LABELS, *MEMBERS):
        _judge(trial, label, timeouts.get(label))
    _judge_hooks(trial, hooked)


def _judge(trial: Trial, label: str, timeout_s: float | None) -> None:
    found = trial.run_ids(label)
    begun = trial.notes("begin", label)
    if not found:
        trial.expect("wrong verdicts", not begun, f"{label} ran, and there is no record of it")
        return
    if len(found) > 1 or (label != "all" and len(begun) > 1):
        trial.lie("wrong verdicts", f"{label} was started once, and there are {found}, {begun}")
    if timeout_s is not None:
        _judge_timeout(trial, found[-1], label, timeout_s)
        return
    allowed = {
        "good": {verdict(0)},
        "bad": {verdict(3)},
        "halted": {("stopped", 143)},
        "first": {verdict(0)},
        "second": {verdict(0)},
        "third": {verdict(5)},
        "all": {("failed", 1)},
    }
    if trial.moved and not begun and label != "all":
        trial.judge(found[-1], NOT_BEGUN)
        return
    run = trial.judge(found[-1], allowed[label])
    if label != "all":
        trial.stands_by_its_notes(run, label)


def _judge_timeout(trial: Trial, run_id: str, label: str, timeout_s: float) -> None:
    wait(lambda: trial.notes("begin", label) or not ((run := trial.look(run_id)) and run.live), LAST_S)
    if trial.moved and not trial.notes("begin", label) and trial.ended(run_id).state == "failed":
        trial.judge(run_id, NOT_BEGUN)
        return
    if not trial.notes("begin", label):
        # What the job does first (see `venv_gone`) may take longer than its timeout.
        trial.judge(run_id, {("timed_out", 143)})
        return
    begun = trial.notes("begin", label)[0].at
    run = trial.ended(run_id, max(0.0, begun + timeout_s + GRACE_S + SLACK_S - time.time()))
    trial.count(run.state)
    over = run.state == "timed_out" and trial.gone(trial.notes("begin", label))
    trial.expect("lost timeouts", over, f"{run_id}: {run.state} {run.exit_code}, with a timeout of {timeout_s:.2f} s")
    took = (run.duration_s or 0.0) if over else timeout_s
    trial.expect("lost timeouts", took >= timeout_s - 0.01, f"{run_id} ended after {took} s, before its timeout")


def _judge_hooks(trial: Trial, hooked: set[str]) -> None:
    """Each hook that an end calls for ran exactly once, and was told the truth."""
    due: Counter[tuple[str, ...]] = Counter()
    for run_id in trial.run_ids():
        run = trial.ended(run_id)
        if run.label not in hooked - {"all"}:
            continue
        facts = (run.label, run.state, str(run.exit_code), run_id)
        due[("finish", *facts)] += 1
        if run.state in ("succeeded", "failed", "timed_out"):
            due[("success" if run.state == "succeeded" else "failure", *facts)] += 1
    wait(lambda: sum(Counter(trial.hooks_noted()).values()) >= sum(due.values()), 5)
    ran = Counter(trial.hooks_noted())
    trial.count(f"{sum(ran.values())} hooks")
    for one in due - ran:
        trial.lie("lost hooks", f"{' '.join(one)}: was due and did not run")
    for one in ran - due:
        trial.lie("lost hooks", f"{' '.join(one)}: ran and was not due")


def alone(trial: Trial) -> None:
    """Let be what is promised, or hold a supervisor still for a while."""

    def disturb() -> None:
        for run_id in trial.rng.sample(ids := trial.run_ids(), min(2, len(ids))):
            if one := trial.processes(run_id):
                suspend(one.supervisor, one.supervisor_start, trial.rng.random() * 0.2)

    _kept(trial, trial.bgrun, disturb)


def callers_killed(trial: Trial) -> None:
    """Kill who starts it, at any moment."""
    _kept(trial, trial.launch_and_kill, lambda: None)


def project_renamed(trial: Trial) -> None:
    """Give the project's folder another name while all of it runs."""

    def disturb() -> None:
        time.sleep(trial.rng.random() * 0.3)
        target = trial.folder.with_name(f"{trial.folder.name}.renamed")
        trial.folder.rename(target)
        trial.folder, trial.moved = target, True
        if trial.run_ids("halted"):
            done = trial.bgrun("status", "halted", "--json")
            states = [run["state"] for run in json.loads(done.out or "{}").get("runs", [])]
            too_early = states == ["failed"] and not trial.notes("begin", "halted")
            trial.expect("wrong verdicts", states == ["running"] or too_early, f"halted is {states} under the new name")

    _kept(trial, trial.bgrun, disturb)


def venv_gone(trial: Trial) -> None:
    """Remove, rebuild, move or upgrade the environment in which bgrun lives while all of it runs."""
    venv = _copied_venv(trial.ground, f"v{trial.place}")
    package = next(venv.glob("lib/python*/site-packages/bgrun"))

    how = trial.rng.choice(["removed", "moved", "rebuilt", "upgraded"])
    trial.count(how)
    if trial.rng.random() < 0.5:
        # The job itself does it, as the first thing.
        first = {
            "removed": f"rm -rf {venv}",
            "moved": f"mv {venv} {venv}.moved",
            "rebuilt": f"rm -rf {venv}; {sys.executable} -m venv --without-pip {venv}",
            "upgraded": f"find {package} -name '*.py' -exec sh -c 'echo 1/0 > $0' {{}} ';'",
        }[how]
        trial.python = str(venv / "bin" / "python")
        _kept(trial, trial.bgrun, lambda: setattr(trial, "python", sys.executable), first)
        return

    def disturb() -> None:
        time.sleep(trial.rng.choice([0.0, trial.rng.random() * 0.8]))
        if how == "moved":
            venv.rename(venv.with_name(f"{venv.name}.moved"))
        elif how == "upgraded":
            for path in package.rglob("*.py"):
                path.write_text("1/0  # another bgrun\n")
        else:
            shutil.rmtree(venv)
            if how == "rebuilt":
                subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        trial.python = sys.executable

    trial.python = str(venv / "bin" / "python")
    _kept(trial, trial.bgrun, disturb)


def _copied_venv(ground: Ground, name: str) -> Path:
    """Return an environment of its own, with a copy of bgrun; what bgrun needs comes from where we have it."""
    model = ground.folder / "venv"
    with _making:
        if not model.exists():
            making = ground.folder / "venv.new"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(making)], check=True)
            site = next(making.glob("lib/python*/site-packages"))
            source = Path(bgrun.__file__).parent
            shutil.copytree(source, site / "bgrun")
            if not (site / "bgrun" / "schemas").exists():
                shutil.copytree(source.parent / "schemas", site / "bgrun" / "schemas")
            others = [path for path in sys.path if path.endswith("site-packages")]
            (site / "others.pth").write_text("".join(f"{path}\n" for path in others))
            making.rename(model)
    return Path(shutil.copytree(model, ground.folder / name, symlinks=True))
