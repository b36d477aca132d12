"""Runs that older versions left are read, shown, rerun, pruned and stopped as what they are.

The recordings are projects as `tests/fixtures/old_runs/record.py` found them after each kind of run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.store import meta
from bgrun.system import boot, clock, process
from tests.conftest import TOP, Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDINGS = sorted((TOP / "tests" / "fixtures" / "old_runs").glob("*.json"))
OWN = [path for path in RECORDINGS if path.stem != "shell_script"]
RERUN = ("good", "bad", "slow", "greet", "secret", "plain", "checks", "unit", "again", "hooked", "junit", "alone")
"""A label of each kind of run that can be rerun."""
SECRET = "correct-horse-battery"


class Recorded:
    """A recorded project, restored in a test's folder."""

    def __init__(self, bg: Cli, path: Path) -> None:
        document = json.loads(path.read_text(encoding="utf-8"))
        self.bg = bg
        self.runs: dict[str, tuple[str, int | None]] = {run: tuple(was) for run, was in document["runs"].items()}
        at = clock.of_stamp(next(iter(self.runs))[-15:])
        for name, (mode, text) in document["files"].items():
            file = bg.folder / name
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(self._filled(text), encoding="utf-8")
            file.chmod(int(mode, 8))
            os.utime(file, (at, at))  # type: ignore[arg-type]

    def _filled(self, text: str) -> str:
        text = text.replace("@PROJECT@", str(self.bg.folder))
        return text.replace("@HOST@", os.uname().nodename).replace("@BOOT@", boot.boot_id())

    def newest(self, label: str) -> str | None:
        """Return the newest run of a label; None if this version knew no such run."""
        own = sorted(run_id for run_id in self.runs if run_id[:-16] == label)
        return own[-1] if own else None


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest, bg: Cli) -> Recorded:
    """Each recording in turn."""
    return Recorded(bg, request.param)


@pytest.fixture(params=OWN, ids=lambda path: path.stem)
def recorded_by_bgrun(request: pytest.FixtureRequest, bg: Cli) -> Recorded:
    """Each recording that bgrun left, not the shell script that it replaces."""
    return Recorded(bg, request.param)


def test_each_run_has_the_state_and_the_exit_code_that_it_was_recorded_with(recorded: Recorded) -> None:
    listed = recorded.bg.json("list", "-n", "100")["runs"]
    assert {run["run_id"]: (run["state"], run["exit_code"]) for run in listed} == recorded.runs
    reported = recorded.bg.json("status", *recorded.runs, code=None)["runs"]
    assert {run["run_id"]: (run["state"], run["exit_code"]) for run in reported} == recorded.runs
    text = recorded.bg("status", *recorded.runs, code=None).out
    assert text.count("NOT RUNNING ") == len(recorded.runs)
    for run_id, (state, code) in recorded.runs.items():
        assert f"STATE {state} {run_id}" in text
        if code is not None:
            assert f"EXITCODE {code} (file: .logs/{run_id}.exit)" in text


def test_why_a_run_did_not_succeed_is_shown_as_it_was_recorded(recorded: Recorded) -> None:
    for run in recorded.bg.json("list", "-n", "100")["runs"]:
        facts = meta.unpack(Path(run["meta"]).read_bytes())
        if facts.get("reason"):
            assert run["reason"] == facts["reason"]
        if run["state"] in ("lost", "skipped", "stopped", "timed_out"):
            assert run["reason"], run["run_id"]


def test_logs_are_shown_with_their_secrets_masked(recorded: Recorded) -> None:
    assert recorded.bg("logs", "good").out.strip() == "fine"
    if run_id := recorded.newest("plain"):
        assert recorded.bg("logs", run_id).out.strip() == "two words é"
    if run_id := recorded.newest("secret"):
        assert SECRET in (recorded.bg.logs / f"{run_id}.log").read_text()
        shown = recorded.bg("logs", run_id).out + recorded.bg("logs", run_id, "--raw").out
        assert "token is ***" in shown
        assert SECRET not in shown


def test_reports_say_what_failed(recorded: Recorded) -> None:
    bad = recorded.bg.json("report", "bad", code=None)["run"]
    assert (bad["state"], bad["exit_code"]) == ("failed", 3)
    if recorded.newest("checks"):
        assert "bad_" in recorded.bg("report", "checks", code=None).out
    if run_id := recorded.newest("matched"):
        found = recorded.bg.json("report", run_id, code=None)
        assert [(one["file"], one["line"], one["id"]) for one in found["digest"]["problems"]] == [
            ("src/x.py", 3, "misc")
        ]
    if (run_id := recorded.newest("junit")) and (recorded.bg.logs / "jobs" / f"{run_id}.reports").exists():
        found = recorded.bg.json("report", run_id, code=None)
        assert found["digest"]["counts"] == {"passed": 1, "failed": 1}
        assert found["digest"]["problems"][0]["message"] == "assert 3 == 4"


def test_a_run_of_each_kind_is_rerun_to_the_same_result(recorded_by_bgrun: Recorded) -> None:
    bg = recorded_by_bgrun.bg
    for label in RERUN:
        if run_id := recorded_by_bgrun.newest(label):
            again = bg.json("rerun", run_id, "--wait", code=None, TOKEN=SECRET)
            assert again["run_id"] != run_id
            assert (again["label"], again["state"], again["exit_code"]) == (label, *recorded_by_bgrun.runs[run_id])
    assert bg("logs", "greet").out.strip() == "hello it's me"


