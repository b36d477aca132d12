"""Shell completion: what is offered at each place of a line, and that real shells insert it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.cli.completion import names, offers, protocol, shell_words
from bgrun.cli.completion.scripts import SHELLS
from bgrun.cli.spec.overview import COMMANDS
from bgrun.cli.spec.shapes import PROJECT_OPTIONS
from tests import surroundings
from tests.cli.shell_session import Session, program
from tests.conftest import TOP, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

BREAKS = " \t\n\"'@><=;|&(:"
JOBS = """
jobs:
  pytest_full:
    description: The whole suite
    command: "true"
    tags: [slow]
    params:
      level: {type: choice, choices: [low, high, very high, "http://a:1"], default: low}
      fast: {type: boolean, default: false}
      path: {type: path, default: tests}
      count: {type: integer, default: 3}
  py.docs-1: {command: "true", matrix: {python: ["3.10", "3.11"], db: [pg]}}
  lint: {command: "true", label: style, tags: [quick]}
groups: {checks: {jobs: [lint, pytest_full]}}
"""


LINES = {
    "sta": ["start", "status", "stats"],
    "p": ["ps", "prune"],
    "start ": ["pytest_full", "py.docs-1", "lint"],
    "start py": ["pytest_full", "py.docs-1"],
    "start lint ": ["pytest_full", "py.docs-1"],
    "start pytest_full l": ["level=low", "level=high", r"level=very\ high", "level=http://a:1", "lint"],
    "start pytest_full level=": ["low", "high", r"very\ high", "http://a:1"],
    "start pytest_full level=http:": ["//a:1"],
    "start pytest_full level=low le": [],
    'start pytest_full "level=v': ["level=very high"],
    "start pytest_full 'level=v": ["level=very high"],
    r"start pytest_full level=very\ ": [r"very\ high"],
    "start pytest_full f": ["fast=true", "fast=false"],
    "start pytest_full count=": ["3"],
    "start pytest_full co": ["count="],
    "start pytest_full path=te": ["tests/"],
    "start pytest_full hi": ["high"],
    "start pytest_full low tr": ["true"],
    "start pytest_full fast=true low tests/u": ["tests/unit/"],
    "start pytest_full low true tests 5 te": [],
    "start pytest_full path=tests/unit/": ["tests/unit/a.py"],
    r"start pytest_full path=my\ dir/": [r"my\ dir/b\ c.txt"],
    "start py.docs-1 p": ["python=3.10", "python=3.11", "pytest_full"],
    "start py.docs-1 python=": ["3.10", "3.11"],
    "start lint pytest_full fa": ["fast=true", "fast=false"],
    "start lint -- te": ["tests/"],
    "render pytest_full fa": ["fast=true", "fast=false"],
    "group ": ["checks"],
    "group checks --only ": ["lint", "pytest_full"],
    "group checks --only lint --only=": ["pytest_full"],
    "group checks --param fa": ["fast=true", "fast=false"],
    "group checks --param=fast=": ["false", "true"],
    "group checks -- ": ["only"],
    "group checks -- only ": ["lint", "pytest_full"],
    "status ": ["style", "lint"],
    "latest st": ["style"],
    "stop ": [],
    "list --state fa": ["failed"],
    "list --state=fa": ["failed"],
    "list --state failed,lo": ["failed,lost"],
    "list --tag ": ["quick", "slow"],
    "list --sort ": ["newest", "oldest", "duration"],
    "report --format g": ["github"],
    "report --format": ["--format"],
    "logs --since ": ["start"],
    "run x ": ["--"],
    "run x --env-file te": ["tests/"],
    "run x --env HOM": ["HOME="],
    "run x > te": ["tests/"],
    "run x --job-timeout ": [],
    "schema re": ["render", "report"],
    "completion ": list(SHELLS),
    "help ki": ["kill"],
    "init --mcp cu": ["cursor"],
    "wait --t": ["--timeout"],
    "wait --timeout 5s --t": [],
    "--f": ["--file"],
    "start --dir": ["--directory"],
    "-f ": ["bgjobs.yaml", "my\\ dir/", "sub/", "tests/"],
    "-f sub/": ["sub/other.yaml"],
    "-f sub/other.yaml start ": ["elsewhere"],
    "start -f sub/other.yaml ": ["elsewhere"],
    "--file=sub/other.yaml start ": ["elsewhere"],
    "-C s": ["sub/"],
    "-C sub --file o": ["other.yaml"],
    "-C sub start py": ["pytest_full", "py.docs-1"],
    "-C tests start pytest_full path=u": ["unit/"],
    "nonsense ": [],
    "-f nonsense.yaml start ": [],
    "-f nonsense.yaml list --state fa": ["failed"],
}


@pytest.fixture
def project(bg: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A project with jobs, one run, and files whose names have blanks."""
    bg.jobs(JOBS)
    for path in ("tests/unit/a.py", "my dir/b c.txt", "sub/other.yaml"):
        (bg.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (bg.folder / path).write_text("jobs: {elsewhere: {command: 'true'}}\n")
    bg("start", "lint", "--wait", "-q")
    monkeypatch.chdir(bg.folder)
    return bg


def bash(line: str) -> list[str]:
    """Return what is inserted in bash at the end of a line, without the space after a whole word."""
    return [one.removesuffix(" ") for one in protocol.answer("bash", [line, BREAKS]).splitlines()]


def test_what_completes_a_line(project: Cli) -> None:
    found = {line: bash(f"bgrun {line}") for line in LINES}
    assert found == LINES, project


def test_only_active_runs_can_be_stopped(project: Cli) -> None:
    run = project.start("server", "sleep 60")
    assert bash("bgrun stop ") == ["server", run["run_id"]]
    assert bash("bgrun wait ") == ["server", run["run_id"]]
    older = project.json("list", "style")["runs"][0]["run_id"]
    assert set(bash("bgrun status s")) == {"server", "style", run["run_id"], older}
    project("stop", "--all")
    assert bash("bgrun stop ") == []
    assert bash("bgrun wait ") == ["server", "style", "lint"], "the result of one that has finished"


def test_run_ids_differ_by_label_state_and_age(project: Cli) -> None:
    old = project.json("list", "style")["runs"][0]["run_id"]
    run = project.start("server", "sleep 60")
    for line in ["status", old[:-1]], ["status", run["run_id"][:-1]]:
        (shown,) = [one for one in protocol.answer("fish", line).splitlines() if line[1] in one]
        label, state = ("style", "succeeded") if line[1] in old else ("server", "running")
        assert re.search(rf"\t{label} {state} (for )?[0-9.]+s( ago)?$", shown)
    assert f"={run['run_id']}\trunning for " in protocol.answer("fish", ["stop", ""])
    project("stop", "--all")


def test_a_command_after_dashes_is_left_to_the_shell(project: Cli) -> None:
    assert protocol.answer("bash", ["bgrun run x -- A=1 git ch", BREAKS]) == "command 19\n"
    assert protocol.answer("zsh", ["run", "x", "--", "A=1", "git", "ch"]) == "command 4\n"
    assert protocol.answer("fish", ["run", "x", "--", "gi"]) == "command 3\n"
    assert bash("bgrun run x -- A=") == [], project


def test_other_shells_get_descriptions_and_complete_paths_themselves(project: Cli) -> None:
    assert protocol.answer("zsh", ["group", "chec"]) == "=checks\tGroup\n"
    assert "=pytest_full\tThe whole suite\n" in protocol.answer("fish", ["start", ""])
    assert "+count=\tinteger [default 3]\n" in protocol.answer("fish", ["start", "pytest_full", ""])
    assert protocol.answer("zsh", ["start", "pytest_full", "path=te"]) == "files any path=\n"
    assert protocol.answer("zsh", ["list", "--file=b"]) == "files yaml --file=\n"
    assert protocol.answer("zsh", ["-C", "sub", "-f", "o"]) == "=other.yaml\t\n", "relative to another directory"
    assert protocol.answer("tcsh", ["start", ""]) == "", project


def test_every_kind_of_the_spec_is_known() -> None:
    kinds = {*names.KINDS, *offers.PATHS, "param"}
    every = [*PROJECT_OPTIONS, *(one for command in COMMANDS for one in (*command.arguments, *command.options))]
    assert {kind for one in every if one.what for kind in one.what.split(" or ")} <= kinds
    free = {one.name for one in every if not one.what and getattr(one, "kind", "") in ("text", "texts", "path")}
    assert free == {"grep", "since"}, "all other values can be completed"


def complete(bg: Cli, shell: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**bg.env, "_BGRUN_COMPLETE": shell}
    return subprocess.run([*bg.command, *words], cwd=bg.folder, env=env, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("text", ["jobs: broken", "jobs: {a: {comand: x}}", "\0", "a: [", "include: [nowhere.yaml]"])
def test_a_broken_job_file_says_nothing(bg: Cli, text: str) -> None:
    bg.jobs(text)
    for line in ("bgrun start ", "bgrun group x --only ", "bgrun list --tag ", "bgrun start x 'y"):
        done = complete(bg, "bash", line, BREAKS)
        assert (done.stdout, done.stderr) == ("", ""), line
    assert complete(bg, "bash", "bgrun sto", BREAKS).stdout == "stop \n"
    assert complete(bg, "bash").stderr == ""


def test_a_changed_job_file_is_seen_at_once(bg: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (bg.folder / "more.yaml").write_text("jobs: {one: {command: 'true'}}\n")
    bg.jobs("include: {web: more.yaml}\njobs: {own: {command: 'true'}}\n")
    bg("start", "own", "--wait", "-q")
    monkeypatch.chdir(bg.folder)
    for name in ("one", "two", "six"):
        (bg.folder / "more.yaml").write_text(f"jobs: {{{name}: {{command: 'true'}}}}\n")
        assert bash("bgrun start ") == bash("bgrun start ") == ["own", f"web.{name}"]
    wait_until(lambda: bash("bgrun start ") and (bg.logs / ".cache" / "outline").exists(), "the outline is cached")
    assert bash("bgrun start ") == ["own", "web.six"], "from the cache"
    bg.jobs("jobs: {new: {command: 'true'}}\n")
    assert bash("bgrun start ") == ["new"]


def test_it_loads_nothing_heavy(bg: Cli) -> None:
    bg.jobs(JOBS)
    bg("start", "lint", "--wait", "-q")
    wait_until(
        lambda: complete(bg, "bash", "bgrun start ", BREAKS) and (bg.logs / ".cache" / "outline").exists(), "cached"
    )
    code = "import sys; from bgrun.cli import app; app.run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code, "bgrun start pytest_full path=te", BREAKS]
    env = {**bg.env, "PYTHONPATH": str(TOP), "_BGRUN_COMPLETE": "bash"}
    done = subprocess.run(command, cwd=bg.folder, env=env, capture_output=True, text=True, check=True)
    assert not {"click", "jinja2", "jsonschema", "rich", "psutil", "subprocess", "asyncio", "yaml", "re"} & set(
        done.stderr.split()
    )


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), max_size=4))
def test_words_are_split_as_they_were_quoted(texts: list[str]) -> None:
    for quote in (shlex.quote, lambda text: f'"{shell_words.quoted(text, chr(34))}"'):
        line = " ".join(["bgrun", *map(quote, texts)])
        assert [word.text for word in shell_words.split(f"{line} ")] == ["bgrun", *texts, ""]
    typed = [shell_words.quoted(text, "") for text in texts if "\n" not in text]
    assert [word.text for word in shell_words.split(" ".join(typed))][: len(typed)] == [
        text for text in texts if "\n" not in text
    ]


