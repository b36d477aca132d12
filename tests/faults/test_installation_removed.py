"""Fault 15: bgrun itself is removed, rebuilt, moved or upgraded by a job, while its supervisor lives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.bytecode import bundle, contents
from tests.conftest import TOP, Cli, wait_until
from tests.test_rooms import imports

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = """
jobs:
  single: {command: "{BREAK}; sleep 300", timeout: 2s}
  hooked: {command: "{BREAK}; sleep 300", timeout: 2s, on_finish: ['echo $BGRUN_STATE >> {OUT}/hooked']}
  breaks: {command: "{BREAK}; exit 0"}
  after: {command: "echo after >> {OUT}/ran", depends_on: [breaks]}
  bad: {command: "exit 3", depends_on: [breaks], on_failure: ['echo bad $BGRUN_EXIT_CODE >> {OUT}/hooked']}
  held: {command: "{BREAK}; until [ -e {OUT}/go ]; do sleep 0.05; done", concurrency: {group: g}}
  waits: {command: "echo waits >> {OUT}/ran", concurrency: {group: g}}
  kept: {command: "{BREAK}", retention: {max_runs: 2}}
  slow: {command: "{BREAK}; until [ -e {OUT}/go ]; do sleep 0.05; done; exit 5", stop_grace_period: 200ms}
groups:
  g: {jobs: [after, bad]}
  line: {jobs: [held, waits]}
"""
WAYS = {
    "removed": "rm -rf {V}",
    "rebuilt": "rm -rf {V} && {python} -m venv --without-pip {V}",
    "moved": "mv {V} {V}.moved && mkdir -p {V}/lib",
    "upgraded": """
        for file in $(find {S}/bgrun -name '*.py'); do echo 'raise SystemError' > $file; done
        find {S}/bgrun -name __pycache__ -prune -exec rm -rf {{}} ';'
    """,
    # In the same file, which is open: as by `cp -r` of another installation over this one.
    "written over": "for file in {S}/bgrun/__pycache__/*.bundle.pyc; do head -c 2000000 /dev/zero >$file; done",
}


class Installed(Cli):
    """Bgrun in a venv of its own, which a job may break in one way."""

    def __init__(self, folder: Path, venv: Path, env: dict[str, str]) -> None:
        super().__init__(folder, [str(venv / "bin" / "python"), "-m", "bgrun"], env)
        self.venv = venv
        self.safe = Cli(folder, [sys.executable, "-m", "bgrun"], env)

    def begin(self, command: str, name: str) -> dict[str, Any]:
        """Start something; the command line may be gone before it has told so, but what it started is not."""
        self(command, name, code=None)
        return self.safe.state(name)

    @property
    def is_broken(self) -> bool:
        """Whether a job has done its worst."""
        return (self.folder / "broken").exists()


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with bgrun in it, compiled as an installer leaves it: each test breaks a copy."""
    venv = tmp_path_factory.mktemp("master") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    site = site_of(venv)
    shutil.copytree(TOP / "bgrun", site / "bgrun", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOP / "schemas", site / "bgrun" / "schemas", dirs_exist_ok=True)
    subprocess.run([sys.executable, "-m", "compileall", "-q", site / "bgrun"], check=True)
    (site / "others.pth").write_text(str(Path(psutil.__file__).parent.parent))
    return venv


def site_of(venv: Path) -> Path:
    return venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


