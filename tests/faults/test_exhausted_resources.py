"""Fault 17: descriptors or processes run out while a plan is launched: what cannot run yet stays queued."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import re
import resource
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.local.supervision import hooks
from bgrun.plan import Hook
from bgrun.store.store import Store
from tests.conftest import Cli, wait_until

if TYPE_CHECKING:
    from pathlib import Path

MANY = 70
LIMIT = 64
JOBS = f"""
jobs:
  many:
    command: "ulimit -n > limit_{{{{ matrix.n }}}}; until [ -e go ]; do sleep 0.3; done"
    matrix: {{n: [{", ".join(map(str, range(MANY)))}]}}
    concurrency: {{limit: 100}}
  last: {{command: ulimit -n > limit_last, on_finish: [ulimit -n > hooked], depends_on: [many]}}
groups: {{all: {{jobs: [last]}}}}
"""


def limited(bg: Cli, how: str) -> Cli:
    """The command line below a limit of descriptors."""
    bg.jobs(JOBS)
    return Cli(bg.folder, ["bash", "-c", f'ulimit {how} && exec "$@"', "bash", *bg.command], bg.env)


def states(bg: Cli) -> list[str]:
    return [run["state"] for run in bg.json("list", "--all")["runs"] if run["label"].startswith("many")]


def test_runs_wait_for_descriptors(bg: Cli) -> None:
    limited(bg, f"-n {LIMIT}")("group", "all")
    wait_until(lambda: _are_settled(states(bg)), "as many run as can")
    # A launch that did not come about leaves nothing open, else less and less is left for the next one.
    wait_until(lambda: not _gates(bg), "the supervisor has no gate of a job open")
    assert 5 < states(bg).count("running") < LIMIT - 20
    (bg.folder / "go").touch()
    assert bg.ended("all", "60s")["state"] == "succeeded"
    assert {path.read_text() for path in bg.folder.glob("limit_*")} == {f"{LIMIT}\n"}
    assert not (bg.logs / ".supervisor.err").exists()


def _gates(bg: Cli) -> list[str]:
    fds = f"/proc/{bg.meta(bg.state('all'))['supervisor_pid']}/fd"
    links = []
    for fd in os.listdir(fds):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"{fds}/{fd}"))
    return [link for link in links if link.startswith("pipe:")]


def _are_settled(found: list[str]) -> bool:
    """Whether some more than a few run and the others are queued."""
    return len(found) == MANY and set(found) == {"running", "queued"} and found.count("running") > 5


def test_a_soft_limit_is_the_jobs_alone(bg: Cli) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MANY * 4:
        pytest.skip(f"the hard limit of descriptors here is {hard}")
    limited(bg, f"-Sn {LIMIT}")("group", "all")
    wait_until(lambda: states(bg) == ["running"] * MANY, "all of them run at once", 60)
    (bg.folder / "go").touch()
    assert bg.ended("all", "60s")["state"] == "succeeded"
    wait_until(lambda: (bg.folder / "hooked").exists() and (bg.folder / "hooked").read_text(), "the hook was called")
    limits = {path.read_text() for path in bg.folder.glob("limit_*")}
    assert limits == {f"{LIMIT}\n"} == {(bg.folder / "hooked").read_text()}


def test_a_single_start_says_so(bg: Cli) -> None:
    """Whichever descriptor is the last one: the run is whole, or there is none and one line says why."""
    codes = []
    for most in range(5, 16):
        done = limited(bg, f"-n {most}")("run", "x", "--", "true", code=None)
        codes.append(done.code)
        assert done.code == 0 or "Too many open files" in done.err, done
    assert codes[-1] == 0
    assert codes[0] != 0
    bg("wait", "x")
    runs = bg.json("list", "--all")["runs"]
    assert {run["state"] for run in runs} == {"succeeded"}
    assert len(runs) == codes.count(0)


def test_a_hook_waits_for_a_process(tmp_path: Path, bg: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of processes is the user's, whose other processes are not the test's to count: so fork itself fails."""
    bg("run", "x", "--wait", "--", "true")
    run = Store(str(bg.logs)).read(bg.state("x")["run_id"])
    assert run
    started = hooks.Hooks(set())
    monkeypatch.setattr(hooks, "RETRY_S", 0.0)

    def no_fork() -> Any:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", no_fork)
        started.start_due([Hook("finish", command=f"touch {tmp_path}/called")], run, "/", {})
        started.start_waiting()
    assert started.waiting
    assert started.next_check_at < math.inf
    started.start_waiting()
    assert not started.waiting
    (pid,) = started.until
    os.waitpid(pid, 0)
    assert (tmp_path / "called").exists()


def test_a_session_is_made_where_posix_spawn_makes_none(bg: Cli) -> None:
    program = """
import os
spawn = os.posix_spawn
def without(*words, setsid=False, **named):
    if setsid:
        raise NotImplementedError("setsid")
    return spawn(*words, **named)
os.posix_spawn = without
from bgrun.__main__ import main
main()
"""
    elsewhere = Cli(bg.folder, [bg.command[0], "-c", program], bg.env)
    run = elsewhere.json("run", "x", "--", "bash", "-c", "ps -o sid= -p $$ > sid; trap > traps; cat; exit 4")
    assert bg.ended("x")["exit_code"] == 4
    assert int((bg.folder / "sid").read_text()) == run["pid"]
    assert re.fullmatch(r"\s*", (bg.folder / "traps").read_text())


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_job_script_that_cannot_start_its_command_exits_with_none_of_its_codes(bg: Cli, shell: str) -> None:
    """The shell dash would exit with 2 and bash with 254: one of them may count as a success."""
    if os.geteuid() or not (shutil.which(shell) and shutil.which("setpriv") and shutil.which("prlimit")):
        pytest.skip("needs root, another user without processes, and both shells")
    bg.jobs("jobs: {x: {command: exit 2, success_exit_codes: [2, 254]}}\n")
    script = bg.folder / "script"
    script.write_text(re.sub("^cd -- .*$", "cd /", bg("render", "x").out, flags=re.MULTILINE))
    nobody = ["setpriv", "--reuid", "54323", "--clear-groups", "prlimit", "--nproc=1"]
    with script.open() as text:
        ran = subprocess.run([*nobody, shell], cwd="/", stdin=text, stderr=subprocess.DEVNULL, check=False)
    assert ran.returncode == 125
