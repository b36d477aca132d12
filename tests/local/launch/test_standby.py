"""A supervisor that was forked before its plan was read: it gets the whole plan, or leaves no trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import BusyError, LaunchError, LaunchPendingError
from bgrun.light import suppress
from bgrun.local.launch import manifest, spawn, standby
from bgrun.local.launch.manifest import Plan
from bgrun.plan import RenderedJob, RunPlan
from bgrun.system import directories, process
from tests.conftest import TOP, Cli, wait_until, without_sandbox
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN_ID = "x_20260101_000000"


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[standby.Standby]:
    """A supervisor on standby, which the next launch of this process takes."""
    one = standby.fork()
    monkeypatch.setattr(standby, "_waiting", [one])
    yield one
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(one.pid, signal.SIGKILL)
        os.waitpid(one.pid, 0)
    for fd in (one.feed_fd, one.answer_fd):
        with suppress(OSError):
            os.close(fd)


def plan_in(folder: Path, cmd: str = "") -> Plan:
    """Return the plan of one run, whose script notes that it ran."""
    log_dir = folder / ".logs"
    directories.ensure_log_dir(str(log_dir))
    (log_dir / "jobs" / f"{RUN_ID}.sh").write_text(f"read -r _ <&8; touch {folder}/ran")
    job = RenderedJob("x", "", cmd, "", str(folder), inhibit_sleep=False)
    return Plan(str(log_dir), (RunPlan(RUN_ID, job, {"label": "x"}),))


def has_left_nothing(folder: Path) -> bool:
    return not (folder / "ran").exists() and os.listdir(folder / ".logs" / "jobs") == [f"{RUN_ID}.sh"]


def ended(pid: int) -> int:
    """Return the exit code of a child, which ends by itself."""
    found: list[int] = []

    def has_ended() -> bool:
        done, status = os.waitpid(pid, os.WNOHANG)
        found.append(os.waitstatus_to_exitcode(status))
        return done == pid

    wait_until(has_ended, "the supervisor has ended")
    return found[-1]


def test_it_carries_out_the_plan_that_comes(tmp_path: Path, waiting: standby.Standby) -> None:
    known = spawn.hand_over(plan_in(tmp_path))
    assert f"supervisor_pid={waiting.pid}".encode() in known
    wait_until((tmp_path / "ran").exists, "the job ran")
    wait_until((tmp_path / ".logs" / f"{RUN_ID}.exit").exists, "its end is on record")
    assert standby.take() is None


def test_without_a_plan_it_ends(tmp_path: Path, waiting: standby.Standby) -> None:
    plan_in(tmp_path)
    os.close(waiting.feed_fd)
    assert ended(waiting.pid) == 0
    assert os.read(waiting.answer_fd, 100) == b""
    assert has_left_nothing(tmp_path)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_half_a_plan_launches_nothing(tmp_path: Path, waiting: standby.Standby, share: float) -> None:
    data = manifest.pack(plan_in(tmp_path))
    os.write(waiting.feed_fd, data[: int(len(data) * share)])
    os.close(waiting.feed_fd)
    assert ended(waiting.pid) != 0
    assert os.read(waiting.answer_fd, 100) == b""
    assert has_left_nothing(tmp_path)


def test_it_was_killed_before_the_plan_came(tmp_path: Path, waiting: standby.Standby) -> None:
    """Nothing has begun by then, so another one takes its place."""
    os.kill(waiting.pid, signal.SIGKILL)
    os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)
    known = spawn.hand_over(plan_in(tmp_path))
    assert b"supervisor_pid=" in known
    assert f"supervisor_pid={waiting.pid}\n".encode() not in known
    wait_until((tmp_path / "ran").exists, "the job ran")


def test_it_was_killed_as_the_plan_came(
    tmp_path: Path, waiting: standby.Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_in(tmp_path)
    monkeypatch.setattr(spawn, "_was_killed", lambda _: False)
    os.kill(waiting.pid, signal.SIGKILL)
    with pytest.raises(LaunchError, match="ended before it launched anything"):
        spawn.hand_over(plan)
    assert has_left_nothing(tmp_path)


def test_one_that_takes_no_plan_is_given_up(
    tmp_path: Path, waiting: standby.Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe holds 64 KiB at most; whoever writes more waits for the reader."""
    answers: list[int] = []
    monkeypatch.setattr(spawn, "_read", lambda *_: answers.append(1))
    monkeypatch.setattr(spawn, "READY_S", 0.3)
    monkeypatch.setattr(spawn, "SOON_S", 0.1)
    plan = plan_in(tmp_path, cmd="x" * (1 << 20))
    os.kill(waiting.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(LaunchError, match=r"nothing was launched within 0\.3 s"):
        spawn.hand_over(plan)
    assert time.monotonic() - began < 20
    assert not answers, "what does not take its plan is not waited for a second time"
    assert has_left_nothing(tmp_path)


def test_ctrl_c_does_not_reach_it(tmp_path: Path, waiting: standby.Standby) -> None:
    os.kill(waiting.pid, signal.SIGINT)
    assert spawn.hand_over(plan_in(tmp_path))
    wait_until((tmp_path / "ran").exists, "the job ran")


# --- Ctrl-C while the plan is handed over ------------------------------------------------------


@pytest.fixture
def ctrl_c(monkeypatch: pytest.MonkeyPatch, waiting: standby.Standby) -> standby.Standby:
    """Ctrl-C, pressed as soon as a plan has its supervisor."""
    supervisor = spawn._supervisor

    def interrupted(plan: Plan) -> standby.Standby:
        found = supervisor(plan)
        signal.raise_signal(signal.SIGINT)
        return found

    monkeypatch.setattr(spawn, "_supervisor", interrupted)
    return waiting


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_launch_says_what_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "SOON_S", 20.0)  # on a busy machine
    with pytest.raises(KeyboardInterrupt, match=f"^{RUN_ID} was started$"):
        spawn.hand_over(plan_in(tmp_path))
    wait_until((tmp_path / "ran").exists, "the job ran")


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["waits for the answer", "waits for space in the pipe"])
def test_an_interrupted_launch_is_withdrawn_at_once(
    tmp_path: Path, ctrl_c: standby.Standby, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(spawn, "SOON_S", 0.1)
    plan = plan_in(tmp_path, cmd="x" * size)
    os.kill(ctrl_c.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt, match=r"^nothing was started$"):
        spawn.hand_over(plan)
    assert time.monotonic() - began < spawn.READY_S
    assert has_left_nothing(tmp_path)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("error", [LaunchError, LaunchPendingError, BusyError])
def test_no_interrupt_hides_why_a_launch_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[LaunchError]
) -> None:
    def fails(*_: object) -> bytes:
        if error is LaunchPendingError:
            raise error("the system holds it")
        return f"{error.__name__}\nthe system holds it\n".encode()

    monkeypatch.setattr(spawn, "_answer", fails)
    with pytest.raises(error, match=r"^the system holds it$"):
        spawn.hand_over(plan_in(tmp_path))
    assert signal.SIGINT not in signal.sigpending()


