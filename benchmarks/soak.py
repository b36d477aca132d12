"""Start jobs whose fate is known, kill everything around them at random moments, and count the lies.

Usage: python benchmarks/soak.py [--runs N] [--seed S] [--workers W] [--only ACT]

Prints wrong verdicts, runs lost though a witness lived, processes left over and half-written files;
each has to be 0, else the exit code is 1. Only processes that the soak itself started are killed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

from bgrun.local import prepare, stop
from bgrun.model import Limits, Node, RenderedPlan, Run
from bgrun.runs import meta, names, process, record, state
from bgrun.runs.layout import RunFiles

LAST_S = 30.0


class Fate(NamedTuple):
    """What a job does and what is done to it; `allowed` are the (state, code) pairs that are no lie."""

    command: str
    act: str
    allowed: frozenset[tuple[str, int | None]]


def fates(rng: random.Random) -> Fate:
    """Return a fate at random."""
    code = rng.choice([0, 0, 1, 3, 77])
    ends = ("succeeded", 0) if code == 0 else ("failed", code)
    quick = f"sleep 0.0{rng.randrange(1, 9)}; exit {code}"
    long = f"sleep {rng.choice(['30', '31'])} & sleep 32; exit {code}"
    killed = ("failed", 137)
    # A kill may come too late: then the job ended by itself, and that is the truth.
    return rng.choice(
        [
            Fate(quick, "nothing", frozenset({ends})),
            Fate(quick, "kill supervisor", frozenset({ends})),
            Fate(quick, "kill the command line", frozenset({ends})),
            Fate(quick, "kill followers", frozenset({ends})),
            Fate(quick, "kill leader", frozenset({ends, killed})),
            Fate(quick, "stop at any moment", frozenset({ends, ("stopped", 143)})),
            Fate(quick, "suspend supervisor", frozenset({ends})),
            Fate(long, "two stops", frozenset({("stopped", 143)})),
            Fate(long, "kill leader", frozenset({killed})),
            Fate(long, "kill command", frozenset({killed})),
            Fate(long, "stop", frozenset({("stopped", 143)})),
            Fate(long, "kill supervisor, stop", frozenset({("stopped", 143), ("stopped", None)})),
            Fate(long, "kill supervisor and leader", frozenset({("lost", None), ("failed", 137)})),
            Fate(long, "timeout", frozenset({("timed_out", 143)})),
        ]
    )


class Soak:
    """One project folder and what has come of its runs."""

    def __init__(self, folder: Path, seed: int, only: str = "") -> None:
        self.folder = folder
        self.only = only
        self.log_dir = str(folder / ".logs")
        self.rng = random.Random(seed)  # noqa: S311 - dice, not keys
        self.counts: Counter[str] = Counter()
        self.lies: list[str] = []
        self.acts: dict[str, str] = {}
        (folder / "bgjobs.yaml").write_text("jobs: {}\n")

    def one(self, place: int) -> None:
        """Start one job, do to it what its fate says, and judge the verdict."""
        rng = random.Random(self.rng.random() + place)  # noqa: S311
        fate = fates(rng)
        while self.only not in ("", fate.act):
            fate = fates(rng)
        run_id = self._start(place, fate, rng)
        if run_id is None:
            self.counts["command line killed before the run was in view"] += 1
            return
        self.acts[run_id] = fate.act
        self._act(run_id, fate, rng)
        run = self._ended(run_id)
        self.counts[f"{fate.act}: {run.state}"] += 1
        if (run.state, run.exit_code) not in fate.allowed:
            self.lies.append(f"{run_id} ({fate.act}; {fate.command}): {run.state} {run.exit_code} {run.reason}")

    def _start(self, place: int, fate: Fate, rng: random.Random) -> str | None:
        label = f"l{place}"
        # Most through the command line, which forks its supervisor; from threads, which may not, it is spawned.
        if fate.act == "kill the command line" or (fate.act != "timeout" and place % 3):
            return self._start_by_command_line(label, fate, rng)
        limits = Limits(timeout_s=0.1 if fate.act == "timeout" else None, stop_grace_s=5.0)
        job = _job(label, fate.command, str(self.folder), limits)
        plan = RenderedPlan((Node(job),), (0,))
        return prepare.launch(self.log_dir, str(self.folder), plan).runs[0]

    def _start_by_command_line(self, label: str, fate: Fate, rng: random.Random) -> str | None:
        command = [sys.executable, "-m", "bgrun", "run", label, "--", "bash", "-c", fate.command]
        caller = subprocess.Popen(command, cwd=self.folder, start_new_session=True, stdout=subprocess.DEVNULL)
        if fate.act == "kill the command line":
            time.sleep(rng.random() * 0.1)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(caller.pid, signal.SIGKILL)
        if caller.wait() and fate.act != "kill the command line":
            self.lies.append(f"{label} ({fate.act}): it was not started, exit {caller.returncode}")
        time.sleep(0.2 if fate.act == "kill the command line" else 0)
        return names.resolve(self.log_dir, label)

    def _act(self, run_id: str, fate: Fate, rng: random.Random) -> None:
        time.sleep(rng.random() * 0.05)
        facts = record.read_meta(RunFiles(self.log_dir, run_id)) or {}
        pid, supervisor = int(facts["pid"]), int(facts["supervisor_pid"])
        if fate.act == "kill followers":
            follower = subprocess.Popen(
                [sys.executable, "-m", "bgrun", "follow", "-q", run_id], cwd=self.folder, stdout=subprocess.DEVNULL
            )
            time.sleep(rng.random() * 0.3)
            follower.kill()
            follower.wait()
        if "supervisor" in fate.act:
            _kill(supervisor, facts["supervisor_start"])
        if "leader" in fate.act:
            _kill(pid, facts["pid_start"])
        if fate.act == "kill supervisor and leader":
            self._end_marked(run_id)
        if fate.act == "kill command":
            self._kill_command(pid)
        if fate.act == "suspend supervisor":
            self._suspend(supervisor, facts["supervisor_start"], rng.random() * 0.1)
        if "stop" in fate.act:
            self._stop(run_id, pid, fate)

    def _stop(self, run_id: str, pid: int, fate: Fate) -> None:
        if fate.act != "stop at any moment":
            self._await_command(pid)
        with ThreadPoolExecutor(2) as pool:
            count = 2 if fate.act == "two stops" else 1
            list(pool.map(lambda _: stop.stop_run(self.log_dir, run_id), range(count)))

    def _suspend(self, pid: int, start: str, seconds: float) -> None:
        with contextlib.suppress(ProcessLookupError):
            if process.is_running(pid, start):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(seconds)
                os.kill(pid, signal.SIGCONT)

    def _end_marked(self, run_id: str) -> None:
        """Where both witnesses went, nobody is left to end the command: do it here."""
        while left := _marked(self.log_dir, run_id):
            for one in left:
                with contextlib.suppress(psutil.Error):
                    one.kill()

    def _await_command(self, pid: int) -> list[psutil.Process]:
        end = time.monotonic() + LAST_S
        while not (found := [one for one in _children(pid) if one.name() == "sleep"]) and time.monotonic() < end:
            time.sleep(0.005)
        return found

    def _kill_command(self, pid: int) -> None:
        self._await_command(pid)
        for child in psutil.Process(pid).children():
            _kill(child.pid, process.start_of(child.pid))

    def _ended(self, run_id: str) -> Run:
        end = time.monotonic() + LAST_S
        while (run := record.read_run(self.log_dir, run_id)) and run.live and time.monotonic() < end:
            time.sleep(0.01)
        if run is None:
            raise SystemExit(f"the record of {run_id} is gone")
        return run

    def leftovers(self) -> list[str]:
        """Return the processes of any run that are still there, after a moment for the last to end."""
        end = time.monotonic() + 10
        while (left := _marked(self.log_dir)) and time.monotonic() < end:
            time.sleep(0.1)
        return [self._told(one) for one in left]

    def _told(self, one: psutil.Process) -> str:
        run_id = one.environ().get("BGRUN_RUN_ID", "")
        return f"{one.pid} {' '.join(one.cmdline())} of {run_id} ({self.acts.get(run_id)})"

    def half_files(self) -> list[str]:
        """Return files that are not whole: a meta without its first lines, an exit that is no number."""
        bad = []
        for path in Path(self.log_dir).glob("[!.]*.*"):
            data = path.read_bytes()
            if path.suffix == ".exit" and state.parse_int(data.decode("ascii", "replace")) is None:
                bad.append(str(path))
            if path.suffix == ".meta" and list(meta.unpack(data))[:2] != ["ts", "label"]:
                bad.append(str(path))
        return bad


def _job(label: str, command: str, folder: str, limits: Limits):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from bgrun.jobfile.render import render_command
    from bgrun.jobfile.world import World

    where = Path(folder)
    job = render_command(
        label, ["bash", "-c", command], working_dir=where, root=where, job_file=None, world=World(os.environ)
    )
    return job._replace(limits=limits)


def _children(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def _kill(pid: int, start: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.is_running(pid, start):
            os.kill(pid, signal.SIGKILL)


def _marked(log_dir: str, run_id: str = "") -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = one.environ()
            ours = mark.get("BGRUN_LOG_DIR") == log_dir and run_id in ("", mark.get("BGRUN_RUN_ID"))
            if ours and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def main() -> int:
    """Run the soak and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--only", default="", help="one act, such as 'stop at any moment'")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), asked.seed, asked.only)
        with ThreadPoolExecutor(asked.workers) as pool:
            list(pool.map(soak.one, range(asked.runs)))
        left, half = soak.leftovers(), soak.half_files()
    for what, count in sorted(soak.counts.items()):
        print(f"{count:6}  {what}")
    lost = [lie for lie in soak.lies if ": lost " in lie]
    wrong = [lie for lie in soak.lies if lie not in lost]
    print(f"{asked.runs} runs in {time.monotonic() - began:.0f} s, seed {asked.seed}")
    for name, found in (
        ("wrong verdicts", wrong),
        ("lost with a witness", lost),
        ("leftovers", left),
        ("half files", half),
    ):
        print(f"{name}: {len(found)}")
        for one in found[:10]:
            print(f"    {one}")
    return 1 if wrong or lost or left or half else 0


if __name__ == "__main__":
    sys.exit(main())