BASH32 = os.environ.get("BGRUN_TEST_BASH32", "")
"""A bash 3.2, as macOS has it."""


def path_of(shell: str) -> str:
    """Return the path of a shell; skip the test where it is missing, or fail it where nothing may be skipped."""
    if shell == "bash32" and not BASH32:
        pytest.skip("BGRUN_TEST_BASH32 names no bash 3.2")
    if not (path := BASH32 if shell == "bash32" else shutil.which(shell)):
        pytest.fail(f"no {shell} here") if surroundings.setting("BGRUN_REQUIRE_SHELLS") else pytest.skip(
            f"no {shell} here"
        )
    return path


INSTALL = {
    "bash": 'eval "$(bgrun completion bash)"; _mine() { COMPREPLY=(alpha); }; complete -F _mine mine',
    "zsh": 'eval "$(bgrun completion zsh)"',
    "fish": "bgrun completion fish | source; complete -c mine -f -a alpha",
}
TYPED = [
    ("bgrun sto", "bgrun stop"),
    ("bgrun start pytest_f", "bgrun start pytest_full"),
    ("bgrun start pytest_full level=v", r"level=very\ high"),
    ('bgrun start pytest_full "level=v', '"level=very high"'),
    ("bgrun start pytest_full level=ht", "level=http://a:1"),
    ("bgrun start pytest_full path=my", r"path=my\ dir/"),
    ("bgrun group checks --only li", "--only lint"),
    ("bgrun list --state=fai", "--state=failed"),
    ("bgrun -f bg", "-f bgjobs.yaml"),
    ("bgrun -C tes", "-C tests/"),
    ("bgrun run x -- mkfif", "-- mkfifo"),
    ("bgrun run x -- A=1 ls te", "ls tests/"),
    ("bgrun run x -- mine al", "mine alpha"),
    ("bgrun run x -- bgrun schema rend", "schema render"),
]