def test_a_process_that_ignores_ctrl_c_is_not_interrupted(
    tmp_path: Path, ctrl_c: standby.Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a command behind `&` in a script."""
    plan = plan_in(tmp_path)
    monkeypatch.setattr(spawn, "READY_S", 0.3)
    os.kill(ctrl_c.pid, signal.SIGSTOP)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(LaunchError, match="nothing was launched within"):
            spawn.hand_over(plan)
    finally:
        signal.signal(signal.SIGINT, before)
    assert has_left_nothing(tmp_path)


STOPPED = """
import os, signal
fork = os.fork
def stopped():
    pid = fork()
    if not pid:
        os.kill(os.getpid(), signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    open("forked", "w").write(str(pid))
    return pid
os.fork = stopped
from bgrun.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="supervisors are forked on Linux only")
@pytest.mark.parametrize("words", [("start", "one"), ("start", "one", "--timeout=20s")], ids=["plain", "by click"])
def test_ctrl_c_while_the_supervisor_is_suspended(bg: Cli, words: tuple[str, ...]) -> None:
    bg.jobs('jobs: {one: {command: "true"}}')
    caller = subprocess.Popen(
        [bg.command[0], "-c", STOPPED, *words], cwd=bg.folder, env=bg.env, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: list(bg.logs.glob("jobs/*")) and _blocks_ctrl_c(caller.pid), "it launches")
        caller.send_signal(signal.SIGINT)
        _, reported = caller.communicate(timeout=spawn.READY_S - 5)
    finally:
        caller.kill()
        caller.wait()
    assert (caller.returncode, without_sandbox(reported).strip()) == (130, "interrupted; nothing was started")
    assert not list(bg.logs.glob("jobs/*"))
    assert not list(bg.logs.glob("*.meta"))


def _blocks_ctrl_c(pid: int) -> bool:
    with open(f"/proc/{pid}/status") as file:
        (blocked,) = (line.split()[1] for line in file if line.startswith("SigBlk:"))
    return bool(int(blocked, 16) >> (signal.SIGINT - 1) & 1)


# --- what it keeps, and when it ends -----------------------------------------------------------


def test_nothing_of_the_caller_is_kept() -> None:
    code = """
import os
from bgrun.system import process
kept = os.dup(1)
process.leave_caller()
print("to nobody", flush=True)
assert os.read(0, 1) == b""
os.write(kept, f"{os.getcwd()} {os.getsid(0) == os.getpid()}".encode())
"""
    command = [sys.executable, "-c", f"import os, sys\nif os.fork(): os.wait(); os._exit(0)\n{code}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=TOP)
    assert done.stdout == "/ True"


@pytest.mark.skipif(sys.platform != "linux", reason="supervisors are forked on Linux only")
@pytest.mark.parametrize("words", [("start", "nope"), ("run", "x"), ("start", "one", "--on", "nope")])
def test_one_that_is_suspended_holds_no_stream_of_a_start_that_failed(bg: Cli, words: tuple[str, ...]) -> None:
    """As `$(bgrun start nope)` reads them, to their end."""
    bg.jobs('jobs: {one: {command: "true"}}')
    Cli(bg.folder, [bg.command[0], "-c", STOPPED], bg.env)(*words, code=2)
    pid = int((bg.folder / "forked").read_text())
    wait_until(lambda: is_gone(pid), "the supervisor has ended")


def test_one_that_has_left_is_not_killed(waiting: standby.Standby) -> None:
    """It may be writing the cache of bytecode."""
    wait_until(lambda: process.has_left(waiting.pid), "it has left")
    standby.dismiss()
    assert ended(waiting.pid) == 0


NOTED = """
import os, sys
fork = os.fork
def noted():
    pid = fork()
    if pid:
        open("forked", "a").write(f"{pid}\\n")
    return pid
os.fork = noted
from bgrun.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="supervisors are forked on Linux only")
@pytest.mark.parametrize(
    ("words", "code", "forks"),
    [
        (("start", "one"), 0, 1),
        (("group", "all"), 0, 1),
        (("run", "x", "--", "true"), 0, 1),
        (("start", "nope"), 2, 1),
        (("group", "nope"), 2, 1),
        (("start", "one", "--on", "nope"), 2, 1),
        (("rerun", "nope"), 2, 1),
        (("status", "nope"), 2, 0),
        (("list",), 0, 0),
    ],
)
def test_each_start_forks_one_that_does_not_stay_in_vain(
    bg: Cli, words: tuple[str, ...], code: int, forks: int
) -> None:
    bg.jobs('jobs: {one: {command: "true"}}\ngroups: {all: {jobs: [one]}}')
    Cli(bg.folder, [bg.command[0], "-c", NOTED], bg.env)(*words, code=code)
    noted = bg.folder / "forked"
    pids = [int(one) for one in noted.read_text().split()] if noted.exists() else []
    assert len(pids) == forks
    for pid in pids:
        wait_until(lambda pid=pid: is_gone(pid), "the supervisor has ended")  # type: ignore[misc]


@pytest.mark.skipif(sys.platform != "linux", reason="supervisors are forked on Linux only")
def test_a_start_that_waits_for_a_run_that_it_joined_keeps_none(bg: Cli) -> None:
    """A wait may take hours."""
    bg.jobs('jobs: {one: {command: "until test -e go; do sleep 0.01; done", concurrency: {when_busy: join}}}')
    bg("start", "one")
    caller = subprocess.Popen([bg.command[0], "-c", NOTED, "start", "one", "--wait"], cwd=bg.folder, env=bg.env)
    noted = bg.folder / "forked"
    wait_until(lambda: noted.exists() and noted.read_text().endswith("\n"), "one was forked")
    pid = int(noted.read_text())
    wait_until(lambda: is_gone(pid), "the supervisor has ended")
    assert caller.poll() is None
    (bg.folder / "go").touch()
    assert caller.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="CPUs can be chosen on Linux only")
@pytest.mark.parametrize("most", [1, 1024], ids=["one CPU", "all"])
def test_a_job_may_use_the_cpus_of_the_caller(bg: Cli, most: int) -> None:
    mine = sorted(os.sched_getaffinity(0))[:most]
    ask = "import os; print(sorted(os.sched_getaffinity(0)))"
    bg.jobs(f"jobs: {{one: {{command: [{bg.command[0]}, -c, '{ask}']}}}}")
    limited = (
        f"import os, sys; os.sched_setaffinity(0, {mine}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    words = [bg.command[0], "-c", limited, "-m", "bgrun", "start", "one", "--wait"]
    subprocess.run(words, cwd=bg.folder, env=bg.env, check=True, capture_output=True)
    (log,) = bg.logs.glob("one_*.log")
    assert log.read_text() == f"{mine}\n"
