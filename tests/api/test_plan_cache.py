"""A plan is kept, and used only while all that it was made from is as it was."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.bytecode import contents
from bgrun.templating import inputs
from tests.conftest import TOP, Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOBS = """
defaults: {env_file: vars.env}
jobs:
  say:
    command: echo {{ word }} "$FROM_FILE" {{ env.COLOUR }} {{ env.get('ABSENT', 'none') }} "$VIRTUAL_ENV"
    params: {word: {default: hi}}
  two: {command: [echo, "{{ matrix.n }}"], matrix: {n: [1, 2]}}
  matched: {command: "echo x.c:1: bad; exit 1", problems: [m.json]}
groups:
  all: {jobs: [say, two], max_parallel: 1}
"""
MATCHER = '{"problemMatcher": [{"owner": "m", "pattern": [{"regexp": "%s", "file": 1, "line": 2, "message": 3}]}]}'
HEAVY = ("yaml", "jinja2", "jsonschema", "click", "typing", "re", "json", "subprocess", "pathlib", "contextlib", "enum")


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    (bg.folder / "vars.env").write_text("FROM_FILE=one\n")
    (bg.folder / "m.json").write_text(MATCHER % r"^(.*):(\\d+): (.*)$")
    age(bg.folder / "vars.env", bg.folder / "m.json")
    return bg


def age(*paths: Path) -> None:
    """Wait until files were written some time ago: of a fresh one nothing is kept."""

    def is_settled(path: Path) -> bool:
        recorded = inputs.RenderInputs({})
        recorded.reads(path)
        return recorded.repeatable

    for path in paths:
        wait_until(lambda path=path: is_settled(path), f"{path.name} is no longer fresh")


def said(cli: Cli, *words: str, **env: str) -> str:
    cli("start", "say", *words, "--wait", **{"COLOUR": "red", **env})
    return cli("logs", "say").out.strip()


def loaded(cli: Cli, *words: str, **env: str) -> set[str]:
    """Return which modules a command loads, when all of its output and its run are done."""
    look = (
        "import sys, os; from bgrun.cli import app; code = app.run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    python = Cli(cli.folder, [cli.command[0], "-c", look], cli.env)
    return set(python(*words, **env).err.split())


def test_a_cached_plan_gives_the_same_without_the_work(project: Cli) -> None:
    assert said(project) == "hi one red none"
    assert "jinja2" not in loaded(project, "start", "say", "--wait", COLOUR="red")
    assert project("logs", "say").out.strip() == "hi one red none"
    project("group", "all", "--wait", COLOUR="red")
    assert "jinja2" not in loaded(project, "group", "all", "--wait", COLOUR="red")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda bg: bg.jobs(JOBS.replace("echo", "echo new")), "new hi one red none"),
        (lambda bg: bg.jobs(JOBS.replace("default: hi", "default: ho")), "ho one red none"),
        (lambda bg: (bg.folder / "vars.env").write_text("FROM_FILE=two\n"), "hi two red none"),
        (lambda bg: bg.env.update(COLOUR="blue"), "hi one blue none"),
        (lambda bg: bg.env.update(ABSENT="here"), "hi one red here"),
        (lambda bg: make_venv(bg.folder / "venv"), "hi one red none {}/venv"),
    ],
    ids=["command", "default", "env_file", "variable", "new variable", "venv"],
)
def test_a_changed_input_invalidates_the_plan(project: Cli, change: Callable[[Cli], Any], expected: str) -> None:
    project.env["COLOUR"] = "red"
    for _ in range(2):
        project("start", "say", "--wait")
    change(project)
    for _ in range(2):
        project("start", "say", "--wait")
        assert project("logs", "say").out.strip() == expected.format(project.folder)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda bg: bg.jobs(JOBS.replace("{env_file", "{env: {COLOUR: green}, env_file")), "one green "),
        (lambda bg: (bg.folder / "vars.env").write_text("FROM_FILE=two\n"), "two red "),
        (lambda bg: make_venv(bg.folder / "venv"), "one red {}/venv"),
        (lambda bg: (bg.folder / "bgjobs.yaml").unlink(), " red "),
    ],
    ids=["defaults", "env_file", "venv", "no job file"],
)
def test_the_script_template_of_a_command_is_rendered_again_as_well(
    project: Cli, change: Callable[[Cli], Any], expected: str
) -> None:
    project.env["COLOUR"] = "red"
    look = 'echo "$FROM_FILE $COLOUR $VIRTUAL_ENV"'
    for label in ("a", "b"):
        project("run", label, "--wait", "--", "bash", "-c", look)
        assert project("logs", label).out == "one red \n"
    change(project)
    for label in ("a", "b"):
        project("run", label, "--wait", "--", "bash", "-c", look)
        assert project("logs", label).out.removesuffix("\n") == expected.format(project.folder)


def test_each_directory_has_a_script_template_of_its_own(project: Cli) -> None:
    (project.folder / "sub").mkdir()
    for _ in range(2):
        for folder in (project.folder, project.folder / "sub"):
            project("run", "x", "--wait", "--", "pwd", cwd=folder)
            assert project("logs", "x").out == f"{folder}\n"


def make_venv(folder: Path) -> None:
    folder.mkdir()
    (folder / "pyvenv.cfg").touch()


def test_other_words_are_another_plan(project: Cli) -> None:
    assert [said(project, *words) for words in ((), ("word=a",), ("b",), (), ("b",))] == [
        f"{word} one red none" for word in ("hi", "a", "b", "hi", "b")
    ]
    project("start", "say", "--wait", "--", "--", "more", COLOUR="red")
    assert project("logs", "say").out.split() == ["hi", "one", "red", "none", "--", "more"]


def test_a_directory_that_is_gone_is_reported_though_the_plan_was_kept(project: Cli) -> None:
    project.jobs("jobs: {x: {command: pwd, working_dir: sub}}\n")
    (project.folder / "sub").mkdir()
    for _ in range(2):
        project("start", "x", "--wait")
    (project.folder / "sub").rmdir()
    assert "is not a directory" in project("start", "x", code=2).err
    (project.folder / "other").mkdir()
    (project.folder / "sub").symlink_to("other")
    project("start", "x", "--wait")
    assert project("logs", "x").out == f"{project.folder}/other\n"


def test_a_file_of_matchers_that_changes_is_read_again(project: Cli) -> None:
    for regexp, found in ((r"^(.*):(\\d+): (.*)$", 1), ("^nothing (.*) (.*) (.*)$", 0)):
        (project.folder / "m.json").write_text(MATCHER % regexp)
        age(project.folder / "m.json")
        for _ in range(2):
            project("start", "matched", "--wait", code=1)
            assert len(project.json("report", "matched")["digest"]["problems"]) == found
    (project.folder / "m.json").write_text("{}")
    assert "problemMatcher" in project("start", "matched", code=2).err


def swap(one: Path, other: Path) -> None:
    """Put one file in place of the other as `cp -p` does: into the same file, with the same times."""
    before = one.stat()
    assert before.st_size == other.stat().st_size
    one.write_bytes(other.read_bytes())
    os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = one.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    age(one)


def test_a_file_of_the_same_size_and_time_is_another_one(project: Cli) -> None:
    other = project.folder / "other"
    assert [said(project) for _ in range(2)] == ["hi one red none"] * 2
    other.write_text("FROM_FILE=two\n")
    swap(project.folder / "vars.env", other)
    assert [said(project) for _ in range(2)] == ["hi two red none"] * 2

    (project.folder / "m.json").write_text(MATCHER % r"^(.*):(\\d+): (.*)$")
    age(project.folder / "m.json")
    for _ in range(2):
        project("start", "matched", "--wait", code=1)
        assert len(project.json("report", "matched")["digest"]["problems"]) == 1
    other.write_text(MATCHER % r"^(.*);(\\d+): (.*)$")
    swap(project.folder / "m.json", other)
    for _ in range(2):
        project("start", "matched", "--wait", code=1)
        assert not project.json("report", "matched")["digest"]["problems"]


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    age(path)
    around = inputs.RenderInputs({})
    around.reads(path)
    other = tmp_path / "other"
    other.write_text("two")
    swap(path, other)
    around.reads(path)
    assert not around.repeatable


def test_code_of_the_same_size_and_time_is_other_code(tmp_path: Path) -> None:
    """The schema, a template or a module of a checkout: what was made or checked by it is worth nothing then."""
    shutil.copytree(TOP / "bgrun", tmp_path / "bgrun")
    shutil.copytree(TOP / "schemas", tmp_path / "schemas")
    look = (
        "import sys; sys.path.insert(0, sys.argv[1]); from bgrun.jobfile import installation as i; print(i.code_mark())"
    )
    marks = set()
    changes = ("schemas/bgjobs.schema.json", "bgrun/render/templates/job.sh.j2", "bgrun/jobfile/checks/check.py")
    for name in ("", *changes):
        if name:
            (tmp_path / "other").write_bytes((tmp_path / name).read_bytes()[::-1])
            swap(tmp_path / name, tmp_path / "other")
            (tmp_path / "other").write_bytes((tmp_path / name).read_bytes()[::-1])
            swap(tmp_path / name, tmp_path / "other")  # so that it can be read once more
        words = [sys.executable, "-I", "-B", "-c", look, str(tmp_path)]
        marks.add(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert len(marks) == 1 + len(changes)


@pytest.mark.parametrize(
    "job",
    [
        "{command: 'echo \"$TOKEN\"', secrets: [TOKEN]}",
        "{command: 'echo {{ [1, 2, 3, 4, 5, 6, 7, 8, 9] | random }}'}",
        "{command: 'echo {{ env | length }}'}",
    ],
    ids=["secret", "chance", "whole environment"],
)
def test_what_cannot_be_checked_again_is_not_kept(bg: Cli, job: str) -> None:
    bg.jobs(f"jobs: {{x: {job}}}\n")
    bg("start", "x", "--wait", TOKEN="tok-4711")
    assert not list((bg.logs / ".cache").glob("plan.*"))


@pytest.mark.parametrize(
    "command",
    ["echo {{ [1, 2, 3] | random }}", r"echo {{ [1, 2, 3] | \u0072andom }}", "echo {{ lipsum(n=1) | length }}"],
)
def test_chance_in_an_included_file_is_not_kept(bg: Cli, command: str) -> None:
    bg.jobs("include: [more.yaml]\n")
    (bg.folder / "more.yaml").write_text(f'jobs: {{x: {{command: "{command}"}}}}\n')
    age(bg.folder / "more.yaml")
    bg("start", "x", "--wait")
    assert not list((bg.logs / ".cache").glob("plan.*"))
    (bg.folder / "more.yaml").write_text("jobs: {x: {command: 'echo random'}}\n")
    age(bg.folder / "more.yaml")
    bg("start", "x", "--wait")
    assert list((bg.logs / ".cache").glob("plan.*"))


def test_a_file_that_was_just_written_is_not_kept(tmp_path: Path) -> None:
    def just_written() -> bool:
        (tmp_path / "file").write_text("A=1\n")
        around = inputs.RenderInputs({})
        around.reads(tmp_path / "file")
        return not around.repeatable

    wait_until(just_written, "a look at a file just after it was written")
    age(tmp_path / "file")


def test_a_variable_is_kept_as_a_seal_only(project: Cli) -> None:
    said(project, COLOUR="ultramarine-4711")
    kept = [path.read_bytes() for path in (project.logs / ".cache").glob("plan.*")]
    # The plan contains the job script; the recorded variable adds nothing to that.
    assert [data.count(b"ultramarine-4711") for data in kept] == [3], kept  # cmd, and the script twice


def test_only_so_many_are_kept(project: Cli) -> None:
    from bgrun.api import plan_cache

    project.jobs("jobs: {x: {command: 'true', params: {n: {}}}}\n")
    project("start", "x", "n=0", "--wait")
    cache = project.logs / ".cache"
    for number in range(plan_cache.MOST_ENTRIES):
        (cache / f"plan.old{number}").touch()
    project("start", "x", "n=1", "--wait")
    assert len(list(cache.glob("plan.*"))) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("start", "say"),
        ("start", "say", "-q", "--wait"),
        ("run", "x", "-q", "--wait", "--", "echo", "it's", "a b"),
        ("status", "say"),
        ("list",),
        ("wait", "say"),
        ("latest", "say"),
    ],
    ids=" ".join,
)
def test_a_quick_command_loads_nothing_heavy(project: Cli, words: tuple[str, ...]) -> None:
    project.env["COLOUR"] = "red"
    for _ in range(2):
        project("start", "say", "--wait")
        project("run", "x", "--wait", "--", "true")
    assert not loaded(project, *words) & {*HEAVY, "signal", "select", "datetime", "threading", "shlex", "functools"}
    project("wait", "say")


def test_a_re_executed_supervisor_loads_nothing_that_its_plan_does_not_need(bg: Cli) -> None:
    allowed = {"fcntl", "errno", "marshal", "time", "posix", "os", "os.path", "stat", "posixpath", "genericpath"}
    look = "import sys; before = set(sys.modules); import bgrun.local.launch.begin; print(*set(sys.modules) - before)"
    words = [bg.command[0], "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(TOP)!r}); {look}"]
    new = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    foreign = {name for name in new if not name.startswith("bgrun") and not name.startswith("_")}
    assert foreign <= allowed
    ours = {name.removeprefix("bgrun.") for name in new if name.startswith("bgrun.")}
    rooms = ("api", "cli", "jobfile", "logs", "mcp", "parsers", "render", "setup", "templating")
    assert not {name for name in ours if name.split(".")[0] in rooms}
    seldom = {name for name in contents.ALL if name.startswith("bgrun.local.concurrency.")} | {
        *(f"bgrun.local.stopping.{name}" for name in ("request", "orphans", "stopper", "processes")),
        *(f"bgrun.local.supervision.{name}" for name in ("dispatcher", "hooks", "inhibitor", "job", "scheduler")),
        *("bgrun.local.wait", "bgrun.store.retention", "bgrun.store.claim"),
    }
    assert seldom <= set(contents.ALL), "these are the names of today"
    assert not {f"bgrun.{name}" for name in ours} & seldom


def test_who_starts_a_run_comes_from_the_system_where_no_variable_does(project: Cli) -> None:
    own = pwd.getpwuid(os.getuid()).pw_name
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        project.env.pop(name, None)
    assert project.meta(project.json("run", "x", "--wait", "--", "true"))["user"] == own
    assert project.meta(project.json("run", "x", "--wait", "--", "true", USER="named"))["user"] == "named"


def test_a_kept_plan_is_made_anew_when_an_included_file_changes(bg: Cli) -> None:
    bg.jobs("include: {web: web.yaml}\njobs: {}")
    web = bg.folder / "web.yaml"
    for word in ("one", "two"):
        before = web.stat() if web.exists() else None
        web.write_text(f"jobs: {{say: {{command: echo {word}}}}}")
        if before:  # as `cp -p` does: only the time of change tells
            os.utime(web, ns=(before.st_atime_ns, before.st_mtime_ns))
        age(web)
        for _ in range(2):
            bg("start", "web.say", "--wait")
            assert bg("logs", "web.say").out.strip() == word
    web.write_text("jobs: {other: {command: ls}}")
    assert "no job named 'web.say'" in bg("start", "web.say", code=2).err


@pytest.mark.parametrize("damage", [lambda raw, at: raw[:at], lambda raw, at: raw[:at] + bytes(40) + raw[at + 40 :]])
def test_a_damaged_plan_is_made_again(project: Cli, damage: Callable[[bytes, int], bytes]) -> None:
    wanted = said(project)
    (entry,) = (project.logs / ".cache").glob("plan.*")
    script = entry.read_bytes().index(b"echo hi")
    for at in (script - 4, script + 2):
        damaged = damage(entry.read_bytes(), at)
        entry.write_bytes(damaged)
        assert said(project) == wanted
        assert entry.read_bytes() != damaged
