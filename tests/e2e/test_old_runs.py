"""Runs of the shell script that bgrun replaces: read, waited for and stopped like any other, and never harmed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import psutil
import pytest

from bgrun.store import foreign
from bgrun.store.store import Store
from tests.conftest import TOP, Cli, wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNER = TOP / "tests" / "fixtures" / "nohup_runner.sh"


class OldScript:
    """The old script, called by a shell that stays: an agent's, say, whose process group its jobs share."""

    def __init__(self, bg: Cli) -> None:
        self.bg = bg
        self.callers: list[subprocess.Popen[str]] = []

    def __call__(self, label: str, *command: str, **env: str) -> str:
        """Start a command and return its run ID."""
        script = 'bash "$@"; exec sleep 300'
        caller = subprocess.Popen(
            ["bash", "-c", script, "caller", str(RUNNER), label, "--", *command],
            cwd=self.bg.folder,
            env={**self.bg.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.callers.append(caller)
        assert caller.stdout
        return caller.stdout.readline().strip()

    def ended(self, label: str, *command: str, **env: str) -> str:
        """Return the run ID of a command that has ended."""
        run_id = self(label, *command, **env)
        wait_until(lambda: self.file(run_id, "exit").exists() and self.file(run_id, "exit").read_text(), "its exit")
        wait_until(lambda: is_gone(self.pid(run_id)), "the end of its process")
        return run_id

    def file(self, run_id: str, kind: str) -> Path:
        return self.bg.logs / f"{run_id}.{kind}"

    def pid(self, run_id: str) -> int:
        return int(self.file(run_id, "pid").read_text())

    def files(self, run_id: str) -> dict[str, bytes]:
        """Return what the files of a run hold."""
        paths = [*self.bg.logs.glob(f"{run_id}.*"), *self.bg.logs.glob(f"jobs/{run_id}.*")]
        return {path.name: path.read_bytes() for path in paths}


@pytest.fixture
def old(bg: Cli) -> Iterator[OldScript]:
    script = OldScript(bg)
    yield script
    for caller in script.callers:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(caller.pid, signal.SIGKILL)
        caller.wait()
        if caller.stdout:
            caller.stdout.close()


@pytest.mark.parametrize(("code", "state"), [(0, "succeeded"), (3, "failed")])
@pytest.mark.parametrize("key", ["venv", "venv_activate"])
def test_the_result_of_an_old_run_is_its_exit_code(bg: Cli, old: OldScript, code: int, state: str, key: str) -> None:
    run_id = old.ended("X", "bash", "-c", f"echo hello; exit {code}", VENV_KEY=key)
    before = old.files(run_id)
    run = bg.state("X")
    assert (run["run_id"], run["label"], run["state"], run["exit_code"]) == (run_id, "X", state, code)
    assert (run["pid"], run["pgid"]) == (old.pid(run_id), None)
    assert run["cmd"] == f"bash -c echo\\ hello\\;\\ exit\\ {code}"
    assert (run["git_sha"], run["git_branch"]) == ("0123abc", "main")
    assert 0 <= run["duration_s"] < 60
    lines = bg("status", "X").out.splitlines()
    assert lines[:2] == [f"NOT RUNNING label=X pid={run['pid']}", f"EXITCODE {code} (file: .logs/{run_id}.exit)"]
    assert bg("wait", "X", code=1 if code else 0).out.startswith(f"{state} {run_id} exit={code}")
    assert bg("wait", run_id, "--exit-code", code=code).out
    assert bg("latest", "X").out.strip() == f"{bg.logs}/{run_id}.log"
    assert bg("logs", "X").out == bg("follow", "X", code=1 if code else 0).out == "hello\n"
    assert bg("report", "X").out.startswith(f"{state} {run_id}")
    assert [one["run_id"] for one in bg.json("list", "--state", state)["runs"]] == [run_id]
    assert bg.json("stats", "X")["labels"][0]["runs"] == 1
    assert bg("stop", "X").err == f"{run_id} has already finished\n"
    assert {name: data for name, data in old.files(run_id).items() if name in before} == before


def test_an_old_run_that_runs_is_waited_for_and_followed(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "bash", "-c", "echo one; until [ -e go ]; do sleep 0.02; done; echo two; exit 5")
    run = bg.state("X")
    assert (run["run_id"], run["state"], run["exit_code"], run["pid"]) == (run_id, "running", None, old.pid(run_id))
    assert bg("status", "X").out.startswith(f"RUNNING label=X pid={run['pid']}\n")
    assert [one["run_id"] for one in bg.json("status")["runs"]] == [run_id]
    bg("wait", "X", "--timeout", "0.1s", code=124)
    command = [*bg.command, "follow", "X"]
    follower = subprocess.Popen(command, cwd=bg.folder, env=bg.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    (bg.folder / "go").touch()
    assert bg.ended("X")["exit_code"] == 5
    out, err = follower.communicate(timeout=20)
    assert (follower.returncode, out) == (1, b"one\ntwo\n")
    assert err.startswith(f"failed {run_id} exit=5".encode())


FORK_AWAY = "(sleep 300 & echo $! >away) ; setsid sleep 300 & echo $! >session; sleep 300; true"


def test_stop_ends_all_of_an_old_run_and_never_the_shell_that_called_it(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "bash", "-c", FORK_AWAY)
    caller = old.callers[0]
    meta = dict(line.split("=", 1) for line in old.file(run_id, "meta").read_text().splitlines())
    assert int(meta["pgid"]) == caller.pid == os.getpgid(old.pid(run_id))
    names = [bg.folder / "away", bg.folder / "session"]
    wait_until(lambda: all(path.exists() and path.read_text().strip() for path in names), "its children")
    left = [old.pid(run_id), *(int(path.read_text()) for path in names)]
    stopped = bg.json("stop", "X")["runs"][0]
    assert (stopped["run_id"], stopped["state"], stopped["exit_code"]) == (run_id, "stopped", 143)
    assert all(map(is_gone, left))
    assert caller.poll() is None
    assert bg.state("X")["state"] == "stopped"
    bg("prune")
    assert bg.state("X")["state"] == "stopped"
    again = dict(line.split("=", 1) for line in old.file(run_id, "meta").read_text().splitlines())
    assert {key: again[key] for key in meta} == meta


def test_an_old_run_that_was_stopped_began_when_it_did(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "sleep", "300")
    began = bg.state("X")["started_at"]
    wait_until(lambda: bg.state("X")["duration_s"] > 2.5, "it to run for longer than stamps and times may differ")
    bg("stop", "X")
    run = bg.state(run_id)
    assert (run["state"], run["started_at"]) == ("stopped", began)
    assert 2.5 < run["duration_s"] < 60


def test_an_old_run_that_ignores_the_signal_is_killed(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "bash", "-c", "trap '' TERM; touch ready; while :; do sleep 0.1; done")
    wait_until((bg.folder / "ready").exists, "it to run")
    done = bg.json("stop", "X")["runs"][0]
    assert (done["run_id"], done["state"]) == (run_id, "stopped")
    assert is_gone(old.pid(run_id))
    assert old.callers[0].poll() is None


def test_a_process_of_an_old_run_does_not_stop_itself(bg: Cli, old: OldScript) -> None:
    command = json.dumps([*bg.command, "stop", "X"])[1:-1].replace(", ", " ")
    run_id = old.ended("X", "bash", "-c", f"{command} || echo refused $?")
    assert "refused 2" in old.file(run_id, "log").read_text()
    assert bg.state("X")["state"] == "succeeded"


def kill(pid: int) -> None:
    """Kill a job script and what it runs, so that nobody writes an exit code."""
    process = psutil.Process(pid)
    process.suspend()
    for one in (process, *process.children(recursive=True)):
        one.kill()
    wait_until(lambda: is_gone(pid), "the end of it")


def test_an_old_run_of_which_nobody_saw_the_end_is_lost(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "sleep", "300")
    kill(old.pid(run_id))
    run = bg.state("X")
    assert (run["state"], run["exit_code"], run["reason"]) == (
        "lost",
        None,
        "exit code unknown, the job ended without recording it",
    )
    old.file(run_id, "exit").touch()  # as the trap leaves it on a full disk
    assert bg.state("X")["state"] == "lost"
    bg("wait", "X", code=1)


def test_a_pid_that_was_used_again_is_not_taken_for_the_run(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "sleep", "300")
    kill(old.pid(run_id))
    for kind in ("meta", "pid"):
        os.utime(old.file(run_id, kind), (0, os.stat(bg.folder).st_mtime - 3600))
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as stranger:
        try:
            old.file(run_id, "pid").write_text(f"{stranger.pid}\n")
            os.utime(old.file(run_id, "pid"), (0, os.stat(bg.folder).st_mtime - 3600))
            assert bg.state("X")["state"] == "lost"
            assert bg.json("stop", "X")["runs"][0]["state"] == "lost"
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs proc(5)")
def test_an_old_run_whose_files_were_touched_still_runs(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "sleep", "300")
    for kind in ("meta", "pid"):
        os.utime(old.file(run_id, kind), (0, 2_000_000_000))
    assert bg.state("X")["state"] == "running"
    assert bg.json("stop", "X")["runs"][0]["state"] == "stopped"


def test_a_run_of_another_host_is_lost_and_says_so(bg: Cli, old: OldScript) -> None:
    run_id = old("X", "bash", "-c", "exec >/dev/null 2>&1; sleep 300")
    wait_until(lambda: psutil.Process(old.pid(run_id)).children(), "it to run")
    text = old.file(run_id, "meta").read_text()
    lines = [f"host=not-{line[5:]}" if line.startswith("host=") else line for line in text.splitlines()]
    kill(old.pid(run_id))
    old.file(run_id, "meta").write_text("\n".join(lines))
    assert "exit code unknown, started on host not-" in bg.state("X")["reason"]


def test_a_meta_that_was_lost_says_nothing_against_the_exit_code(bg: Cli, old: OldScript) -> None:
    run_id = old.ended("X", "bash", "-c", "exit 4")
    old.file(run_id, "meta").write_text("")
    run = bg.state("X")
    assert (run["label"], run["state"], run["exit_code"]) == ("X", "failed", 4)


RETENTION = "defaults: {retention: {max_runs: 1}}\njobs: {X: {command: 'true', retention: {max_runs: 1}}}"


def test_no_start_counts_or_removes_old_runs(bg: Cli, old: OldScript) -> None:
    bg.jobs(RETENTION)
    live = old("X", "sleep", "300")
    stay = [live, old.ended("Y", "bash", "-c", "exit 1"), old.ended("Y", "true")]
    before = [old.files(run_id) for run_id in stay]
    for _ in range(2):
        bg("start", "X", "--wait")
        bg("run", "Y", "--wait", "--", "true")
    wait_until(lambda: len(list(bg.logs.glob("X_*.meta"))) == 2, "retention to have done its work")
    assert [old.files(run_id) for run_id in stay] == before
    assert bg.json("list", "X")["runs"][-1]["state"] == "running"


@pytest.mark.parametrize("mixed", [True, False])
def test_prune_removes_old_runs_that_have_ended(bg: Cli, old: OldScript, mixed: bool) -> None:
    bg.jobs(RETENTION)
    live = old("X", "sleep", "300")
    gone = old.ended("Y", "true")
    wait_until(lambda: old.ended("Y", "true") != gone, "one of another second")
    if mixed:
        bg("run", "Y", "--wait", "--", "true")
    due = {one["run_id"] for one in bg.json("prune", "--dry-run")["removed"]}
    assert gone in due
    assert live not in due
    assert {one["run_id"] for one in bg.json("prune")["removed"]} == due
    assert old.files(gone) == {}
    assert bg.state("X")["state"] == "running"


@pytest.mark.parametrize("argument", ["two  words", "a\nb", "", "'\"`$HOME*\\", "ü ~ {a,b} #", "end ", "tab\t!x", "-n"])
def test_rerun_runs_the_command_anew_and_leaves_the_old_run_alone(bg: Cli, old: OldScript, argument: str) -> None:
    show = "import os, sys; print(ascii(sys.argv[1:]), os.getcwd()); sys.exit(7)"
    run_id = old.ended("X", bg.command[0], "-c", show, argument)
    expected = old.file(run_id, "log").read_text()
    before = old.files(run_id)
    again = bg.json("rerun", run_id, "--wait", code=1)
    assert again["run_id"] != run_id
    assert (again["label"], again["state"], again["exit_code"]) == ("X", "failed", 7)
    assert Path(again["log"]).read_text() == expected
    assert old.files(run_id) == before
    assert bg.meta(again)["cmd"].replace("\\\\", "\\") == bg.state(run_id)["cmd"]
    assert "run_id" in bg.meta(again)
    third = bg.json("rerun", "X", "--wait", code=1)  # which is the new one by now
    assert Path(third["log"]).read_text() == expected


@pytest.mark.parametrize("key", ["venv", "venv_activate"])
def test_rerun_uses_the_virtual_environment_of_the_old_run(bg: Cli, old: OldScript, key: str, tmp_path: Path) -> None:
    tool = tmp_path / "a venv" / "bin" / "tool"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho from $VIRTUAL_ENV\n")
    tool.chmod(0o755)
    activate = tool.parent / "activate"
    activate.touch()
    value = str(tool.parent.parent if key == "venv" else activate)
    run_id = old.ended("X", "tool", VENV_KEY=key, VENV_VALUE=value)
    assert bg.json("rerun", run_id, "--wait")["state"] == "succeeded"
    assert bg("logs", "X").out == f"from {tool.parent.parent}\n"


def test_rerun_says_what_is_missing(bg: Cli, old: OldScript) -> None:
    run_id = old.ended("X", "true")
    assert "--failed needs a group run" in bg("rerun", run_id, "--failed", code=2).err
    meta = old.file(run_id, "meta")
    text = meta.read_text()
    meta.write_text(text.replace("repo_dir=", "repo_dir=/nowhere"))
    assert "/nowhere" in bg("rerun", run_id, code=2).err
    meta.write_text("".join(line for line in text.splitlines(True) if not line.startswith("repo_dir=")))
    shown = bg("rerun", run_id, code=2).err
    assert (
        "is not recorded (`repo_dir=` in its meta)\n  hint: run it in the right one: bgrun run X -C DIR -- true\n"
        in shown
    )
    meta.write_text(text.replace("cmd=true ", ""))
    assert "not recorded" in bg("rerun", run_id, code=2).err
    assert len(list(bg.logs.glob("*.meta"))) == 1


def test_a_label_means_the_newest_of_old_and_new_runs(bg: Cli, old: OldScript) -> None:
    first = old.ended("X", "true")
    new = bg.json("run", "X", "--wait", "--", "false", code=1)
    assert new["run_id"] > first
    assert bg.state("X")["run_id"] == new["run_id"]
    assert {one["run_id"]: one["state"] for one in bg.json("list", "X")["runs"]} == {
        first: "succeeded",
        new["run_id"]: "failed",
    }
    newest = wait_until(lambda: one if (one := old.ended("X", "true")) > new["run_id"] else "", "a later second")
    assert bg.state("X")["run_id"] == newest
    runs: list[dict[str, Any]] = bg.json("status", "X", first)["runs"]
    assert [one["run_id"] for one in runs] == [newest, first]


def test_stop_and_wait_take_old_and_new_runs_of_a_label(bg: Cli, old: OldScript) -> None:
    first = old("X", "sleep", "300")
    new = bg.json("run", "X", "--", "sleep", "300")["run_id"]
    assert [one["run_id"] for one in bg.json("status", "X")["runs"]] == [new, first]
    bg("wait", "X", "--timeout", "0.1s", code=124)
    assert {one["run_id"]: one["state"] for one in bg.json("stop", "X")["runs"]} == {first: "stopped", new: "stopped"}
    assert is_gone(old.pid(first))
    assert all(caller.poll() is None for caller in old.callers)


def test_stop_all_takes_old_runs_too(bg: Cli, old: OldScript) -> None:
    runs = [old("X", "sleep", "300"), old("Y", "sleep", "300")]
    assert {one["run_id"] for one in bg.json("stop", "--all")["runs"]} == set(runs)
    assert all(is_gone(old.pid(run_id)) for run_id in runs)


def test_a_new_run_sorts_behind_an_old_one_of_the_same_second(bg: Cli, old: OldScript) -> None:
    """Whose stamp is ahead of the clock here, as it is after the end of summer time."""
    before = old.ended("X", "true")
    later = f"X_{int(before[2:6]) + 1}{before[6:]}"
    for path in [*bg.logs.glob(f"{before}.*"), *bg.logs.glob(f"jobs/{before}.*")]:
        path.rename(path.with_name(path.name.replace(before, later)))
    with_script = bg.json("run", "X", "--wait", "--", "true")
    (bg.logs / "jobs" / f"{later}.sh").unlink()
    without = bg.json("run", "X", "--wait", "--", "true")
    assert later < with_script["run_id"] < without["run_id"]
    assert len(bg.json("list", "X")["runs"]) == 3
    assert bg.state("X")["run_id"] == without["run_id"]


@pytest.mark.parametrize("words", [("status", "X"), ("list",), ("wait", "X"), ("stop", "X")])
def test_json_of_an_old_run_is_what_its_schema_says(bg: Cli, old: OldScript, words: tuple[str, ...]) -> None:
    old.ended("X", "true")
    schema = json.loads((TOP / "schemas" / "runs.schema.json").read_text())
    jsonschema.validate(bg.json(*words), schema, jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    ("stamped", "recorded", "began"),
    [
        (1_000_000.0, 1_000_000.4, 1_000_000.4),
        (1_003_600.0, 1_000_000.4, 1_000_000.4),  # the hour that comes twice at the end of summer time
        (1_000_000.0, 1_020_701.0, 1_020_701.0),  # a zone 5 h 45 min away
        (1_000_000.0, 1_000_444.0, 1_000_000.0),  # a copy of a little later
        (1_000_000.0, 9_000_000.0, 1_000_000.0),  # a copy of much later
        (None, 5.0, 5.0),
    ],
)
def test_the_start_of_an_old_run_is_an_instant(stamped: float | None, recorded: float, began: float) -> None:
    assert foreign.instant(stamped, recorded) == began


def test_between_its_meta_and_its_pid_an_old_run_is_not_lost(
    bg: Cli, old: OldScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reported() -> tuple[str, int | None, str | None]:
        run = Store(str(bg.logs)).read(run_id)
        assert run
        return run.state, run.exit_code, run.reason

    run_id = old.ended("X", "bash", "-c", "exit 4")
    late = {kind: old.file(run_id, kind) for kind in ("pid", "exit")}
    for kind, path in late.items():
        path.rename(bg.folder / kind)
    monkeypatch.setattr(foreign, "SLACK_S", 600.0)  # on however slow a machine
    assert reported() == ("queued", None, "waiting for the process ID to be recorded")
    monkeypatch.undo()
    os.utime(old.file(run_id, "meta"), (0, 1_700_000_000))
    assert reported() == ("lost", None, "exit code unknown, the job ended without recording it")
    for kind, path in late.items():
        (bg.folder / kind).rename(path)
    assert reported() == ("failed", 4, None)


def test_copies_of_an_old_run_do_not_tell_how_long_it_took(bg: Cli, old: OldScript) -> None:
    run_id = old.ended("X", "bash", "-c", "exit 3")
    assert bg.state("X")["duration_s"] is not None
    for kind in ("meta", "exit", "pid", "log"):
        os.utime(old.file(run_id, kind), (0, 1_700_000_000))
    run = bg.state("X")
    assert (run["state"], run["exit_code"], run["duration_s"], run["ended_at"]) == ("failed", 3, None, None)
    assert run["started_at"]