def test_a_lost_run_is_rerun_and_stopped(recorded_by_bgrun: Recorded) -> None:
    lost = recorded_by_bgrun.newest("gone")
    assert lost
    again = recorded_by_bgrun.bg.json("rerun", lost)
    assert again["state"] == "running"
    stopped = recorded_by_bgrun.bg.json("stop", again["run_id"])["runs"][0]
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 143)


def test_a_skipped_run_is_not_rerun_on_its_own(recorded_by_bgrun: Recorded) -> None:
    if run_id := recorded_by_bgrun.newest("after"):
        assert "was skipped" in recorded_by_bgrun.bg("rerun", run_id, code=2).err


def test_runs_are_pruned_by_the_rule_they_were_started_with(recorded_by_bgrun: Recorded) -> None:
    bg = recorded_by_bgrun.bg
    older, newer = sorted(run_id for run_id in recorded_by_bgrun.runs if run_id[:-16] == "good")
    path = bg.logs / f"{newer}.meta"
    path.write_text(path.read_text().replace("keep_runs=5\n", "keep_runs=1\n"))
    assert [one["run_id"] for one in bg.json("prune", "--dry-run")["removed"]] == [older]
    assert [one["run_id"] for one in bg.json("prune")["removed"]] == [older]
    assert not list(bg.logs.glob(f"**/*{older}*"))
    assert {run["run_id"] for run in bg.json("list", "-n", "100")["runs"]} == {*recorded_by_bgrun.runs} - {older}


# --- a run that is still active ---------------------------------------------------------------

SUPERVISOR = r"""
import fcntl, os, pathlib, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda *_: None)  # woken to read the request
logs, run_id = pathlib.Path(sys.argv[1]), sys.argv[2]
job = subprocess.Popen(["bash", "-c", "sleep 300; true"], start_new_session=True, stdin=subprocess.DEVNULL)
lock = (logs / f"{run_id}.pid").open("w+")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
print(job.pid, file=lock, flush=True)
print(job.pid, flush=True)
stop = logs / f".{run_id}.stop"
while not stop.exists():
    time.sleep(0.02)
os.killpg(job.pid, signal.SIGTERM)
job.wait()
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)  # Python takes handlers back before it ends, and whoever stops signals again
(logs / f"{run_id}.exit").write_text("143\n")
meta = logs / f"{run_id}.meta"
end = "ended_at=2026-11-24T01:00:00.000+00:00\nduration_s=1.000\nstate=stopped\nexit_code=143\nsignal=SIGTERM\n"
new = logs / "new"
new.write_text(meta.read_text() + end + "reason=stopped by request; ended 1 process\n")
new.rename(meta)
"""
"""A supervisor as the first version had it: a lock, a job in a session of its own, a stop request as a file."""


class Active:
    """A run whose meta has the keys of a recorded version, and whose supervisor and job are alive."""

    def __init__(self, recorded: Recorded) -> None:
        self.logs = recorded.bg.logs
        self.run_id = "live_20261124_005900"
        words = [sys.executable, "-I", "-c", SUPERVISOR, str(self.logs), self.run_id]
        own = {"BGRUN_RUN_ID": self.run_id, "BGRUN_LOG_DIR": str(self.logs)}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **own})
        assert self.process.stdout
        self.pid = int(self.process.stdout.readline())
        gone = meta.unpack((self.logs / f"{recorded.newest('gone')}.meta").read_bytes())
        facts = gone | {
            **{"ts": "20261124_005900", "label": "live", "run_id": self.run_id, "pgid": str(self.pid)},
            **({"pid_ns": process.pid_namespace()} if "pid_ns" in gone else {}),
            **{"pid": str(self.pid), "pid_start": process.start_of(self.pid)},
            **{"supervisor_pid": str(self.process.pid), "supervisor_start": process.start_of(self.process.pid)},
        }
        (self.logs / f"{self.run_id}.log").touch()
        (self.logs / f"{self.run_id}.meta").write_bytes(meta.pack(facts))

    def end(self) -> None:
        """End what a failed test left."""
        self.process.kill()
        self.process.wait()
        if process.start_of(self.pid):
            os.killpg(self.pid, signal.SIGKILL)


@pytest.fixture
def active(recorded_by_bgrun: Recorded) -> Iterator[Active]:
    """An active run of each version."""
    run = Active(recorded_by_bgrun)
    yield run
    run.end()


def test_an_active_run_is_stopped_by_its_own_supervisor(bg: Cli, active: Active) -> None:
    assert bg.state("live")["state"] == "running"
    stopped: dict[str, Any] = bg.json("stop", "live")["runs"][0]
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 143)
    assert stopped["reason"] == "stopped by request; ended 1 process"
    assert active.process.wait(60) == 0


def test_an_active_run_whose_supervisor_was_killed_is_stopped(bg: Cli, active: Active) -> None:
    active.process.kill()
    active.process.wait()
    assert bg.state("live")["state"] == "running"
    assert bg.json("stop", "live", code=None)["runs"][0]["state"] == "stopped"
    wait_until(lambda: not process.is_running(active.pid, process.start_of(active.pid)), "the end of its job")
    assert bg.state("live")["state"] == "stopped"