@pytest.mark.parametrize("name", ["bash", "bash32", "zsh", "fish"])
def test_a_real_shell(project: Cli, tmp_path: Path, name: str) -> None:
    kind = name.removesuffix("32")
    with Session(kind, path_of(name), project, program(tmp_path / "programs")) as shell:
        shell.run(INSTALL[kind])
        if kind == "zsh":
            shell.run("_mine() { compadd alpha }; compdef _mine mine")
        for typed, expected in TYPED:
            shell.complete(typed, expected)
        assert "py.docs-1" in shell.complete("bgrun start py", "pytest_full")
        project.jobs("jobs: broken")
        shell.send("bgrun start pyt\t")
        shell.send("est_full \t")
        assert shell.complete("!", "!").endswith("bgrun start pytest_full !"), "nothing but what was typed"


@pytest.mark.parametrize("name", ["bash", "bash32"])
@pytest.mark.parametrize("typed", ['"path=od', "'path=od", "path=od", '"path=odd"\\!"n'])
def test_bash_finds_nothing_of_a_value_in_its_history(project: Cli, tmp_path: Path, name: str, typed: str) -> None:
    (project.folder / "odd!name").touch()
    with Session("bash", path_of(name), project, program(tmp_path / "programs")) as shell:
        shell.run(f"{INSTALL['bash']}; shown() {{ printf '<%s>' \"$@\"; }}")
        shell.send(f"bgrun start pytest_full {typed}\t")
        shell.until("name")
        shell.send("\x01shown \r")
        shell.until("<bgrun><start><pytest_full><path=odd!name>")


