"""The commands, as a person uses them."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from bgrun.cli.spec.overview import COMMANDS
from tests.conftest import TOP, wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """
defaults: {env: {FROM_DEFAULTS: "1"}}
jobs:
  ok: {description: fine, command: echo fine, tags: [quick]}
  bad: {command: "echo sorry; exit 3"}
  slow: {command: "until [ -e go ]; do sleep 0.02; done"}
  many: {command: "for n in 1 2 3; do echo line $n; sleep 0.1; done"}
  pr: {command: "echo {{ n }} {{ who }}", label: "pr_{{ n }}", params: {n: {type: integer}, who: {default: me}}}
  odd: {command: exit 7, success_exit_codes: [0, 7]}
  environment: {command: env, env: {OWN: "{{ env.HOME }}/x"}, env_file: more.env}
groups:
  all: {jobs: [ok, bad, odd]}
  one_by_one: {jobs: [slow, ok, many], max_parallel: 1}
  fast: {jobs: [bad, slow, ok], max_parallel: 2, fail_fast: true}
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    (bg.folder / "more.env").write_text('MORE="two words"\nAGAIN=${MORE}!\n')
    return bg


# --- starting ---------------------------------------------------------------------------------


def test_a_start_returns_at_once_with_the_job_running(project: Cli) -> None:
    done = project("start", "slow")
    assert done.out.startswith("STARTED slow_")
    assert project("status", "slow").out.startswith("RUNNING label=slow pid=")
    assert project("stop", "slow").out.startswith("stopped slow_")


def test_what_a_run_leaves_can_be_read_with_cat(project: Cli) -> None:
    run = project.json("start", "ok", "--wait")
    stem = run["run_id"]
    assert sorted(path.name for path in project.logs.iterdir() if not path.name.startswith(".")) == [
        "jobs", f"{stem}.exit", f"{stem}.log", f"{stem}.meta", f"{stem}.pid",
    ]  # fmt: skip
    assert (project.logs / f"{stem}.exit").read_text() == "0\n"
    assert (project.logs / f"{stem}.pid").read_text() == f"{run['pid']}\n"
    assert (project.logs / f"{stem}.log").read_text() == "fine\n"
    keys = list(project.meta(run))
    assert keys[:9] == ["ts", "label", "repo_dir", "shell", "venv", "cmd", "git_sha", "git_branch", "pgid"]
    assert {"ended_at", "duration_s", "state", "max_rss_kb", "user_s", "sys_s", "boot_id", "host", "user"} <= set(keys)
    assert (project.logs / ".gitignore").read_text() == "*\n"
    assert not [
        path
        for path in project.logs.iterdir()
        if path.name.startswith(".") and path.name not in (".gitignore", ".cache")
    ]


def test_the_job_script_runs_again_by_hand_and_leaves_the_record_alone(project: Cli) -> None:
    run = project.json("start", "bad", "--wait", code=1)
    before = {path: path.read_bytes() for path in project.logs.glob("bad_*")}
    by_hand = subprocess.run(["bash", run["script"]], cwd="/", capture_output=True, text=True, check=False)
    assert (by_hand.returncode, by_hand.stdout) == (3, "sorry\n")
    assert {path: path.read_bytes() for path in project.logs.glob("bad_*")} == before


def test_parameters_and_extra_words(project: Cli) -> None:
    run = project.json("start", "pr", "7", "who=a b", "--wait", "--", "--help", "x y")
    assert run["label"] == "pr_7"
    assert project("logs", "pr_7").out == "7 a b --help x y\n"


def test_the_environment_of_a_job(project: Cli) -> None:
    project("start", "environment", "--wait", PYTHONPATH="kept")
    shown = dict(line.split("=", 1) for line in project("logs", "environment", "--since-start").out.splitlines())
    assert shown["PYTHONUNBUFFERED"] == "1"
    assert shown["GH_PAGER"] == shown["GIT_PAGER"] == "cat"
    assert shown["FROM_DEFAULTS"] == "1"
    assert shown["OWN"] == f"{project.env['HOME']}/x"
    assert (shown["MORE"], shown["AGAIN"]) == ("two words", "two words!")
    assert shown["PYTHONPATH"] == "kept"


@pytest.mark.parametrize("name", ["venv", ".venv"])
def test_a_virtual_environment_is_found(project: Cli, name: str) -> None:
    folder = project.folder / name / "bin"
    folder.mkdir(parents=True)
    (folder / "activate").touch()
    (folder / "tool").write_text("#!/bin/sh\necho found $VIRTUAL_ENV\n")
    (folder / "tool").chmod(0o755)
    run = project.json("run", "x", "--wait", "--", "tool")
    assert project("logs", "x").out == f"found {project.folder / name}\n"
    assert project.meta(run)["venv"] == str(project.folder / name)


