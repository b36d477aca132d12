"""Single runs: killed, suspended, stopped, orphaned, forking, hiding, started from a strange environment."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psutil

from bgrun.local.launch import submit
from bgrun.plan import Node, RenderedPlan
from bgrun.store.store import Store
from bgrun.system import process
from soaking.ground import LAST_S, SLACK_S, Done, Started
from soaking.processes import kill, marked, suspend, wait

if TYPE_CHECKING:
    from soaking.ground import Trial

    Ends = set[tuple[str, int | None]]

KILLED = ("failed", 137)
STOPPED = ("stopped", 143)
STRANGE: list[dict[str, str]] = [
    {"SHELLOPTS": "noexec"},
    {"SHELLOPTS": "errexit:nounset", "BASHOPTS": "extdebug"},
    {"BASH_ENV": "/dev/null", "ENV": "/dev/null", "POSIXLY_CORRECT": "1"},
    {"bgrun_code": "0", "bgrun_ended": "1", "IFS": "0"},
    {"TZ": "Pacific/Chatham", "CDPATH": "/", "GLOBIGNORE": "*"},
    {"BASH_FUNC_exec%%": "() { builtin exit 0; }", "BASH_FUNC_trap%%": "() { :; }", "BASH_FUNC_set%%": "() { :; }"},
]


def verdict(code: int) -> tuple[str, int | None]:
    """Return how a job ends that exits by itself with this code."""
    return ("succeeded", 0) if code == 0 else ("failed", code)


def start(trial: Trial, words: list[str]) -> Started | None:
    """Start a job: mostly by the command line, which forks its supervisor, else from a thread, which spawns it."""
    label = f"l{trial.place}"
    if trial.rng.random() < 0.3:
        run_id: str | None = _start_here(trial, label, words)
    else:
        env = {**trial.env, **(trial.rng.choice(STRANGE) if trial.rng.random() < 0.2 else {})}
        run_id = started_id(trial.bgrun("run", label, "--", *words, env=env))
    found = trial.processes(run_id) if run_id else None
    trial.expect("commands that broke or hung", found, f"{label} was not started")
    return found


def started_id(done: Done) -> str | None:
    """Return the run id that a start told."""
    first = done.out.split()
    return first[1].rstrip(":") if first[:1] in (["STARTED"], ["QUEUED"]) else None


def _start_here(trial: Trial, label: str, words: list[str]) -> str:
    from bgrun.render import command
    from bgrun.render.job import render_command_template
    from bgrun.render.settings import Given
    from bgrun.templating.inputs import RenderInputs

    where = trial.folder
    inputs = RenderInputs(trial.env)
    template = render_command_template(given=Given(where), root=where, job_file=None, inputs=inputs)
    job = command.fill(template, label, command.AdHoc(tuple(words)))
    job = job._replace(limits=job.limits._replace(stop_grace_s=1.0))
    return submit.launch(Store(trial.log_dir), str(where), RenderedPlan((Node(job),), (0,))).runs[0]


def quick(trial: Trial) -> tuple[Started | None, int]:
    """Start a job that is over in a moment; return it with its code."""
    code = trial.rng.choice([0, 0, 1, 3, 77])
    one = start(trial, trial.job("one", trial.rng.randrange(1, 9) / 100, code))
    time.sleep(trial.rng.random() * 0.05)
    return one, code


def long(trial: Trial) -> Started | None:
    """Start a job that lasts, with a child beside its command, and wait until it has begun."""
    nap = trial.rng.choice([30, 31])
    inner = shlex.join(trial.job("one", 32, trial.rng.choice([0, 3])))
    one = start(trial, ["bash", "-c", f"sleep {nap} & {inner}"])
    wait(lambda: trial.notes("begin"), LAST_S)
    time.sleep(trial.rng.random() * 0.05)
    return one


def seen(trial: Trial, one: Started, allowed: Ends) -> None:
    """Judge a run, and see that it stands by its notes: an end that was noted is no other's, a success was one."""
    run = trial.judge(one.run_id, allowed)
    ended = trial.notes("end")
    if run.state == "succeeded":
        trial.expect("wrong verdicts", ended and ended[-1].code == 0, f"{one.run_id} succeeded, and noted {ended}")


# --- nothing, or something beside it, is killed ----------------------------------------------------


