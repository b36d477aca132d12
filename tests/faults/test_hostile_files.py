"""Fault 8: hostile labels, and files replaced by something else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.mark.parametrize(
    "label",
    ["", ".", "..", "../x", "a/b", "-x", ".x", "a b", "a\nb", "ü", "a" * 101, "a\x1b[31m", "$(id)", "a*", "a\n"],
)
def test_a_label_that_is_no_file_name_is_refused(bg: Cli, label: str) -> None:
    done = bg("run", label, "--", "true", code=2)
    assert done.err.startswith("error: ")
    assert "\x1b" not in done.err
    assert not bg.logs.exists() or not list(bg.logs.glob("*.meta"))


def link_away(bg: Cli, name: str, tmp_path: Path) -> Path:
    """Replace something in the project by a link to a folder or file elsewhere."""
    away = tmp_path / "elsewhere"
    inside = bg.folder / name
    os.rename(inside, away)
    inside.symlink_to(away)
    return away


def contents(path: Path) -> dict[str, bytes]:
    return (
        {str(p): p.read_bytes() for p in path.rglob("*") if p.is_file()} if path.is_dir() else {"": path.read_bytes()}
    )


@pytest.mark.parametrize("name", [".logs", ".logs/jobs"])
def test_a_log_directory_that_is_a_link_is_refused(bg: Cli, name: str, tmp_path: Path) -> None:
    bg("run", "x", "--wait", "--", "true")
    away = link_away(bg, name, tmp_path)
    before = contents(away)
    for command in (("run", "x", "--", "true"), ("status", "x"), ("list",), ("rerun", "x"), ("prune",)):
        assert "symbolic link" in bg(*command, code=2).err
    assert contents(away) == before


@pytest.mark.parametrize("kind", ["meta", "log", "exit", "sh"])
def test_a_file_of_a_run_that_is_a_link_is_refused(bg: Cli, kind: str, tmp_path: Path) -> None:
    bg("run", "x", "--wait", "--", "echo", "hello")
    stem = bg.state("x")["run_id"]
    name = f".logs/jobs/{stem}.sh" if kind == "sh" else f".logs/{stem}.{kind}"
    away = link_away(bg, name, tmp_path)
    before = contents(away)
    command = {"meta": ("status", "x"), "log": ("logs", "x"), "exit": ("status", "x"), "sh": ("rerun", "x")}[kind]
    done = bg(*command, code=None)
    assert done.code == 2 or kind == "exit", done  # the meta already has the exit code
    assert contents(away) == before
    bg("run", "y", "--wait", "--", "true")


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
@pytest.mark.parametrize("name", ["{}.exit", ".{}.stop", ".{}.exit", ".{}.meta"])
def test_the_supervisor_lives_through_odd_files_in_its_way(bg: Cli, kind: str, name: str, tmp_path: Path) -> None:
    run = bg.start("x", "until [ -e go ]; do sleep 0.02; done; exit 3")
    odd = bg.logs / name.format(run["run_id"])
    odd.unlink(missing_ok=True)
    make = {"link": lambda: odd.symlink_to(tmp_path / "elsewhere"), "fifo": lambda: os.mkfifo(odd), "folder": odd.mkdir}
    make[kind]()
    assert bg("wait", "x", "--timeout", "0s", code=124)
    (bg.folder / "go").touch()
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert not (tmp_path / "elsewhere").exists()
    assert not (bg.logs / ".supervisor.err").exists()
    if name != "{}.exit":
        assert (bg.logs / f"{run['run_id']}.exit").read_text() == "3\n"


def test_a_fifo_in_the_place_of_a_log_hangs_nobody(bg: Cli) -> None:
    bg("run", "x", "--wait", "--", "true")
    log = Path(bg.state("x")["log"])
    log.unlink()
    os.mkfifo(log)
    assert "not a regular file" in bg("logs", "x", code=2).err


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_files_are_0600_directories_and_scripts_0700_whatever_the_umask(bg: Cli, umask: int) -> None:
    before = os.umask(umask)
    try:
        bg.jobs("jobs: {a: {command: 'true'}, b: {command: sleep 0.05}}\ngroups: {g: {jobs: [a, b]}}")
        os.chmod(bg.folder / "bgjobs.yaml", 0o600)
        bg("run", "x", "--wait", "--", "echo", "hello")
        bg("group", "g", "--wait")
        bg("stop", "x")
    finally:
        os.umask(before)
    # A symbolic link has no mode of its own, and the folder that some are in is closed.
    paths = [path for path in [bg.logs, *bg.logs.rglob("*")] if not path.is_symlink()]
    modes = {path: path.stat().st_mode & 0o777 for path in paths}
    wrong = {str(p): oct(m) for p, m in modes.items() if m != (0o700 if p.is_dir() or p.suffix == ".sh" else 0o600)}
    assert wrong == {}
    assert len(modes) > 10


def test_a_directory_whose_programs_may_not_be_run(bg: Cli) -> None:
    """A job script is launched as `sh FILE`: it needs no right to be run."""
    mount = f"mount -t tmpfs -o noexec tmpfs {bg.folder}"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    words = " ".join(bg.command)
    line = (
        f"{mount} && cd {bg.folder} && {words} run x --wait -- sh -c 'exit 3'; echo $?; {words} rerun x --wait; echo $?"
    )
    reported = subprocess.run(
        ["unshare", "-m", "sh", "-c", line], env=bg.env, capture_output=True, text=True, check=True
    )
    assert [word for word in reported.stdout.split() if word.isdigit()] == ["1", "1"], reported
    assert reported.stdout.count(" exit=3 ") >= 2


def test_the_job_has_the_callers_umask(bg: Cli) -> None:
    before = os.umask(0o027)
    try:
        bg("run", "x", "--wait", "--", "touch", "made")
    finally:
        os.umask(before)
    assert (bg.folder / "made").stat().st_mode & 0o777 == 0o640
