"""What every act of the soak stands on: its dice, its project, what the jobs themselves wrote down, the lies found.

Nothing that bgrun says is judged by what bgrun says: each job notes its beginning and its end, with time and pid, in
a file outside of the project. Only processes that the soak itself started are signalled.
"""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from bgrun.store import meta, record, state
from bgrun.store.paths import RunPaths
from bgrun.system import process
from soaking.processes import lives, marked, told, wait
from soaking.scripts import HIDER, JOB, LINKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgrun.model import Run

LAST_S = 30.0
"""Nothing takes longer; what does has gone wrong."""
SLACK_S = 4.0
"""What a busy machine may add to a bound that is looked at."""
KINDS = (
    "wrong verdicts",
    "lost with a witness",
    "leftovers",
    "half files",
    "lost hooks",
    "lost timeouts",
    "too many at once",
    "wrong digests",
    "secrets shown",
    "commands that broke or hung",
)
TRIAL = "SOAK_TRIAL"


class Note(NamedTuple):
    """What a job wrote down: `word` is begin, end, term, link or hidden; `at` seconds since the epoch."""

    word: str
    name: str
    code: int
    at: float
    pid: int


class Done(NamedTuple):
    """How a command of bgrun's ended; code is -1 where it hung."""

    code: int
    out: str
    err: str


class Started(NamedTuple):
    """A run with its processes, each pid with the start time that tells it from a later one."""

    run_id: str
    pid: int
    pid_start: str
    supervisor: int
    supervisor_start: str