def test_commit_and_branch_are_recorded(project: Cli) -> None:
    git = ["git", "-C", str(project.folder), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q", "-b", "topic/x"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *words], check=True, env=project.env)
    sha = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    run = project.json("start", "ok", "--wait")
    assert (run["git_sha"], run["git_branch"]) == (sha, "topic/x")
    subprocess.run([*git, "pack-refs", "--all"], check=True)
    tree = project.folder.parent / "tree"
    subprocess.run([*git, "worktree", "add", "-q", "-b", "other", str(tree)], check=True)
    run = project.json("run", "x", "--wait", "--", "true")
    assert (run["git_sha"], run["git_branch"]) == (sha, "topic/x")
    subprocess.run([*git, "checkout", "-q", "--detach"], check=True)
    run = project.json("run", "x", "--wait", "--", "true")
    assert (run["git_sha"], run["git_branch"]) == (sha, None)


def test_four_starts_in_one_second_are_four_runs(project: Cli) -> None:
    line = "; ".join(f"{' '.join(project.command)} start ok -q" for _ in range(4))
    done = subprocess.run(["bash", "-c", line], cwd=project.folder, env=project.env, capture_output=True, text=True)
    ids = done.stdout.split()
    assert len(set(ids)) == 4
    project("wait", *ids)
    assert len(list(project.logs.glob("ok_*.exit"))) == 4


def test_codes_that_count_as_success(project: Cli) -> None:
    run = project.json("start", "odd", "--wait")
    assert (run["state"], run["exit_code"]) == ("succeeded", 7)
    project("wait", "odd", "--exit-code", code=7)


def test_exit_codes_of_bgrun(project: Cli) -> None:
    project("start", "ok", "--wait")
    project("start", "bad", "--wait", code=1)
    project("start", "bad", "--exit-code", code=3)
    project("status", "bad", "--exit-code", code=3)
    project("wait", "ok", "bad", code=1)
    project("start", "slow", "--timeout", "50ms", code=124)
    project("wait", "slow", "--timeout", "50ms", code=124)
    project("status", "slow")
    project("stop", "slow")


# --- groups -----------------------------------------------------------------------------------


def test_a_group_runs_to_its_result(project: Cli) -> None:
    run = project.json("group", "all", "--wait", code=1)
    assert (run["state"], run["exit_code"], run["label"], run["group"]) == ("failed", 1, "all", "all")
    assert {one["label"]: one["state"] for one in run["runs"]} == {
        "ok": "succeeded",
        "bad": "failed",
        "odd": "succeeded",
    }
    assert all(one["group_run"] == run["run_id"] for one in run["runs"])
    log = Path(run["log"]).read_text()
    assert "failed bad_" in log
    assert (project.logs / f"{run['run_id']}.exit").read_text() == "1\n"


def test_max_parallel_keeps_the_rest_waiting_and_stop_takes_them_too(project: Cli) -> None:
    run = project.json("group", "one_by_one")
    assert [one["state"] for one in run["runs"]] == ["running", "queued", "queued"]
    assert project("status", "ok").out.startswith("QUEUED label=ok pid=\n")
    stopped = project.json("stop", "one_by_one")["runs"][0]
    assert stopped["state"] == "stopped"
    states = [one["state"] for one in project.json("status", "slow", "ok", "many")["runs"]]
    assert states == ["stopped", "stopped", "stopped"]


def test_a_queued_run_can_be_stopped_and_waited_for(project: Cli) -> None:
    project("group", "one_by_one")
    assert project.json("stop", "ok")["runs"][0]["state"] == "stopped"
    (project.folder / "go").touch()
    assert project.ended("many")["state"] == "succeeded"
    ended = project.ended("one_by_one")
    assert (ended["state"], ended["reason"]) == ("failed", "1 stopped of 3")


def test_fail_fast_ends_the_rest(project: Cli) -> None:
    run = project.json("group", "fast", "--wait", code=1)
    assert [one["state"] for one in run["runs"]] == ["failed", "stopped", "skipped"]
    assert "did not succeed" in run["runs"][2]["reason"]


def test_fail_fast_and_max_parallel_on_the_command_line(project: Cli) -> None:
    run = project.json("group", "all", "--max-parallel", "1", "--fail-fast", "--wait", code=1)
    assert [one["state"] for one in run["runs"]] == ["succeeded", "failed", "skipped"]


def test_a_group_can_be_run_again_by_bgrun_and_by_hand(project: Cli) -> None:
    run = project.json("group", "all", "--wait", code=1)
    again = project.json("rerun", "all", "--wait", code=1)
    assert again["run_id"] != run["run_id"]
    assert [one["state"] for one in again["runs"]] == ["succeeded", "failed", "succeeded"]
    by_hand = subprocess.run(["bash", again["script"]], capture_output=True, text=True, check=False)
    assert by_hand.returncode != 0
    assert sorted(by_hand.stdout.split()) == ["fine", "sorry"]


# --- looking ----------------------------------------------------------------------------------


def test_follow_shows_the_log_as_it_grows_and_ends_with_the_result(project: Cli) -> None:
    project("start", "many")
    done = project("follow", "many")
    assert done.out == "line 1\nline 2\nline 3\n"
    assert done.err.startswith("succeeded many_")
    project("start", "bad")
    project("follow", "bad", code=1)
    project("follow", "bad", "--exit-code", code=3)


def test_follow_of_a_group_names_who_says_what(project: Cli) -> None:
    project("group", "all")
    done = project("follow", "all", code=1)
    assert sorted(done.out.splitlines()) == ["bad | sorry", "ok | fine"]
    assert "failed all_" in done.err


def _read_until(fd: int, word: bytes) -> None:
    """Read a terminal until it has shown a word."""
    shown = bytearray()

    def there() -> bool:
        if select.select([fd], [], [], 0)[0]:
            shown.extend(os.read(fd, 1000))
        return word in shown

    wait_until(there, f"{word!r} on the terminal")


def test_ctrl_c_ends_the_following_and_not_the_job(project: Cli) -> None:
    project.start("talks", "echo begun; sleep 300")
    master, slave = pty.openpty()
    following = subprocess.Popen(
        [*project.command, "follow", "talks"], cwd=project.folder, env=project.env,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        _read_until(master, b"begun")
        os.killpg(following.pid, signal.SIGINT)
        _read_until(master, b"runs continue")
        assert following.wait(20) == 130
    finally:
        following.kill()
        following.wait()
        os.close(master)
    assert project.state("talks")["state"] == "running"
    project("stop", "talks")


def _waits(pid: int) -> bool:
    """Whether a process waits for the end of a run: it has its pid file open, for the lock on it."""
    import psutil

    return any(one.path.endswith(".pid") for one in psutil.Process(pid).open_files())


def test_ctrl_c_while_waiting(project: Cli) -> None:
    project("start", "slow")
    waiting = subprocess.Popen(
        [*project.command, "wait", "slow"], cwd=project.folder, env=project.env, stderr=subprocess.PIPE
    )
    try:
        wait_until(lambda: _waits(waiting.pid), "it waits")
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(20) == 130
    finally:
        waiting.kill()
        _, reported = waiting.communicate()
    assert b"runs continue" in reported
    project("stop", "slow")


def test_logs(project: Cli) -> None:
    project("run", "x", "--wait", "--", "seq", "300")
    assert project("logs", "x").out.splitlines() == [str(n) for n in range(201, 301)]
    assert project("logs", "x", "-n", "2").out == "299\n300\n"
    assert project("logs", "x", "--since-start", "-n", "2").out == "1\n2\n"
    assert len(project("logs", "x", "--since-start").out.splitlines()) == 300
    assert project("logs", "x", "--grep", "^1?7$").out == "7\n17\n"
    assert project("logs", "x", "--grep", "9", "-n", "1").out == "299\n"
    assert project.json("logs", "x", "-n", "1")["lines"] == ["300"]
    shown = project("logs", "x", "--grep", "(", code=2).err
    assert "invalid regular expression" in shown
    assert "hint: to match it as it is, escape it: \\(\n" in shown
    assert project("logs", "x", "--grep", "^15$", "-C", "1").out == "14\n15\n16\n"
    assert project("logs", "x", "--head", "2").out == "1\n2\n"
    assert "cannot be combined" in project("logs", "x", "--head", "2", "--tail", "2", code=2).err


def test_logs_read_on(project: Cli) -> None:
    run = project.start("x", "seq 500; until [ -e go ]; do sleep 0.02; done; echo late; printf unfinished")
    wait_until(lambda: project.json("logs", "x")["size"] > 1000, "it has written")
    first = project.json("logs", "x", "--since", "start")
    assert (len(first["lines"]), first["truncated"], first["eof"]) == (200, True, False)
    done = project("logs", "x", "--since", first["next_cursor"])
    assert done.out.splitlines() == [str(n) for n in range(201, 501)]
    cursor = done.err.strip().removeprefix("cursor: ")
    assert project("logs", "x", "--since", cursor).out == ""
    (project.folder / "go").touch()
    project.ended(run["run_id"])
    last = project.json("logs", "x", "--since", cursor)
    assert (last["lines"], last["eof"], last["truncated"]) == (["late", "unfinished"], True, False)
    newer = project.start("x", "echo new")
    assert f"belongs to {run['run_id']}, not to" in project("logs", "x", "--since", cursor, code=2).err
    assert project("logs", run["run_id"], "--since", cursor).out == "late\nunfinished\n"
    assert "invalid cursor 'yesterday'" in project("logs", "x", "--since", "yesterday", code=2).err
    project.ended(newer["run_id"])
    long = project.json(
        "run", "long", "--wait", "--", "bash", "-c", "for i in $(seq 100); do printf '%01000d\\n' $i; done"
    )
    page = project.json("logs", long["run_id"], "--since", "start")
    assert (len(page["lines"]), page["truncated"]) == (16, True)


def test_list_is_newest_first(project: Cli) -> None:
    for job in ("ok", "odd", "ok"):
        project("start", job, "--wait")
    assert [run["label"] for run in project.json("list")["runs"]] == ["ok", "odd", "ok"]
    assert [run["label"] for run in project.json("list", "odd")["runs"]] == ["odd"]
    assert len(project.json("list", "-n", "1")["runs"]) == 1
    table = project("list").out.splitlines()
    assert table[0].split() == ["STATE", "EXIT", "TOOK", "STARTED", "RUN", "COMMAND"]
    assert len(table) == 4


def test_quiet_is_for_scripts(project: Cli) -> None:
    run_id = project("start", "ok", "--wait", "-q").out.strip()
    assert project("list", "-q").out == f"{run_id}\n"
    assert project("latest", "ok", "-q").out == f"{project.logs}/{run_id}.log\n"
    assert project("jobs", "-q").out.split()[-3:] == ["all", "one_by_one", "fast"]
    assert project("status", "ok", "-q").out.splitlines()[1].startswith("EXITCODE 0 ")
    assert project("wait", "ok", "-q").out == project("validate", "-q").out == ""


def test_nothing_ran_here_yet(project: Cli) -> None:
    assert project("list").out == project("status").out == ""
    assert project.json("status")["runs"] == []


def test_latest_is_a_path_for_other_tools(project: Cli) -> None:
    project("start", "ok", "--wait")
    line = f'grep fine "$({" ".join(project.command)} latest ok)"'
    done = subprocess.run(["bash", "-c", line], cwd=project.folder, env=project.env, capture_output=True, text=True)
    assert done.stdout == "fine\n"


def test_rerun_runs_the_very_same_thing(project: Cli) -> None:
    first = project.json("start", "pr", "7", "--wait", "--", "a b")
    project.jobs("jobs: {}")
    again = project.json("rerun", "pr_7", "--wait")
    assert again["cmd"] == first["cmd"]
    assert again["job"] == "pr"
    assert project("logs", "pr_7").out == "7 me a b\n"
    assert Path(again["script"]).read_bytes() == Path(first["script"]).read_bytes()


# --- retention --------------------------------------------------------------------------------


def test_retention_keeps_the_newest_and_the_newest_failure(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: '[ ! -e fail ]', retention: {max_runs: 2}}}")
    bg("start", "x", "--wait")
    (bg.folder / "fail").touch()
    failed = bg.json("start", "x", "--wait", code=1)["run_id"]
    (bg.folder / "fail").unlink()
    later = [bg.json("start", "x", "--wait")["run_id"] for _ in range(4)]
    kept = wait_until(lambda: _kept(bg, 3), "retention has removed the rest")
    assert kept == sorted([failed, *later[-2:]])
    # The record goes first, so that no list shows half a run.
    wait_until(lambda: len(list((bg.logs / "jobs").glob("*.sh"))) == 3, "their scripts are deleted, too")


def _kept(bg: Cli, count: int) -> list[str]:
    found = sorted(path.stem for path in bg.logs.glob("*.meta"))
    return found if len(found) == count else []


def test_prune_reports_first_and_never_deletes_an_active_run(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'true'}}")
    ended = {bg.json("start", "x", "--wait")["run_id"] for _ in range(2)}
    bg.jobs("jobs: {x: {command: sleep 300, retention: {max_runs: 1, max_age: 0}}}")
    live = bg.json("start", "x")["run_id"]
    assert {one["run_id"] for one in bg.json("prune", "--dry-run")["removed"]} == ended
    assert len(bg.json("list")["runs"]) == 3
    bg("prune")
    assert [run["run_id"] for run in bg.json("list")["runs"]] == [live]
    assert bg.state(live)["state"] == "running"
    bg("stop", "x")