def nothing(trial: Trial) -> None:
    """Leave it alone."""
    one, code = quick(trial)
    if one:
        seen(trial, one, {verdict(code)})


def kill_supervisor(trial: Trial) -> None:
    """Kill the first witness."""
    one, code = quick(trial)
    if one:
        kill(one.supervisor, one.supervisor_start)
        seen(trial, one, {verdict(code)})


def suspend_supervisor(trial: Trial) -> None:
    """Hold the first witness still for a while."""
    one, code = quick(trial)
    if one:
        suspend(one.supervisor, one.supervisor_start, trial.rng.random() * 0.1)
        seen(trial, one, {verdict(code)})


def kill_follower(trial: Trial) -> None:
    """Kill somebody who reads along."""
    one, code = quick(trial)
    if one:
        follower = trial.caller("follow", "-q", one.run_id)
        time.sleep(trial.rng.random() * 0.3)
        follower.kill()
        follower.wait()
        seen(trial, one, {verdict(code)})


def kill_the_command_line(trial: Trial) -> None:
    """Kill who starts it, at any moment: nothing runs, or everything holds."""
    code = trial.rng.choice([0, 1, 3])
    label = f"l{trial.place}"
    trial.launch_and_kill("run", label, "--", *trial.job("one", 0.05, code))
    trial.nobody_launches()
    found = trial.run_ids(label)
    if not found:
        trial.count("nothing was launched")
        time.sleep(0.05)
        trial.expect("wrong verdicts", not trial.notes(), f"{label} ran, and there is no record of it")
    for run_id in found:
        trial.judge(run_id, {verdict(code)})
        trial.expect("wrong verdicts", len(trial.notes("begin")) == 1, f"{run_id}: began {trial.notes('begin')}")


# --- the job is killed ------------------------------------------------------------------------------


def kill_leader(trial: Trial) -> None:
    """Kill the job script; a kill may come too late, then the job ended by itself, and that is the truth."""
    if trial.rng.random() < 0.5:
        one, code = quick(trial)
        allowed = {verdict(code), KILLED}
    else:
        one, allowed = long(trial), {KILLED}
    if one:
        kill(one.pid, one.pid_start)
        seen(trial, one, allowed)


def kill_command(trial: Trial) -> None:
    """Kill the command, not the script around it."""
    if one := long(trial):
        for child in psutil.Process(one.pid).children():
            kill(child.pid, process.start_of(child.pid))
        seen(trial, one, {KILLED})


def kill_supervisor_and_leader(trial: Trial) -> None:
    """Kill both witnesses; nobody is left then to end the command."""
    one = long(trial)
    if not one:
        return
    kill(one.supervisor, one.supervisor_start)
    kill(one.pid, one.pid_start)
    while left := marked(trial.log_dir, one.run_id):
        for process_ in left:
            with contextlib.suppress(psutil.Error):
                process_.kill()
    seen(trial, one, {("lost", None), KILLED})


# --- it is stopped ----------------------------------------------------------------------------------


def stop(trial: Trial, one: Started, *more: str) -> Done:
    """Stop a run by the command line, and see that this worked."""
    done = trial.bgrun("stop", one.run_id, *more)
    trial.expect("leftovers", done.code == 0, f"stop {one.run_id}: exit {done.code} {done.err[-300:]}")
    return done


def stop_at_any_moment(trial: Trial) -> None:
    """Stop a job that is about to end anyway."""
    one, code = quick(trial)
    if one:
        stop(trial, one)
        seen(trial, one, {verdict(code), STOPPED})


def one_or_two_stops(trial: Trial) -> None:
    """Stop a job that lasts, from one place or two at once, with its supervisor or without."""
    one = long(trial)
    if not one:
        return
    orphan, count = trial.rng.random() < 0.4, trial.rng.choice([1, 2])
    if orphan:
        kill(one.supervisor, one.supervisor_start)
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: stop(trial, one), range(count)))
    seen(trial, one, {STOPPED, ("stopped", None)} if orphan else {STOPPED})