def test_zsh_whose_completion_system_is_set_up_afterwards(project: Cli, tmp_path: Path) -> None:
    with Session("zsh", path_of("zsh"), project, program(tmp_path / "programs")) as shell:
        shell.run('eval "$(bgrun completion zsh)"; autoload -Uz compinit; compinit -i')
        shell.complete("bgrun sto", "bgrun stop")


def test_zsh_lists_texts_in_a_column(project: Cli, tmp_path: Path) -> None:
    with Session("zsh", path_of("zsh"), project, program(tmp_path / "programs")) as shell:
        shell.run(INSTALL["zsh"])
        shown = shell.complete("bgrun sta", "status")
        rows = [line for line in shown.splitlines() if "  -- " in line]
        assert {row.split()[0] for row in rows} == {"start", "stats", "status"}
        assert len({row.index("  -- ") for row in rows}) == 1


def test_zsh_loads_the_script_from_its_function_path(project: Cli, tmp_path: Path) -> None:
    with Session("zsh", path_of("zsh"), project, program(tmp_path / "programs")) as shell:
        shell.run(
            "mkdir ~/f; bgrun completion zsh > ~/f/_bgrun; fpath=(~/f $fpath); autoload -Uz compinit; compinit -i"
        )
        shell.complete("bgrun sto", "bgrun stop")
        shell.complete("bgrun start pytest_f", "pytest_full")


def test_bash_completion_completes_the_command_where_it_is_loaded(project: Cli, tmp_path: Path) -> None:
    with Session("bash", path_of("bash"), project, program(tmp_path / "programs")) as shell:
        shell.run('eval "$(bgrun completion bash)"; _command_offset() { COMPREPLY=("$1-${COMP_WORDS[$1]}"); }')
        shell.complete("bgrun run x --env A=1 -- B=2 mine al", "11-mine")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_are_sound(bg: Cli, shell: str) -> None:
    script = bg("completion", shell).out
    assert "To install it" in script.split("\n\n")[0]
    words = [path_of(shell), "--no-execute" if shell == "fish" else "-n", "-c", script]
    subprocess.run(words, check=True, capture_output=True)


def test_a_shell_that_is_none(bg: Cli) -> None:
    assert "'zsh'" in bg("completion", "tcsh", code=2).err
