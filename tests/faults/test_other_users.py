"""Fault 15: log directories and files of other users, sudo, and directories that bgrun did not make."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.errors import StorageError
from bgrun.system import directories
from tests.conftest import TOP, Cli, wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator


def modes(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mode for path in (folder, *folder.iterdir())}


# --- directories that bgrun did not make -------------------------------------------------------


@pytest.mark.parametrize("holds", [[], ["other.log"], ["jobs/mine.txt"], ["main.c", ".hidden"]])
@pytest.mark.parametrize("mode", [0o755, 0o700, 0o750])
def test_a_directory_that_exists_is_used_as_it_is(bg: Cli, holds: list[str], mode: int) -> None:
    bg.jobs("log_dir: varlog\njobs: {a: {command: echo hi}}")
    folder = bg.folder / "varlog"
    folder.mkdir()
    for name in holds:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("theirs")
    folder.chmod(mode)
    before = modes(folder)
    bg("start", "a", "--wait")
    bg("prune")
    assert {path: mode for path, mode in modes(folder).items() if path in before} == before
    assert not (folder / ".gitignore").exists()
    assert all((folder / name).read_text() == "theirs" for name in holds)
    assert bg("logs", "a").out == "hi\n"


def test_a_directory_that_bgrun_makes_is_closed_and_hidden_from_git(bg: Cli) -> None:
    bg("run", "x", "--wait", "--", "true")
    assert bg.logs.stat().st_mode & 0o777 == (bg.logs / "jobs").stat().st_mode & 0o777 == 0o700
    assert (bg.logs / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("name", [".logs", ".logs/jobs"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_directory_that_others_may_write_in_is_refused_with_the_remedy(bg: Cli, name: str, mode: int) -> None:
    bg.folder = bg.folder / "a b's"
    bg.folder.mkdir()
    run_id = bg.json("run", "x", "--wait", "--", "true")["run_id"]
    folder = bg.folder / name
    folder.chmod(mode)
    before = sorted(bg.logs.rglob("*"))
    by_id = [(word, run_id) for word in ("status", "wait", "logs", "report", "follow", "stop", "rerun", "latest")]
    for command in (("run", "x", "--", "true"), ("rerun", "x"), ("status", "x"), ("list",), ("prune",), *by_id):
        done = bg(*command, code=2)
        assert done.err.startswith(f"error: {folder} is writable by other users"), done
        assert "chmod go-w " in done.err
    assert sorted(bg.logs.rglob("*")) == before
    remedy = done.err.split("in it: ")[1].split(";")[0]
    subprocess.run(["sh", "-c", remedy], check=True)
    assert bg.state("x")["state"] == "succeeded"
    bg("rerun", "x", "--wait")


def test_a_directory_that_the_own_private_group_may_write_in_is_used(bg: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    bg.logs.mkdir()
    bg.logs.chmod(0o775)
    assert directories._is_private(os.stat(bg.logs).st_gid, os.geteuid()) == _own_group_is_private()
    if _own_group_is_private():
        bg("run", "x", "--wait", "--", "true")
        assert bg.logs.stat().st_mode & 0o777 == 0o775
    monkeypatch.setattr(directories, "_is_private", lambda *_: False)
    with pytest.raises(StorageError, match="writable by the group with gid"):
        directories.check_log_dir(str(bg.logs))
    with pytest.raises(StorageError, match="writable by the group with gid"):
        directories.ensure_log_dir(str(bg.logs))


def _own_group_is_private() -> bool:
    import grp
    import pwd

    user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(os.getegid())
    return (group.gr_name, group.gr_gid) == (user.pw_name, user.pw_gid) and set(group.gr_mem) <= {user.pw_name}


@pytest.mark.parametrize(
    ("name", "gid", "members", "private"),
    [
        ("ann", 1000, [], True),
        ("ann", 1000, ["ann"], True),
        ("ann", 1000, ["ann", "bob"], False),
        ("staff", 1000, [], False),
        ("ann", 1001, [], False),
    ],
)
def test_a_private_group_has_the_name_of_its_only_member(
    monkeypatch: pytest.MonkeyPatch, name: str, gid: int, members: list[str], private: bool
) -> None:
    import grp
    import pwd

    ann = pwd.struct_passwd(("ann", "x", 1000, 1000, "", "/home/ann", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: ann)
    monkeypatch.setattr(grp, "getgrgid", lambda asked: grp.struct_group((name, "x", asked, members)))
    assert directories._is_private(gid, 1000) == private


def test_a_user_without_an_account_has_the_group_of_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def nobody(uid: int) -> Any:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert directories._is_private(4711, 4711)
    assert not directories._is_private(4712, 4711)


# --- two users ---------------------------------------------------------------------------------

ANN, BOB = 64001, 64002
MAIN = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); from bgrun.__main__ import main; main()"


class Users:
    """A directory that plain users can reach, and bgrun as they and root call it in a project of Ann's."""

    def __init__(self, folder: Path, python: str, env: dict[str, str]) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.project.mkdir()
        os.chown(self.project, ANN, ANN)
        paths = ":".join([str(TOP), *(path for path in sys.path if path.endswith("site-packages"))])
        call = [python, "-c", MAIN, paths]
        env = {**env, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.ann, self.bob = (Cli(self.project, [*as_user(uid), *call], env) for uid in (ANN, BOB))
        self.root = Cli(self.project, call, env)

    @property
    def logs(self) -> Path:
        return self.project / ".logs"

    def owners(self) -> set[int]:
        return {path.lstat().st_uid for path in (self.logs, *self.logs.rglob("*"))}


def as_user(uid: int) -> list[str]:
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]