def stop_and_kill_supervisor(trial: Trial) -> None:
    """Kill the supervisor between the stop signal and the end of a job that answers the signal with exit 0."""
    one = start(trial, trial.job("one", 40, 0, "polite"))
    if not one:
        return
    wait(lambda: trial.notes("begin"), LAST_S)
    time.sleep(0.05)
    stopper = trial.caller("stop", one.run_id)
    if trial.rng.random() < 0.5:
        wait(lambda: trial.notes("term") or stopper.poll() is not None, 5, 0.001)
    else:
        time.sleep(trial.rng.random() * 0.2)
    kill(one.supervisor, one.supervisor_start)
    stopper.wait()
    if not wait(lambda: (run := trial.look(one.run_id)) and not run.live, 1):
        stop(trial, one)
    seen(trial, one, {("stopped", 0), STOPPED, ("stopped", None)})


def stop_what_forks(trial: Trial) -> None:
    """Stop a job with chains of processes that beget one another every few milliseconds."""
    gap, leaves = trial.rng.choice(["0.002", "0.005", "0.05"]), trial.rng.choice(["leaves", "stays"])
    words = [sys.executable, "-ISs", str(trial.ground.folder / "links.py"), str(trial.notes_file), gap, leaves]
    chain = shlex.join([*words, str(trial.halt)])
    one = start(trial, ["bash", "-c", f"{'; '.join([f'{chain} &'] * 1)} sleep 50"])
    if not one:
        return
    wait(lambda: len(trial.notes("link")) > 3, LAST_S)
    if orphan := trial.rng.random() < 0.7:
        kill(one.supervisor, one.supervisor_start)
    stop(trial, one)
    seen(trial, one, {STOPPED, ("stopped", None)} if orphan else {STOPPED})
    before = len(trial.notes("link"))
    trial.expect(
        "leftovers",
        trial.gone(trial.notes("link")[-50:]) and len(trial.notes("link")) == before,
        f"{one.run_id}: {'orphan, ' * orphan}a chain of {gap} s, {leaves}, lives on after the stop",
    )
    trial.halt.touch()


def stop_what_hides(trial: Trial) -> None:
    """Stop a job with children that left the session, forked twice or closed everything."""
    hows = ["session", "twice", "session+twice", "twice+session+closed"]
    chosen = trial.rng.sample(hows, trial.rng.randrange(1, 4))
    words = [sys.executable, "-ISs", str(trial.ground.folder / "hider.py"), str(trial.notes_file)]
    ended_by_itself = trial.rng.random() < 0.3
    text = "; ".join(f"{shlex.join([*words, how])} &" for how in chosen).replace("&;", "&")
    one = start(trial, ["bash", "-c", f"{text} {'wait; exit 3' if ended_by_itself else 'sleep 50'}"])
    if not one:
        return
    wait(lambda: len(trial.notes("hidden")) == len(chosen), LAST_S)
    if ended_by_itself:
        # Its command is over, and what that left runs on: a stop of the ended run ends it, and no verdict changes.
        _halt_hidden_foreground(trial, one)
        return
    if orphan := trial.rng.random() < 0.5:
        kill(one.supervisor, one.supervisor_start)
    stop(trial, one)
    seen(trial, one, {STOPPED, ("stopped", None)} if orphan else {STOPPED})
    trial.expect("leftovers", trial.gone(trial.notes("hidden")), f"{one.run_id}: {orphan=} {chosen} live on")


def _halt_hidden_foreground(trial: Trial, one: Started) -> None:
    run = trial.ended(one.run_id)
    trial.expect(
        "wrong verdicts", (run.state, run.exit_code) == ("failed", 3), f"{one.run_id}: {run.state}, not failed 3"
    )
    stop(trial, one)
    trial.expect("leftovers", trial.gone(trial.notes("hidden")), f"{one.run_id}: what it left lives on after the stop")
    run = trial.ended(one.run_id)
    trial.expect("wrong verdicts", run.state == "failed", f"{one.run_id}: {run.state} after the stop of what it left")


def stop_now(trial: Trial) -> None:
    """Stop a job that does not hear SIGTERM, and has a long grace, at once."""
    trial.own_project()
    one = start(trial, trial.job("one", 40, 0, "deaf"))
    if not one:
        return
    wait(lambda: trial.notes("begin"), LAST_S)
    began = time.monotonic()
    stop(trial, one, "--now")
    took = time.monotonic() - began
    trial.expect("commands that broke or hung", took < SLACK_S, f"stop --now took {took:.1f} s")
    seen(trial, one, {("stopped", 137)})
