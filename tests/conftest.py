"""What all tests share: a fresh project folder, the command line as a person uses it, and the guards.

No test may touch anything outside its tmp_path, nor leave a process behind; the guards check that.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from bgrun.system import preflight
from tests import surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOP = Path(__file__).resolve().parent.parent
COMMAND = str(TOP / "tests" / "fixtures" / "command.py")
DEADLINE_S = 20.0
LIMITS_S = (1, 4, 16)
"""Time limits for what has to get somewhere before it meets its limit: the next one if others had the processor."""

surroundings.settle()

# The same examples each time: a change is judged by itself, not by luck. `--hypothesis-profile=random` looks for new ones.
# How long an example takes says who else uses the machine; Hypothesis judges by it, except where it sees CI.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", _UNTIMED, derandomize=True, database=None)
settings.register_profile("random", _UNTIMED, database=None, print_blob=True)
settings.load_profile("repeatable")

# What bgrun warns of where the tests are the first process of a PID namespace, as they may be in a container.
SANDBOX = "".join(f"warning: {one}\n" for one in preflight.doomed_sandbox())


def in_folder(max_examples: int) -> settings:
    """Return the settings of a test whose examples share a folder: each has to bear what the one before left."""
    unchecked = [*settings().suppress_health_check, HealthCheck.function_scoped_fixture]
    return settings(max_examples=max_examples, suppress_health_check=unchecked)


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = DEADLINE_S) -> Any:
    """Return what the condition gives once that is true; fail with the last value at the deadline."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"not within {timeout_s:g} s: {what}; last seen: {value!r}")
        time.sleep(0.01)
    return value


def without_sandbox(err: str) -> str:
    """Return what a command says on stderr but for the warning that is due where the tests themselves run."""
    return err.replace(SANDBOX, "") if SANDBOX else err