def test_prune_sweeps_what_killed_processes_left(bg: Cli) -> None:
    run = bg.json("run", "x", "--wait", "--", "true")
    stem = run["run_id"]
    strays = [bg.logs / f".{stem}.exit", bg.logs / f".{stem}.stop.17", bg.logs / "jobs" / "never_20200101_000000.sh"]
    fresh = bg.logs / "jobs" / "about_to_start_20200101_000000.sh"
    kept = [fresh, bg.logs / "old_20200101_000000.log", bg.logs / ".gitignore", Path(run["script"])]
    for path in (*strays, *kept[:2]):
        path.touch()
    for path in (*strays, *kept[1:]):
        os.utime(path, (0, 0))
    bg("prune")
    assert [path.name for path in strays if path.exists()] == []
    assert [path.name for path in kept if not path.exists()] == []


# --- JSON -------------------------------------------------------------------------------------


def schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((TOP / "schemas" / f"{name}.schema.json").read_text())
    return content


DOCUMENTS = [
    ("run", ("start", "ok"), 0),
    ("run", ("start", "bad", "--wait"), 1),
    ("run", ("run", "x", "--", "true"), 0),
    ("run", ("rerun", "bad"), 0),
    ("run", ("group", "all", "--wait"), 1),
    ("run", ("latest", "bad"), 0),
    ("runs", ("status",), 0),
    ("runs", ("status", "bad", "slow"), 0),
    ("runs", ("list",), 0),
    ("runs", ("wait", "bad"), 1),
    ("runs", ("wait", "slow", "--timeout", "10ms"), 124),
    ("runs", ("stop", "bad"), 0),
    ("logs", ("logs", "bad"), 0),
    ("logs", ("logs", "bad", "--since", "start"), 0),
    ("report", ("report", "bad"), 0),
    ("stats", ("stats",), 0),
    ("prune", ("prune",), 0),
    ("jobs", ("jobs",), 0),
    ("render", ("render", "pr", "3"), 0),
    ("validate", ("validate",), 0),
    ("doctor", ("doctor",), None),  # 0 or 1, by what the machine has
]


