"""A real cluster on loopback, for the tests of this folder: munged, slurmctld and three slurmd, without systemd.

BGRUN_SLURM=1 runs the part of the acceptance list that fits into a daily check, BGRUN_SLURM=full all of it. Without it,
or where Slurm is not installed, these tests are skipped and say why; what is pure is tested all the same.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

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
full = pytest.mark.skipif(WANTED != "full", reason="takes long: BGRUN_SLURM=full, as .ci/full does")


def missing() -> str:
    """Return why there can be no cluster here, or ''."""
    if not WANTED:
        return "set BGRUN_SLURM=1 to start a real cluster, as .ci/run does"
    path = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    absent = [name for name in NEEDED if shutil.which(name, path=path) is None]
    return f"no {', '.join(absent)} here: bash tests/slurm/cluster/start-slurm.sh " if absent else ""


class Cluster:
    """A cluster in a folder of its own; its daemons are ended by the PIDs that they wrote there."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        self.folder = folder
        given = {"BGRUN_SLURM_DIR": str(folder), "BGRUN_SLURM_NODES": str(NODES), "BGRUN_SLURM_PORT": str(port)}
        path = f"{os.environ['PATH']}:{SBIN}"
        self._env = {**os.environ, **given, **{f"BGRUN_SLURM_{key}": value for key, value in settings.items()}}
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
        words = ["bash", str(SCRIPTS / name), *args]
        done = subprocess.run(
            words, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
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
            wait_until(
                lambda: not os.path.exists(f"/proc/{pid}/exe") or not os.path.realpath(f"/proc/{pid}/exe"), daemon
            )

    def call(self, *words: str) -> str:
        """Run a command of Slurm, and return what it printed."""
        env = {**os.environ, **self.env}
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
        assert done.returncode == 0, done
        return done.stdout

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


def made(**settings: str) -> Iterator[Cluster]:
    """Start a cluster, and end it with everything in it."""
    if reason := missing():
        pytest.skip(reason)
    # The path of a socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="bgrun-slurm-", dir="/tmp"))
    folder.chmod(0o755)
    one = Cluster(folder, free_ports(NODES + 3) + 2, **settings)
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


@pytest.fixture(scope="session")
def shared() -> Iterator[Cluster]:
    """A cluster without accounting that all tests of a process share."""
    yield from made(KILL_WAIT="10")


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """The shared cluster, with every daemon up and no job in it."""
    shared.start()
    yield shared
    shared.start()
    if left := shared.jobs():
        subprocess.run(["scancel", "-f", "-s", "KILL", *left], env={**os.environ, **shared.env}, check=False)
        subprocess.run(["scancel", *left], env={**os.environ, **shared.env}, check=False)
        wait_until(lambda: not shared.jobs(), "every job has ended")


@pytest.fixture
def on(bg: Cli, cluster: Cluster) -> Cli:
    """Bgrun in a project whose jobs run on the cluster."""
    return Cli(bg.folder, bg.command, {**bg.env, **cluster.env, "BGRUN_ENGINE": "slurm"})


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    """A cluster of shell scripts, on which every start runs."""
    made = Played(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("BGRUN_ENGINE", "slurm")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    return made