def python_of_all() -> str:
    """Return an interpreter that plain users can run with this checkout, or ''."""
    look = "import sys; sys.path.insert(0, sys.argv[1]); import bgrun.cli, bgrun.local.launch.begin"
    for python in (sys.executable, *filter(None, map(shutil.which, ("python3", "/usr/bin/python3")))):
        with contextlib.suppress(OSError):
            words = [*as_user(ANN), python, "-B", "-c", look, str(TOP)]
            if not subprocess.run(words, cwd="/", capture_output=True, check=False).returncode:
                return python
    return ""


@pytest.fixture
def users(clean_env: dict[str, str]) -> Iterator[Users]:
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv(1), to be several users")
    if not (python := python_of_all()):
        pytest.skip("no interpreter that a plain user can run with this checkout")
    # Not in tmp_path, which pytest closes to other users.
    folder = Path(tempfile.mkdtemp(prefix="bgrun-users-"))
    folder.chmod(0o777)
    try:
        yield Users(folder, python, clean_env)
    finally:
        end_all_below(folder)
        shutil.rmtree(folder)


def end_all_below(folder: Path) -> None:
    """End the processes that runs in this directory have left, if a test failed."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("BGRUN_LOG_DIR", "").startswith(f"{folder}/"):
                process.kill()


def test_root_looks_at_and_stops_a_run_of_a_user(users: Users) -> None:
    run = users.ann.start("x", "trap 'exit 9' TERM; touch ready; while :; do sleep 0.02; done")
    wait_until((users.project / "ready").exists, "the job to run")
    assert users.root.state("x")["state"] == "running"
    assert [one["state"] for one in users.root.json("list")["runs"]] == ["running"]
    stopped = users.root.json("stop", "x")["runs"][0]
    assert (stopped["run_id"], stopped["state"], stopped["exit_code"]) == (run["run_id"], "stopped", 9)
    assert users.ann.state("x")["state"] == "stopped"
    users.root("report", "x")
    users.root("prune")
    assert users.owners() == {ANN}


def test_root_stops_a_run_of_a_user_whose_supervisor_was_killed(users: Users) -> None:
    run = users.ann.start("x", "sleep 300; true")
    supervisor = int(users.ann.meta(run)["supervisor_pid"])
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: is_gone(supervisor), "the end of the supervisor")
    assert users.root.json("stop", "x")["runs"][0]["state"] == "stopped"
    assert users.owners() == {ANN}
    assert users.ann.state("x")["state"] == "stopped"


@pytest.mark.parametrize("command", [("run", "y", "--", "touch", "{}"), ("rerun", "x"), ("start", "j"), ("group", "g")])
def test_root_starts_nothing_among_the_runs_of_a_user(users: Users, command: tuple[str, ...]) -> None:
    made = users.folder / "made"
    users.ann.jobs(f"jobs: {{j: {{command: touch {made}}}}}\ngroups: {{g: {{jobs: [j]}}}}")
    users.ann("run", "x", "--wait", "--", "touch", str(made))
    made.unlink()
    before = sorted(users.logs.rglob("*"))
    done = users.root(*(word.format(made) for word in command), code=2)
    assert f"{users.logs} belongs to the user with uid {ANN}" in done.err
    assert f"sudo -u '#{ANN}' bgrun" in done.err
    assert sorted(users.logs.rglob("*")) == before
    assert not made.exists()


@pytest.mark.parametrize("kind", ["script", "meta", "old meta"])
def test_root_starts_nothing_from_what_somebody_else_has_planted(users: Users, kind: str) -> None:
    made = users.folder / "made"
    run = users.root.json("run", "x", "--wait", "--", "true")
    planted = Path(run["script"] if kind == "script" else run["meta"])
    old = f"label=x\nrepo_dir={users.project}\ncmd=touch {made} \n"
    hook = planted.read_text() + f'hooks=[["finish", "touch {made}", false, 60.0]]\n'
    planted.write_text({"script": f"touch {made}\n", "meta": hook, "old meta": old}[kind])
    os.chown(planted, BOB, BOB)
    assert f"{planted} belongs to another user" in users.root("rerun", "x", code=2).err
    # Where anybody can plant one, nothing is even looked at.
    (users.logs / "jobs").chmod(0o777)
    assert "writable by other users" in users.root("rerun", "x", code=2).err
    assert not made.exists()


def test_a_log_directory_of_another_user_is_refused_with_the_remedy(users: Users) -> None:
    users.ann("run", "x", "--wait", "--", "true")
    users.logs.chmod(0o755)
    for command in (("list",), ("status", "x"), ("run", "y", "--", "true"), ("stop", "x"), ("rerun", "x"), ("prune",)):
        done = users.bob(*command, code=2)
        assert f"{users.logs} belongs to another user (uid {ANN})" in done.err, done
        assert f"sudo chown -R {BOB} {users.logs}" in done.err
    subprocess.run(["chown", "-R", str(BOB), str(users.logs)], check=True)
    assert users.bob.state("x")["state"] == "succeeded"


@pytest.mark.parametrize("kind", ["meta", "pid"])
@pytest.mark.parametrize("ended", [True, False])
def test_one_file_of_root_does_not_keep_a_user_from_the_other_runs(users: Users, kind: str, ended: bool) -> None:
    users.ann.jobs("defaults: {retention: {max_runs: 2}}\njobs: {j: {command: 'true', label: other}}")
    users.ann("run", "x", "--wait", "--", "true")
    users.ann("run", "y", "--wait", "--", "true")
    bad = Path(users.ann.state("x")["meta"]).with_suffix(f".{kind}")
    if not ended:
        text = bad.with_suffix(".meta").read_text()
        open_end = [line for line in text.splitlines() if not line.startswith(("state=", "exit_code="))]
        bad.with_suffix(".meta").write_text("\n".join(open_end) + "\n")
    os.chown(bad, 0, 0)
    bad.chmod(0o600)
    unreadable = kind == "meta" or not ended
    warned = [f"warning: skipped 1 run: cannot read {bad}: Permission denied"] if unreadable else []
    for command in (("list",), ("status",), ("stats",), ("prune", "--quiet"), ("list", "--json")):
        done = users.ann(*command)
        assert done.err.splitlines() == warned, done
        assert "y" in done.out or command[0] == "prune"
    if unreadable:
        assert f"cannot read {bad}" in users.ann("status", "x", code=2).err
    users.ann("status", "nobody", code=2)
    # A start is not kept from its retention either.
    for _ in range(3):
        users.ann("run", "x", "--wait", "--", "true")
    assert bad.exists() or not unreadable
    wait_until(lambda: len(users.ann.json("list", "x")["runs"]) <= 2, "retention to have done its work")
    users.ann("start", "j", "--wait")
    assert users.ann.state("j")["state"] == "succeeded"