class Ground:
    """The folder of one soak, with what has come of all its trials."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.shared = folder / "shared"
        self.notes = folder / "notes"
        for one in (self.shared, self.notes):
            one.mkdir()
        (self.shared / "bgjobs.yaml").write_text("defaults: {stop_grace_period: 1s}\njobs: {}\n")
        for name, text in (("job.sh", JOB), ("links.py", LINKS), ("hider.py", HIDER)):
            (folder / name).write_text(text)
        self.counts: Counter[str] = Counter()
        self.lies: dict[str, list[str]] = {kind: [] for kind in KINDS}
        self.may_be_lost: set[str] = set()
        self.start_s = 0.1
        """How long a start takes here, on the mean of the last ten or so."""

    def log_dirs(self) -> list[Path]:
        """Return the log folders of all projects."""
        return [one for one in self.folder.glob("*/.logs") if one.is_dir()]

    def look_at_what_is_left(self) -> None:
        """At the end of all: no process, no half file, no run that lives or was lost, no fault noted."""
        self.lies["leftovers"] += self._leftovers()
        for folder in self.log_dirs():
            self.lies["half files"] += _half_files(folder)
            for path in folder.glob("[!.]*.meta"):
                run = record.read_run(RunPaths(str(folder), path.stem))
                if run is None or run.live:
                    self.lies["wrong verdicts"].append(f"{path}: at the end of all {run and run.state}")
                elif run.state == "lost" and str(path) not in self.may_be_lost:
                    self.lies["lost with a witness"].append(f"{path}: {run.reason}")

    def _leftovers(self) -> list[str]:
        end = time.monotonic() + 10
        while (left := self._living()) and time.monotonic() < end:
            time.sleep(0.1)
        shown = [told(one) for one in left]
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        return shown

    def _living(self) -> list[psutil.Process]:
        """Return what lives of all runs: their processes, and their supervisors."""
        found = {one.pid: one for one in marked(str(self.folder))}
        for folder in self.log_dirs():
            for path in folder.glob("[!.]*.meta"):
                facts = record.read_meta(RunPaths(str(folder), path.stem)) or {}
                pid, start = int(facts.get("supervisor_pid") or 0), facts.get("supervisor_start", "")
                with contextlib.suppress(psutil.Error):
                    if pid and process.is_running(pid, start):
                        found[pid] = psutil.Process(pid)
        return list(found.values())


class Trial:
    """One act at one place: all dice come from the seed, the place and the act, so that it can be done again."""

    def __init__(self, ground: Ground, act: str, place: int) -> None:
        self.ground = ground
        self.act = act
        self.place = place
        self.rng = random.Random(f"{ground.seed} {place} {act}")  # noqa: S311 - dice, not keys
        self.folder = ground.shared
        self.notes_file = ground.notes / str(place)
        self.halt = ground.notes / f"{place}.halt"
        self.env = {**_plain_environment(), TRIAL: str(place)}
        self.python = sys.executable
        self.prefix = f"l{place}_"
        self.moved = False

    @property
    def log_dir(self) -> str:
        """The log folder of its project."""
        return str(self.folder / ".logs")

    def own_project(self, job_file: str = "jobs: {}\n") -> Path:
        """Give it a project folder that nobody else uses."""
        self.folder, self.prefix = self.ground.folder / f"p{self.place}", ""
        self.folder.mkdir()
        (self.folder / "bgjobs.yaml").write_text(job_file)
        return self.folder

    def count(self, what: str) -> None:
        """Count what came of it."""
        self.ground.counts[f"{self.act}: {what}"] += 1

    def lie(self, kind: str, told: str) -> None:
        """Note a lie with how to see it again."""
        again = f"--only {shlex.quote(self.act)} --seed {self.ground.seed} --at {self.place}"
        self.ground.lies[kind].append(f"{self.act}: {told}\n        again: {again}")

    def expect(self, kind: str, holds: object, told: str) -> None:
        """Note a lie unless something holds."""
        if not holds:
            self.lie(kind, told)

    # --- what the jobs do and wrote down --------------------------------------------------------

    def job(self, name: str, nap: float, code: int, way: str = "plain", gate: Path | None = None) -> list[str]:
        """Return the words of a job: it notes its beginning, naps, notes its end, and exits with the code."""
        words = ["bash", str(self.ground.folder / "job.sh"), str(self.notes_file), name, f"{nap:g}", str(code), way]
        return [*words, str(gate)] if gate else words

    def notes(self, word: str = "", name: str = "") -> list[Note]:
        """Return what was noted, in the order in which it was."""
        if not self.notes_file.exists():
            return []
        rows = [line.split() for line in self.notes_file.read_text().splitlines()]
        found = [Note(row[0], row[1], int(row[2]), float(row[3]), int(row[4])) for row in rows if len(row) == 5]
        return [one for one in found if word in ("", one.word) and name in ("", one.name)]

    def hook(self, when: str) -> str:
        """Return a hook that notes what it was told, in a file of its own."""
        told = '"$BGRUN_LABEL $BGRUN_STATE $BGRUN_EXIT_CODE $BGRUN_RUN_ID"'
        return f"echo {when} {told} >> {self.notes_file}.hooks"

    def hooks_noted(self) -> list[tuple[str, ...]]:
        """Return (when, label, state, code, run id) of every hook that ran."""
        file = Path(f"{self.notes_file}.hooks")
        return [tuple(line.split(" ")) for line in file.read_text().splitlines()] if file.exists() else []

    # --- commands ------------------------------------------------------------------------------

    def bgrun(self, *words: str, bound: float = LAST_S, env: Mapping[str, str] | None = None) -> Done:
        """Run a command of bgrun's to its end; a traceback, an exit 125 and a hang are lies of their own."""
        command = [self.python, "-m", "bgrun", *words]
        began = time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.env if env is None else env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=bound,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.lie("commands that broke or hung", f"{shlex.join(words)}: took longer than {bound:g} s")
            return Done(-1, "", "")
        if words[0] in ("run", "start", "group"):
            self.ground.start_s += (time.monotonic() - began - self.ground.start_s) / 10
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        if done.returncode in (125, -6, -11) or "Traceback" in err:
            self.lie("commands that broke or hung", f"{shlex.join(words)}: exit {done.returncode} {err[-600:]}")
        return Done(done.returncode, out, err)

    def caller(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of bgrun's in a session of its own, to be killed."""
        command = [self.python, "-m", "bgrun", *words]
        silent = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdin=silent, stdout=silent, stderr=silent, start_new_session=True
        )

    def launch_and_kill(self, *words: str) -> None:
        """Start something and kill whoever starts it, at a random moment from its fork to its answer."""
        before = {"script": len(self._claims()), "record": len(self.run_ids())}
        caller = self.caller(*words)
        self._await_moment(caller, before)
        kill = self.rng.choice([os.kill, os.killpg])
        with contextlib.suppress(ProcessLookupError):
            kill(caller.pid, signal.SIGKILL)
        caller.wait()

    def _await_moment(self, caller: subprocess.Popen[bytes], before: Mapping[str, int]) -> None:
        """Wait for a job script, or a record, and a moment longer; or just for some time."""
        kind, more = self.rng.choice(["time", "script", "script", "record"]), self.rng.random() ** 2 * 0.02
        if kind == "time":
            time.sleep((0.3 + self.rng.random()) * self.ground.start_s)
            return
        look = self._claims if kind == "script" else self.run_ids
        wait(lambda: caller.poll() is not None or len(look()) > before[kind], 5, 0.0005)
        time.sleep(more)

    def _claims(self) -> list[str]:
        return [path.name for path in Path(self.log_dir, "jobs").glob(f"{self.prefix}*")]

    def nobody_launches(self) -> None:
        """Wait until no process of this trial is left but those of runs that are in view."""
        wait(lambda: not self._launchers(), LAST_S)

    def _launchers(self) -> list[psutil.Process]:
        """Return the processes with this trial's mark that are no run's, nor the supervisor of one in view."""
        known = {one.supervisor for run_id in self.run_ids() if (one := self.processes(run_id))}
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                mark = one.environ()
                if mark.get(TRIAL) == str(self.place) and "BGRUN_RUN_ID" not in mark and one.pid not in known:
                    found += [one] if one.status() != psutil.STATUS_ZOMBIE else []
        return found

    # --- records -------------------------------------------------------------------------------

    def run_ids(self, label: str = "") -> list[str]:
        """Return its runs in view, of one label or of all, in the order of their names."""
        names = sorted(path.stem for path in Path(self.log_dir).glob(f"{self.prefix}*.meta") if path.stem[0] != ".")
        return [one for one in names if not label or self.facts(one).get("label") == label]

    def facts(self, run_id: str) -> dict[str, str]:
        """Return what a run's meta says."""
        return dict(record.read_meta(RunPaths(self.log_dir, run_id)) or {})

    def look(self, run_id: str) -> Run | None:
        """Return what bgrun makes of a run now."""
        return record.read_run(RunPaths(self.log_dir, run_id))

    def ended(self, run_id: str, bound: float = LAST_S) -> Run:
        """Return a run once it has ended, or as it is when the bound is over."""
        wait(lambda: not ((run := self.look(run_id)) and run.live), bound)
        run = self.look(run_id)
        if run is None:
            raise AssertionError(f"the record of {run_id} is gone")
        return run

    def judge(self, run_id: str, allowed: Iterable[tuple[str, int | None]]) -> Run:
        """Wait for the end of a run and note a lie where it is none of these states with these codes."""
        run, allowed = self.ended(run_id), set(allowed)
        self.count(run.state)
        if run.state == "lost" and ("lost", None) in allowed:
            self.ground.may_be_lost.add(run.meta)
        if (run.state, run.exit_code) not in allowed:
            kind = "lost with a witness" if run.state == "lost" else "wrong verdicts"
            self.lie(kind, f"{run_id}: {run.state} {run.exit_code} {run.reason}, not {sorted(allowed, key=str)}")
        return run

    def processes(self, run_id: str) -> Started | None:
        """Return a run with its processes, once it has any."""
        facts = self.facts(run_id)
        supervisor = facts.get("supervisor_pid")
        if not supervisor:
            return None
        return Started(
            run_id,
            int(facts.get("pid") or 0),
            facts.get("pid_start", ""),
            int(supervisor),
            facts.get("supervisor_start", ""),
        )

    def stands_by_its_notes(self, run: Run, name: str) -> None:
        """See that a verdict is no other than what the job noted allows: only what ended with 0 has succeeded."""
        notes = [one for one in self.notes(name=name) if one.word in ("begin", "end")]
        codes = [one.code for one in notes if one.word == "end"]
        told = f"{run.run_id}: {run.state} {run.exit_code} {run.reason}, and noted {notes}"
        if run.state == "succeeded":
            self.expect("wrong verdicts", codes[-1:] == [0], told)
        elif run.state == "failed":
            self.expect("wrong verdicts", codes[-1:] == [run.exit_code] or run.signal, told)
        elif run.state == "skipped":
            self.expect("wrong verdicts", not notes, told)
        elif run.state == "lost":
            self.lie("lost with a witness", told)

    def gone(self, notes: Iterable[Note]) -> bool:
        """Whether every process that noted itself has ended, or does within a moment."""
        pids = {one.pid: one.at for one in notes}
        return wait(lambda: not [pid for pid, at in pids.items() if lives(pid, at)], 2.0)


def _half_files(folder: Path) -> list[str]:
    """Return files that are not whole: a meta without its first lines, an exit that is no number."""
    bad = []
    for path in folder.glob("[!.]*.*"):
        data = path.read_bytes()
        if path.suffix == ".exit" and state.parse_int(data.decode("ascii", "replace")) is None:
            bad.append(str(path))
        if path.suffix == ".meta" and list(meta.unpack(data))[:2] != ["ts", "label"]:
            bad.append(str(path))
    return bad


def _plain_environment() -> dict[str, str]:
    """Return our own environment without what another run of bgrun's, or its tests, would have put there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BGRUN_")}
    return {**kept, "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