@pytest.fixture(params=sorted(WAYS))
def installed(request: pytest.FixtureRequest, master: Path, tmp_path: Path, clean_env: dict[str, str]) -> Installed:
    venv = tmp_path / "venv"
    shutil.copytree(master, venv, symlinks=True)
    site = site_of(venv)
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    breaks = WAYS[request.param].format(V=venv, S=site, python=os.path.realpath(sys.executable))
    (tmp_path / "break").write_text(f"{breaks}\ntouch broken\n")
    jobs = JOBS.replace("{BREAK}", f"sh {tmp_path}/break").replace("{OUT}", str(tmp_path))
    env = {name: value for name, value in clean_env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    made = Installed(project, venv, env)
    made.jobs(jobs)
    made("jobs")
    made("run", "first", "--wait", "--", "true")
    assert list((site / "bgrun" / "__pycache__").glob("*.bundle.pyc")), "commands import from it"
    return made


def text(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1] if path.exists() else []


def no_fault(bg: Cli) -> None:
    noted = bg.logs / ".supervisor.err"
    assert not noted.exists(), noted.read_text()


def test_the_timeout_of_a_single_run(installed: Installed) -> None:
    installed.begin("start", "single")
    ended = installed.safe.ended("single")
    assert (ended["state"], ended["exit_code"]) == ("timed_out", 143)
    no_fault(installed)


def test_whoever_waits_gets_the_verdict(installed: Installed) -> None:
    """Without a summary, for which more of bgrun is needed than a wait has loaded."""
    command = f"sh {installed.folder.parent}/break; until [ -e go ]; do sleep 0.05; done; exit 5"
    words = [*installed.command, "run", "w", "--wait", "--exit-code", "--", "bash", "-c", command]
    waiting = subprocess.Popen(
        words, cwd=installed.folder, env=installed.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: installed.is_broken, "the job broke it")
    (installed.folder / "go").touch()
    out, err = waiting.communicate(timeout=120)
    assert waiting.returncode == 5, (out, err)
    assert "failed w_" in out, (out, err)
    assert "Traceback" not in err, (out, err)
    no_fault(installed)


def test_hooks(installed: Installed, tmp_path: Path) -> None:
    installed.begin("start", "hooked")
    assert installed.safe.ended("hooked")["state"] == "timed_out"
    wait_until(lambda: text(tmp_path / "hooked") == ["timed_out"], "the hook was called")
    no_fault(installed)


def test_dependants_and_their_hooks(installed: Installed, tmp_path: Path) -> None:
    installed.begin("group", "g")
    assert installed.safe.ended("g")["state"] == "failed"
    assert [installed.safe.state(job)["state"] for job in ("breaks", "after", "bad")] == [
        "succeeded",
        "succeeded",
        "failed",
    ]
    wait_until(lambda: text(tmp_path / "hooked") == ["bad 3"], "the hook was called")
    no_fault(installed)


def test_the_line_before_a_concurrency_group(installed: Installed, tmp_path: Path) -> None:
    installed.begin("group", "line")
    wait_until(lambda: installed.is_broken, "the job broke it")
    (tmp_path / "go").touch()
    assert installed.safe.ended("line")["state"] == "succeeded"
    assert text(tmp_path / "ran") == ["waits"]
    no_fault(installed)


def test_retention(installed: Installed) -> None:
    older = [installed.safe.json("run", "kept", "--wait", "--", "true")["run_id"] for _ in range(2)]
    installed.begin("start", "kept")
    metas = [installed.logs / f"{run_id}.meta" for run_id in older]
    wait_until(lambda: not metas[0].exists(), "the oldest run goes")
    assert metas[1].exists()
    no_fault(installed)


@pytest.mark.parametrize("slim", [False, True], ids=["at once", "once it is slim"])
def test_a_stop(installed: Installed, slimmed: Callable[[dict[str, Any]], int], slim: bool) -> None:
    run = installed.begin("start", "slow")
    wait_until(lambda: installed.is_broken, "the job broke it")
    if slim:
        slimmed(run)
    stopped = installed.safe.json("stop", "slow")["runs"][0]
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 143)
    no_fault(installed)


def test_the_code_and_what_it_used(
    installed: Installed, slimmed: Callable[[dict[str, Any]], int], tmp_path: Path
) -> None:
    slimmed(installed.begin("start", "slow"))
    (tmp_path / "go").touch()
    ended = installed.safe.ended("slow")
    assert (ended["state"], ended["exit_code"]) == ("failed", 5)
    assert "max_rss_kb" in installed.safe.meta(ended)
    no_fault(installed)


def test_a_copy_is_kept_of_all_that_a_supervisor_may_import() -> None:
    """Wherever in a module it is imported; what is missing here belongs into the lists of `bundle`."""
    needed: set[str] = set()
    waiting = ["bgrun.local.launch.begin"]
    while waiting:
        name = waiting.pop()
        path = TOP / f"{name.replace('.', '/')}.py"
        if name not in needed and path.exists():
            needed.add(name)
            waiting += imports(path)
    assert needed <= set(contents.SUPERVISOR)


def test_it_stays_as_it_is_where_the_interpreter_is_gone(tmp_path: Path) -> None:
    base = bundle.Base()
    assert base.is_there()
    gone = tmp_path / "python"
    gone.touch()
    base.marks[str(gone)] = bundle.mark_of(str(gone))
    assert base.is_there()
    gone.write_text("another one")
    assert not base.is_there()
    gone.unlink()
    assert not base.is_there()
