"""bgrun as a user has it: installed from a wheel, on every CPython of this machine, in a repository of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import surroundings
from tests.conftest import TOP, Cli, build_wheel, install_wheel, pip_install
from tests.surroundings import real_home

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def pythons() -> dict[str, Path]:
    """Return each supported CPython that is to be found: on PATH, or where pyenv keeps them."""
    roots = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT", real_home() / ".pyenv"))
    if os.access(pyenv, os.R_OK | os.X_OK):
        roots += sorted(pyenv.glob("versions/*/bin"))
    found: dict[str, Path] = {}
    for version in VERSIONS:
        named = (root / f"python{version}" for root in roots)
        usable = (path for path in named if os.access(path, os.X_OK) and _answers(path, version))
        if path := next(usable, None):
            found[version] = path
    return found


def _answers(path: Path, version: str) -> bool:
    """A pyenv shim is there for versions that are not; only one that runs counts."""
    asked = [path, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


FOUND = pythons()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_works_on(version: str, tmp_path: Path, clean_env: dict[str, str]) -> None:
    if version not in FOUND:
        pytest.skip(f"there is no CPython {version} on this machine")
    daily = (next(iter(FOUND)), f"{sys.version_info.major}.{sys.version_info.minor}")
    if version not in daily and not surroundings.setting("BGRUN_REQUIRE_INSTALLERS"):
        pytest.skip("`.ci/full installers` runs it; every day the oldest version and this one")
    install_wheel(FOUND[version], tmp_path / "venv", build_wheel(tmp_path / "wheel"))
    check(Cli(tmp_path, [str(tmp_path / "venv" / "bin" / "bgrun")], clean_env))
    check(Cli(tmp_path, [str(tmp_path / "venv" / "bin" / "python"), "-m", "bgrun"], clean_env))


def check(bg: Cli) -> None:
    """Go once through everything that depends on what was installed."""
    bg.jobs("jobs: {x: {command: 'echo hello; exit 3'}}\ngroups: {g: {jobs: [x]}}")
    bg("validate")
    bg("start", "x", "--exit-code", code=3)
    assert bg("logs", "x").out == "hello\n"
    bg("group", "g", "--wait", code=1)
    run = bg.json("run", "slow", "--", "sleep", "300")
    assert bg.json("stop", "slow")["runs"][0]["state"] == "stopped"
    assert run["state"] == "running"
    assert '"$id": "bgjobs.schema.json"' in bg("schema").out
    assert "bgjobs.yaml unchanged" in bg("init").err
    assert "complete -c bgrun" in bg("completion", "fish").out


def test_a_path_with_a_blank(tmp_path: Path, clean_env: dict[str, str]) -> None:
    """A venv in `My Projects`, in another script, and the command linked from elsewhere as pipx does it."""
    venv = tmp_path / "a b" / "it's a vénv 環境"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
    pip_install(venv, "--no-deps", str(build_wheel(tmp_path / "wheel")))
    # What bgrun depends on is that of this interpreter: to install it once more would take minutes.
    packages = [path for path in sys.path if path.endswith("-packages")]
    own = next(venv.glob("lib/python*/site-packages"))
    (own / "borrowed.pth").write_text("\n".join(packages))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bgrun").symlink_to(venv / "bin" / "bgrun")
    project = tmp_path / "ein Projekt für 試"
    project.mkdir()
    for command in ([venv / "bin" / "bgrun"], [tmp_path / "bin" / "bgrun"], [venv / "bin" / "python", "-m", "bgrun"]):
        check(Cli(project, list(map(str, command)), clean_env))


def test_the_command_loads_what_the_module_does_and_no_more(bgrun_bin: Path, clean_env: dict[str, str]) -> None:
    """What the installer puts before it is its own: pip 26 imports `sys`, an old one `re` as well (6 ms)."""
    look = ["-X", "importtime", "-c", "import bgrun.__main__, bgrun.cli.app"]
    done = subprocess.run([bgrun_bin / "python", *look], env=clean_env, capture_output=True, text=True, check=True)
    assert not {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()} & {
        "re",
        "typing",
        "click",
        "importlib.metadata",
    }
    text = (bgrun_bin / "bgrun").read_text()
    assert "from bgrun.__main__ import main" in text
    assert "importlib.metadata" not in text
    assert "pkg_resources" not in text


@pytest.mark.parametrize("kind", ["sdist", "editable", "checkout"])
def test_other_ways_to_have_it(kind: str, tmp_path: Path, clean_env: dict[str, str]) -> None:
    """An sdist carries all it needs; a bare checkout works with the packages it depends on."""
    source = tmp_path / "source"
    env = dict(clean_env)
    if kind == "sdist":
        build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(TOP)]
        subprocess.run(build, check=True, capture_output=True)
        archive = next(tmp_path.glob("*.tar.gz"))
        subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path)], check=True)
        source = tmp_path / archive.name.removesuffix(".tar.gz")
    else:
        subprocess.run(["cp", "-r", str(TOP / "bgrun"), str(TOP / "schemas"), str(tmp_path)], check=True)
        source = tmp_path
    if kind == "editable":
        for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py"):
            (tmp_path / name).write_bytes((TOP / name).read_bytes())
        venv = tmp_path / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(venv)], check=True)
        pip_install(venv, "-e", str(source))
        command = [str(venv / "bin" / "bgrun")]
    else:
        env["PYTHONPATH"] = str(source)
        command = [sys.executable, "-m", "bgrun"]
    project = tmp_path / "project"
    project.mkdir()
    check(Cli(project, command, env))
