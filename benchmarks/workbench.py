"""Where the benchmarks work: a temporary folder, one environment for all that is started, and an end for it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

MARK = "BGRUN_BENCHMARK"
LONGEST_S = 120
"""No single step takes longer; one that does has failed."""


class MeasuringError(Exception):
    """A step did not do what was to be measured."""


class Options(NamedTuple):
    """What was asked for."""

    rounds: int
    histories: tuple[int, ...]
    log_bytes: int
    asleep_s: float

    @property
    def half(self) -> int:
        """How often something is measured that takes a second or two."""
        return min(self.rounds, max(3, self.rounds // 2))

    @property
    def seldom(self) -> int:
        """How often something is measured that takes longer."""
        return min(self.rounds, max(3, self.rounds // 5))


class Figure(NamedTuple):
    """Something measured; `ratio` is to what the table of its part says."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    note: str = ""


class Spent(NamedTuple):
    """The cost of a command: seconds of processor time, seconds that passed, MiB of memory at most."""

    used_s: float
    took_s: float
    mib: float


class Workbench:
    """A temporary folder with the processes that were started from it; both are gone at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bgrun-benchmark-"))
        self.bgrun = str(Path(sys.executable).with_name("bgrun"))
        self.notes: list[str] = []
        self._mark = uuid.uuid4().hex
        self.env = self._environment()

    def _environment(self) -> dict[str, str]:
        """Return the environment of all that is measured.

        PYTHONDONTWRITEBYTECODE, common in containers, would have every module of an editable install compiled
        anew at each start: nobody's installation is like that. So no PYTHON* variable is handed on.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        for name in ("tmp", "nq", "parallel", "state"):
            (self.folder / name).mkdir()
        return {
            **kept,
            MARK: self._mark,
            "TMPDIR": str(self.folder / "tmp"),
            "TS_SOCKET": str(self.folder / "tsp.socket"),
            "NQDIR": str(self.folder / "nq"),
            "PARALLEL_HOME": str(self.folder / "parallel"),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    def close(self) -> None:
        """End what still runs and remove the folder."""
        self.end_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tell(self, text: str) -> None:
        """Say on standard error how far it is."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def call(self, command: list[str], cwd: Path | None = None, ok: tuple[int, ...] = (0,)) -> None:
        """Run a command to its end, its output thrown away.

        The wait has no timeout of its own: `subprocess` polls then, in steps of up to 50 ms. Standard error goes
        to a file, since a pipe would also wait for whatever was left running with it.

        Raises:
            MeasuringError: its exit code is none of `ok`, or it took too long.
        """
        with (self.folder / "stderr").open("w+b") as errors, bounded(LONGEST_S):
            child = subprocess.Popen(
                command,
                cwd=cwd or self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            try:
                code = child.wait()
            finally:
                child.kill()
                child.wait()
            if code not in ok:
                errors.seek(0)
                raise MeasuringError(
                    f"exit {code} of {' '.join(command)}: {errors.read(2000).decode(errors='replace')}"
                )

    def spend(self, command: list[str], cwd: Path, code: int = 0) -> Spent:
        """Run a command to its end, its output thrown away, and return what it cost, with what it waited for.

        Raises:
            MeasuringError: it ended with another exit code.
        """
        begun = time.perf_counter()
        quiet = subprocess.DEVNULL
        child = subprocess.Popen(command, cwd=cwd, env=self.env, stdin=quiet, stdout=quiet, stderr=quiet)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != code:
            raise MeasuringError(f"exit {child.returncode} of {' '.join(command)}")
        return Spent(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss / 1024)

    def read(self, command: list[str], cwd: Path) -> str:
        """Run a command, untimed, and return its output."""
        done = subprocess.run(
            command, cwd=cwd, env=self.env, check=False, capture_output=True, text=True, timeout=LONGEST_S
        )
        if done.returncode:
            raise MeasuringError(f"exit {done.returncode} of {' '.join(command)}: {done.stderr[:2000]}")
        return done.stdout.strip()

    def started(self, *names: str) -> list[psutil.Process]:
        """Return the processes that were started from here and still live, those of these names only."""
        return [one for one in psutil.process_iter() if self._is_ours(one) and (not names or one.name() in names)]

    def _is_ours(self, one: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return one.environ().get(MARK) == self._mark and one.status() != psutil.STATUS_ZOMBIE
        return False

    def end_all(self) -> None:
        """Kill what was started from here and still lives, each by its pid, until nothing is left."""
        for _ in range(10):
            if not (left := self.started()):
                return
            for one in left:
                with contextlib.suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(left, timeout=5)
        self.notes.append(f"could not be ended: {[one.pid for one in self.started()]}")


@contextlib.contextmanager
def opened() -> Iterator[Workbench]:
    """Give a workbench and close it at the end, however that comes: SIGTERM too has to leave nothing behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    bench = Workbench()
    try:
        yield bench
    finally:
        bench.close()


@contextlib.contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise `MeasuringError` inside the block once so many seconds are over."""

    def over(_: int, __: FrameType | None) -> None:
        raise MeasuringError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