class Done:
    """A finished command: its exit code and what it printed."""

    def __init__(self, args: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> None:
        self.args = args
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = without_sandbox(done.stderr.decode("utf-8", "surrogateescape"))

    @property
    def json(self) -> Any:
        """The document that it printed."""
        try:
            return json.loads(self.out)
        except ValueError:
            pytest.fail(f"no JSON document from {self}")

    def __repr__(self) -> str:
        return f"<bgrun {' '.join(self.args)!r} -> {self.code}\nout: {self.out}\nerr: {self.err}>"


class Cli:
    """bgrun, as it is called from a folder."""

    def __init__(self, folder: Path, command: list[str], env: dict[str, str]) -> None:
        self.folder = folder
        self.command = command
        self.env = env

    @property
    def logs(self) -> Path:
        return self.folder / ".logs"

    def __call__(self, *args: str, code: int | None = 0, cwd: Path | None = None, **env: str) -> Done:
        """Run a command; unless `code` is None its exit code has to be that."""
        ran = subprocess.run(
            [*self.command, *args],
            cwd=cwd or self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        done = Done(args, ran)
        assert code is None or done.code == code, done
        assert "Traceback" not in done.err, done
        return done

    def json(self, *args: str, code: int | None = 0, **env: str) -> Any:
        """Run a command with --json and return its document."""
        where = args.index("--") if "--" in args else len(args)
        return self(*args[:where], "--json", *args[where:], code=code, **env).json

    def start(self, label: str, script: str) -> dict[str, Any]:
        """Start a shell command in the background and return its run."""
        run: dict[str, Any] = self.json("run", label, "--", "bash", "-c", script)
        return run

    def state(self, ref: str) -> dict[str, Any]:
        """Return a run as `status` tells it."""
        run: dict[str, Any] = self.json("status", ref)["runs"][0]
        return run

    def ended(self, ref: str, timeout: str = "20s") -> dict[str, Any]:
        """Return a run once it has ended."""
        run: dict[str, Any] = self.json("wait", ref, "--timeout", timeout, code=None)["runs"][0]
        assert run["state"] not in ("queued", "running"), run
        return run

    def meta(self, run: dict[str, Any]) -> dict[str, str]:
        """Return the facts in a run's meta file."""
        lines = Path(run["meta"]).read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def jobs(self, text: str) -> None:
        """Write the job file."""
        (self.folder / "bgjobs.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def clean_env(tmp_path: Path) -> dict[str, str]:
    """An environment whose home and temporary files are inside tmp_path."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("BGRUN_", "PYTEST_"))}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that a test starts may fill the real home, or go by what is there."""
    surroundings.move_in(tmp_path_factory.mktemp("home"), _shared(tmp_path_factory))


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this session, the same for all its workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture
def bg(tmp_path: Path, clean_env: dict[str, str]) -> Cli:
    """Bgrun from this checkout, in an empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    return Cli(folder, [sys.executable, COMMAND], clean_env)


@pytest.fixture
def project_venv(bg: Cli) -> Path:
    """The `bgrun` in a virtual environment of the project, which runs the code of this checkout."""
    venv.create(bg.folder / ".venv", symlinks=True)
    programs = bg.folder / ".venv" / "bin"
    packages = next((bg.folder / ".venv" / "lib").glob("python*")) / "site-packages"
    (packages / "checkout.pth").write_text(
        "\n".join([str(TOP), *(path for path in sys.path if path)]), encoding="utf-8"
    )
    script = programs / "bgrun"
    script.write_text(
        f"#!{programs}/python\nimport sys\nfrom bgrun.__main__ import main\nsys.exit(main())\n", encoding="utf-8"
    )
    script.chmod(0o755)
    return script


@pytest.fixture(scope="session")
def bgrun_bin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a `bgrun` that was installed from a wheel into a fresh venv."""
    shared = _shared(tmp_path_factory)
    venv = shared / "installed"
    with (shared / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / "done").exists():
            install_wheel(Path(sys.executable), venv, build_wheel(shared / "wheel"))
            (venv / "done").touch()
    return venv / "bin"


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into a folder."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(TOP)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def install_wheel(python: Path, venv: Path, wheel: Path) -> None:
    """Make a venv and install a wheel into it, with its dependencies."""
    subprocess.run([python, "-m", "venv", str(venv)], check=True, capture_output=True)
    pip_install(venv, f"{wheel}[mcp]")


def pip_install(venv: Path, *what: str) -> None:
    """Install into a venv; what pip says is told if it fails."""
    done = subprocess.run([venv / "bin" / "pip", "install", "-q", *what], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- guards -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_process_left(tmp_path: Path) -> Iterator[None]:
    """Fail a test whose jobs outlive it, and end those jobs: they carry the mark of its folder."""
    before = _waited_for()
    yield
    if not _has_children() and _waited_for() == before:
        return  # it started nothing
    end = time.monotonic() + DEADLINE_S
    while (left := _marked(tmp_path)) and time.monotonic() < end:
        time.sleep(0.01)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
    assert not left, f"the test left processes behind: {left}"


def _waited_for() -> tuple[float, ...]:
    """What processes that were started from here used, as far as they were waited for: any one has page faults."""
    return tuple(resource.getrusage(resource.RUSAGE_CHILDREN))


def _has_children() -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _marked(folder: Path) -> list[psutil.Process]:
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if not _may_be_of(pid, folder):
                continue
            process = psutil.Process(pid)
            ours = process.environ().get("BGRUN_LOG_DIR", "").startswith(f"{folder}/")
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _may_be_of(pid: int, folder: Path) -> bool:
    """Return whether a process may have the mark of a folder: every test looks at every process of the machine."""
    if not os.path.isdir("/proc/self"):
        return True
    with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
        return os.fsencode(f"BGRUN_LOG_DIR={folder}/") in file.read()


@pytest.fixture(autouse=True)
def _nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that makes or removes anything at the top of this checkout, or a file of bgrun's in the real home."""
    before = _outside()
    monkeypatch.chdir(tmp_path)
    yield
    assert _outside() == before, "the test changed something outside its tmp_path"


def _outside() -> list[set[str]]:
    """In the real home any other program of this user may come and go: there only what bgrun could make counts."""
    at_home = {name for name in _names(surroundings.real_home()) if name in (".logs", "bgjobs.yaml") or "bgrun" in name}
    return [_names(TOP) - {".pytest_cache", ".mypy_cache", ".ruff_cache", "__pycache__"}, at_home]


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder of the programs of other people's clients (see tests/clients/package.json), put there by .ci/run."""
    folder = surroundings.setting("BGRUN_CLIENTS") or TOP / ".ci" / "clients"
    programs = Path(folder).resolve() / "node_modules" / ".bin"
    if not (programs / "mcp-inspector").exists():
        reported = f"no clients in {programs}: bash scripts/install_clients.sh .ci/clients"
        pytest.fail(reported) if surroundings.setting("BGRUN_REQUIRE_CLIENTS") else pytest.skip(reported)
    return programs