def test_each_command_that_reports_is_checked() -> None:
    reporting = {command.name for command in COMMANDS if any(option.name == "json" for option in command.options)}
    assert reporting == {words[0] for _, words, _ in DOCUMENTS}


@pytest.mark.parametrize(("name", "words", "code"), DOCUMENTS)
def test_json_is_what_its_schema_says(project: Cli, name: str, words: tuple[str, ...], code: int | None) -> None:
    project("start", "bad", "--wait", code=1)
    project("start", "slow")
    document = project.json(*words, code=code)
    jsonschema.Draft7Validator.check_schema(schema(name))
    jsonschema.validate(document, schema(name), jsonschema.Draft7Validator)
    assert document["schema_version"] == 2
    project("stop", "slow")


def test_json_of_a_broken_job_file(bg: Cli) -> None:
    bg.jobs("jobs: {a: {comand: x}}")
    document = bg.json("validate", code=2)
    jsonschema.validate(document, schema("validate"))
    assert [problem["path"] for problem in document["problems"]] == ["jobs.a", "jobs.a.comand"]


def test_no_colour_when_nobody_looks(project: Cli) -> None:
    project("start", "bad", "--wait", code=1)
    assert "\x1b" not in project("status").out + project("list").out


# --- keeping awake ----------------------------------------------------------------------------


def test_the_machine_is_kept_awake_while_the_job_runs(project: Cli, tmp_path: Path) -> None:
    """A stand-in for macOS's caffeinate, which ends by itself with the process it is given."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "caffeinate").write_text(
        '#!/bin/sh\necho "$@" > awake\nexec sleep 300\n'.replace("awake", str(tmp_path / "awake"))
    )
    (tools / "caffeinate").chmod(0o755)
    run = project.json("start", "slow", PATH=f"{tools}:{project.env['PATH']}")
    wait_until(lambda: (tmp_path / "awake").exists() and (tmp_path / "awake").read_text(), "it was started")
    assert (tmp_path / "awake").read_text() == f"-i -w {run['pid']}\n"
    assert project.json("stop", "slow")["runs"][0]["reason"].startswith("on request (")
