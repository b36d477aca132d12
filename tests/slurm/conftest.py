"""A real cluster on loopback, for the tests of this folder: munged, slurmctld and three slurmd, without systemd.

BGRUN_SLURM=1 runs the part of the acceptance list that fits into a daily check, BGRUN_SLURM=full all of it, and as root
each test a second time on a cluster of a plain user. Without it, or where Slurm is not installed, these tests are skipped
and say why; what is pure is tested all the same.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests import surroundings
from tests.conftest import DEADLINE_S, TOP, Cli, wait_until
from tests.slurm.played import Played

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = TOP / "tests" / "slurm" / "cluster"
NODES = 3
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
SBIN = "/usr/sbin:/sbin"
WANTED = surroundings.setting("BGRUN_SLURM")
OWN, PLAIN = "own", "plain"
WHO = (OWN, PLAIN) if WANTED == "full" and os.geteuid() == 0 else (OWN,)
"""Whose cluster: that of whoever runs the tests, and one of a plain user, who only root can become."""
full = pytest.mark.skipif(WANTED != "full", reason="takes long: BGRUN_SLURM=full, as .ci/full does")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of a real cluster more time: a timeout that interrupts its end would leave daemons behind."""
    for item in items:
        if not {"shared", "confined", "forgetful"}.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(400))


def missing() -> str:
    """Return why there can be no cluster here, or ''."""
    if not WANTED:
        return "set BGRUN_SLURM=1 to start a real cluster, as .ci/run does"
    path = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    absent = [name for name in NEEDED if shutil.which(name, path=path) is None]
    return f"no {', '.join(absent)} here: bash tests/slurm/cluster/start-slurm.sh " if absent else ""


class User(NamedTuple):
    """Who runs the daemons and bgrun. become: the words before a command of theirs; python: what they can run."""

    become: tuple[str, ...] = ()
    python: str = sys.executable
    env: tuple[tuple[str, str], ...] = ()
    uid: int = -1
    gid: int = -1

    def own(self, folder: Path) -> Path:
        """Make a folder of theirs."""
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, self.uid, self.gid)
        return folder


def user(who: str) -> User:
    """Return whoever runs the tests, or a plain user, an account that the system has."""
    if who == OWN:
        return User()
    one = next(one for name in ("slurm", "nobody") for one in pwd.getpwall() if one.pw_name == name)
    become = ("setpriv", f"--reuid={one.pw_uid}", f"--regid={one.pw_gid}", "--clear-groups", "--")
    # A Python below somebody's home, or a venv of one, may be out of reach; the packages that it has may not be.
    env = {"PYTHONPATH": os.pathsep.join([str(TOP), *filter(os.path.isdir, sys.path)]), "HOME": "/nonexistent"}
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        # It starts itself again, as a supervisor does: setpriv still has the rights of root as it executes it.
        again = (
            "import os, sys, bgrun.render.script, bgrun.jobfile.loader; os.execv(sys.executable, ['python', '-c', ''])"
        )
        words = [*become, python, "-c", again]
        with suppress(OSError):
            if (
                subprocess.run(words, env={**os.environ, **env}, cwd="/", capture_output=True, check=False).returncode
                == 0
            ):
                return User(become, python, tuple(env.items()), one.pw_uid, one.pw_gid)
    pytest.skip(f"{one.pw_name} cannot run this checkout: it, or what it needs, is in a folder of one user alone")


class Cluster:
    """A cluster in a folder of its own; its daemons are ended by the PIDs that they wrote there."""

    def __init__(self, folder: Path, port: int, owner: User, **settings: str) -> None:
        self.folder = folder
        self.owner = owner
        given = {"BGRUN_SLURM_DIR": str(folder), "BGRUN_SLURM_NODES": str(NODES), "BGRUN_SLURM_PORT": str(port)}
        given["TMPDIR"] = str(folder)  # whoever runs the tests may have one of their own, which the owner cannot use
        path = f"{os.environ['PATH']}:{SBIN}"
        self._env = {
            **os.environ,
            **dict(owner.env),
            **given,
            **{f"BGRUN_SLURM_{key}": value for key, value in settings.items()},
        }
        self.env = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
        self._accounts = settings.get("DBD") == "yes"

    def start(self) -> None:
        """Start each daemon that does not run, and wait until every node is up."""
        more = ["--dbd"] if self._accounts else []
        self._script("start-slurm.sh", *more)

    def end(self) -> None:
        """End every job and daemon; the folder stays."""
        self._script("stop-slurm.sh")

    def _script(self, name: str, *args: str) -> None:
        words = [*self.owner.become, "bash", str(SCRIPTS / name), *args]
        done = subprocess.run(
            words, env=self._env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def pid(self, daemon: str) -> int:
        """Return the PID of a daemon: `slurmctld`, or `slurmd.n1`."""
        return int((self.folder / "run" / f"{daemon}.pid").read_text())

    def kill(self, daemon: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a daemon; return once it is gone if that was SIGKILL."""
        pid = self.pid(daemon)
        os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"), daemon)

    def saved(self, since: float) -> None:
        """Wait until the controller has saved its jobs, a change since then; it forgets what it has not saved if it is killed."""
        state = self.folder / "ctld" / "job_state"
        wait_until(lambda: state.exists() and state.stat().st_mtime > since, "the controller has saved its jobs")

    def settle(self) -> None:
        """Wait until the controller saves the next change at once, and what follows only 5 s later."""
        files = [self.folder / "run" / "slurmctld.pid", self.folder / "ctld" / "job_state"]
        wait_until(
            lambda: time.time() - max(file.stat().st_mtime for file in files if file.exists()) > 6,
            "the controller has saved nothing for a while",
            timeout_s=60,
        )

    def call(self, *words: str) -> str:
        """Run a command of Slurm, and return what it printed."""
        done = self.attempt(*words)
        assert done.returncode == 0, done
        return done.stdout

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Slurm that may fail."""
        env = {**os.environ, **dict(self.owner.env), **self.env}
        every = [*self.owner.become, *words]
        return subprocess.run(every, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=DEADLINE_S)

    def restart(self, *daemons: str) -> None:
        """End daemons as an administrator does, and start them again."""
        for daemon in daemons:
            pid = self.pid(daemon)
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), f"{daemon} has ended")
        self.start()

    def jobs(self) -> list[str]:
        """Return the IDs of all jobs that have not ended."""
        return self.call("squeue", "-r", "-h", "-o", "%i").split()


def free_ports(count: int) -> int:
    """Return the first of so many free ports in a row, below those that the kernel gives to clients."""
    first = 18000 + os.getpid() % 1000 * 10
    for port in range(first, first + 4000, count):
        with ExitStack() as stack:
            try:
                for each in range(port, port + count):
                    one = stack.enter_context(socket.socket())
                    one.bind(("127.0.0.1", each))
            except OSError:
                continue
            return port
    pytest.fail("no free ports")


def made(who: str = OWN, **settings: str) -> Iterator[Cluster]:
    """Start a cluster, and end it with everything in it."""
    if reason := missing():
        pytest.skip(reason)
    owner = user(who)
    # The path of a socket has to be short.
    folder = owner.own(Path(tempfile.mkdtemp(prefix="bgrun-slurm-", dir="/tmp")))
    folder.chmod(0o755)
    one = Cluster(folder, free_ports(NODES + 3) + 2, owner, **settings)
    try:
        one.start()
    except AssertionError as error:
        with suppress(AssertionError):
            one.end()
        shutil.rmtree(folder)
        if WANTED == "full":
            raise
        pytest.skip(f"the daemons of Slurm do not start here: {error}")  # a container without what they need, say
    try:
        yield one
    finally:
        one.end()
        shutil.rmtree(folder)


@pytest.fixture(scope="session", params=WHO)
def shared(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster without accounting that all tests of a process share."""
    yield from made(request.param, KILL_WAIT="10")


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """The shared cluster, with every daemon up and no job in it."""
    yield from settled(shared)


def settled(one: Cluster) -> Iterator[Cluster]:
    """Start what a test has ended, before and after; let no job outlive it."""
    one.start()
    yield one
    one.start()
    if left := one.jobs():
        one.attempt("scancel", "-f", "-s", "KILL", *left)
        one.attempt("scancel", *left)
        wait_until(lambda: not one.jobs(), "every job has ended")


@pytest.fixture
def on(bg: Cli, cluster: Cluster) -> Cli:
    """Bgrun in a project whose jobs run on the cluster."""
    return project(bg, cluster)


def project(bg: Cli, cluster: Cluster) -> Cli:
    """Return bgrun as the owner of a cluster calls it, in a project of theirs, whose jobs run there."""
    env = {**bg.env, **cluster.env, "BGRUN_ENGINE": "slurm"}
    owner = cluster.owner
    if not owner.become:
        return Cli(bg.folder, bg.command, env)
    # They cannot enter tmp_path. The parent of the project is theirs, too.
    home = owner.own(Path(tempfile.mkdtemp(prefix="project-", dir=cluster.folder)))
    command = [*owner.become, owner.python, "-m", "bgrun"]
    env.update({**dict(owner.env), "HOME": str(home), "TMPDIR": str(home)})
    return Cli(owner.own(home / "project"), command, env)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    """A cluster of shell scripts, on which every start runs."""
    made = Played(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("BGRUN_ENGINE", "slurm")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    return made
