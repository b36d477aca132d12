"""Rendered job scripts, run by each shell that bgrun runs them with, without any supervisor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.errors import UnknownNameError, UsageError
from bgrun.jobfile import env_names
from bgrun.jobfile.loader import load
from bgrun.local.supervision import job as job_scripts
from bgrun.render import command
from bgrun.render.job import Request, render_command_template, render_job
from bgrun.render.settings import Given
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.templating.inputs import RenderInputs
from tests.conftest import in_folder, wait_until

if TYPE_CHECKING:
    from bgrun.jobfile.specs import JobFile
    from bgrun.plan import RenderedJob

RUN_ID = "job_20260102_030405"
PRINT = ["printf", "%s\\0"]
ARGUMENTS = [
    "",
    " ",
    "a b",
    "'",
    '"',
    "\\",
    "$HOME",
    "$(id)",
    "`id`",
    "a\nb",
    "--",
    "--help",
    "-n",
    "é✓",
    "*",
    "~",
    "!x",
    "\udcff\udc80",
]


@pytest.fixture(params=["bash", "dash", "bash32"], autouse=True)
def shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the shell that runs the scripts of this test."""
    name: str = request.param
    if name == "bash32" and not (name := os.environ.get("BGRUN_TEST_BASH32", "")):
        pytest.skip("BGRUN_TEST_BASH32 names no bash 3.2")
    if not shutil.which(name):
        pytest.skip(f"{name} is not here")
    monkeypatch.setenv("SCRIPT_SHELL", name)
    return name


class Ran(NamedTuple):
    code: int
    out: bytes
    err: bytes
    left: list[str]


def write(rendered: RenderedJob, folder: Path) -> Path:
    jobs = folder / ".logs" / "jobs"
    jobs.mkdir(parents=True, exist_ok=True)
    script = jobs / f"{RUN_ID}.sh"
    script.write_bytes(rendered.script.encode("utf-8", "surrogateescape"))
    return script


def run(rendered: RenderedJob, folder: Path, **env: str) -> Ran:
    script = write(rendered, folder)
    done = subprocess.run(
        [os.environ["SCRIPT_SHELL"], script],
        cwd="/",
        env={**os.environ, **env},
        capture_output=True,
        timeout=30,
        check=False,
    )
    left = sorted(path.name for path in script.parent.parent.iterdir() if path.name != "jobs")
    return Ran(done.returncode, done.stdout, done.stderr, left)


def adhoc(folder: Path, *argv: str, job_file: JobFile | None = None) -> RenderedJob:
    inputs = RenderInputs(os.environ)
    template = render_command_template(given=Given(folder), root=folder, job_file=job_file, inputs=inputs)
    return command.fill(template, "job", command.AdHoc(tuple(argv)))


def declared(folder: Path, text: str, *given: str, extra: tuple[str, ...] = (), name: str = "job") -> RenderedJob:
    (folder / "bgjobs.yaml").write_text(text)
    return render_job(load(folder / "bgjobs.yaml"), Request(name, tuple(given), tuple(extra)), RenderInputs(os.environ))


def test_arguments_arrive_exactly(tmp_path: Path) -> None:
    expected = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in ARGUMENTS)
    assert run(adhoc(tmp_path, *PRINT, *ARGUMENTS), tmp_path) == (0, expected, b"", [])
    job = declared(tmp_path, "jobs: {job: {command: [printf, '%s\\0']}}", extra=tuple(ARGUMENTS))
    assert run(job, tmp_path).out == expected
    job = declared(tmp_path, "jobs: {job: {command: \"printf '%s\\\\0'\"}}", extra=tuple(ARGUMENTS))
    assert run(job, tmp_path).out == expected


SHOW = '#!/bin/sh\nprintf \'%s\\0\' "$0" "$@"\n'


@pytest.mark.parametrize("name", ["./z.sh", "~/z.sh", "~root/z.sh", "x=./z.sh", "./-a=b", "$HOME/z.sh", "a b/c'd"])
def test_a_program_that_is_given_as_a_path_is_run_as_it_is(name: str, tmp_path: Path) -> None:
    """Not expanded, and known to itself by the name that it was called by."""
    (tmp_path / "home").mkdir()
    for path in (tmp_path / name, tmp_path / "home" / "z.sh"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SHOW)
        path.chmod(0o755)
    expected = f"{name}\0~\0a=~/b\0".encode()
    env = {"HOME": str(tmp_path / "home")}
    assert run(adhoc(tmp_path, name, "~", "a=~/b"), tmp_path, **env) == (0, expected, b"", [])
    text = f"jobs: {{job: {{command: [{json.dumps(name)}, '~', 'a=~/b']}}}}"
    assert run(declared(tmp_path, text), tmp_path, **env).out == expected
    (tmp_path / name).unlink()
    assert run(adhoc(tmp_path, name), tmp_path, **env).code == 127


def test_a_program_in_the_path_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("~z", "-a=b", "a=b", "=", "%1", "{", "if", "time", "echo", "!", "a b", "$x", "'", "@", "^"):
        (tmp_path / "bin" / name).write_text(SHOW)
        (tmp_path / "bin" / name).chmod(0o755)
        ran = run(adhoc(tmp_path, name, "x"), tmp_path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
        assert ran == (0, f"{tmp_path}/bin/{name}\0x\0".encode(), b"", []), name


ASCII = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)


@in_folder(25)
@given(ASCII.filter(lambda name: "/" not in name and name not in ("", ".", "..")), st.lists(ASCII, max_size=4))
def test_any_argv_is_run_as_it_is(name: str, words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / name).write_text(SHOW)
        (folder / name).chmod(0o755)
        expected = "\0".join([f"./{name}", *words, ""]).encode()
        assert run(adhoc(folder, f"./{name}", *words), folder) == (0, expected, b"", [])


def test_each_character_of_ascii_arrives(tmp_path: Path) -> None:
    characters = [chr(code) for code in range(1, 128)]
    words = [word for one in characters for word in (one, f"a{one}b", one * 2, f"a={one}/x")]
    expected = "\0".join([*words, ""]).encode()
    assert run(adhoc(tmp_path, *PRINT, *words), tmp_path).out == expected


def test_what_a_shell_sets_itself_reaches_the_command_as_it_was_declared(tmp_path: Path) -> None:
    own = {"UID": "7", "PPID": "1", "RANDOM": "a b", "IFS": "x'", "OPTIND": "no", "LINENO": "no", "BASH_XTRACEFD": "1"}
    text = f"jobs: {{job: {{command: [env], env: {json.dumps(own)}}}}}"
    said = run(declared(tmp_path, text), tmp_path)
    assert (said.code, said.err) == (0, b"")
    assert {f"{name}={value}" for name, value in own.items()} <= set(said.out.decode().splitlines())
    (tmp_path / "bgjobs.yaml").write_text(f"defaults: {{env: {json.dumps(own)}}}")
    job_file = load(tmp_path / "bgjobs.yaml")
    job = adhoc(tmp_path, "env", job_file=job_file)
    assert {f"{name}={value}" for name, value in own.items()} <= set(run(job, tmp_path).out.decode().splitlines())
    with pytest.raises(UsageError, match="whose name contains '='"):
        adhoc(tmp_path, "a=b", job_file=job_file)
    text = f"jobs: {{job: {{command: 'exit 3', env: {json.dumps(own)}}}}}"
    assert run(declared(tmp_path, text), tmp_path) == (3, b"", b"", [])


@pytest.mark.parametrize(
    "name", ["bgrun_code", "bgrun_anything", "BGRUN_GATE", "BGRUN_RUN_ID", "SHELLOPTS", "BASHOPTS"]
)
def test_a_variable_that_would_change_the_result_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text(f"A=1\n\n{name}=0\n")
    for job, where in (
        (f"env: {{A: 1, {name}: x}}", f"bgjobs.yaml:1:45: jobs.job.env.{name}: "),
        (f"secrets: [A, {name}]", "bgjobs.yaml:1:46: jobs.job.secrets[1]: "),
        ("env_file: a.env", "a.env:3: "),
    ):
        with pytest.raises(UsageError) as caught:
            declared(tmp_path, f"jobs: {{job: {{command: 'exit 3', {job}}}}}")
        assert where in caught.value.message
        assert name in caught.value.message
    with pytest.raises(UsageError, match=rf"bgjobs\.yaml:1:18: defaults\.env\.{name}"):
        declared(tmp_path, f"defaults: {{env: {{{name}: x}}}}\njobs: {{job: {{command: 'exit 3'}}}}")
    with pytest.raises(UsageError, match="variable UID is set by the shell"):
        declared(tmp_path, "jobs: {job: {command: 'exit 3', secrets: [UID]}}")


def test_the_names_of_the_script_are_those_that_are_refused() -> None:
    assert {MARK_RUN, MARK_DIR, job_scripts.GATE} == {
        name for name in env_names._OF_THE_SCRIPT if env_names.refusal(name)[0]
    }


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["true"], 0, b""),
        (["bash", "-c", "exit 3"], 3, b""),
        (["no-such-program-here"], 127, b"not found"),
        (["./plain"], 126, b"Permission denied"),
        (["bash", "-c", "kill -9 $$"], 137, None),
        (["bash", "-c", "kill -TERM $$"], 143, None),
    ],
)
def test_the_code_is_the_commands_own(argv: list[str], code: int, said: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    ran = run(adhoc(tmp_path, *argv), tmp_path)
    assert ran.code == code
    assert ran.out == b""
    if said is None:
        assert ran.err == b"", "what bash says of a killed command got into the log"
    else:
        assert said in ran.err


def test_a_builtin_or_function_never_stands_in_for_a_program(tmp_path: Path) -> None:
    (tmp_path / "cd").write_text("#!/bin/sh\necho the program\n")
    (tmp_path / "cd").chmod(0o755)
    ran = run(adhoc(tmp_path, "cd"), tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert ran.out == b"the program\n"


def test_a_failure_in_a_pipe_is_not_hidden(tmp_path: Path) -> None:
    assert run(declared(tmp_path, "jobs: {job: {command: 'false | cat'}}"), tmp_path).code == 1
    assert run(declared(tmp_path, "jobs: {job: {command: 'false | cat', shell: sh}}"), tmp_path).code == 0


@pytest.mark.parametrize(("mark", "left"), [(RUN_ID, [f".{RUN_ID}.exit"]), ("other_run", []), ("", [])])
def test_the_script_records_a_code_only_for_its_own_run(mark: str, left: list[str], tmp_path: Path) -> None:
    """While its parent lives it leaves it to that to bring the code into view."""
    ran = run(adhoc(tmp_path, "bash", "-c", "exit 3"), tmp_path, BGRUN_RUN_ID=mark)
    assert (ran.code, ran.left) == (3, left)
    if left:
        exit_file = tmp_path / ".logs" / left[0]
        assert exit_file.read_text() == "3\n"
        assert exit_file.stat().st_mode & 0o777 == 0o600


def test_the_script_publishes_its_code_where_its_parent_is_gone(shell: str, tmp_path: Path) -> None:
    parent, up, code = tmp_path / "parent", tmp_path / "up", tmp_path / ".logs" / f"{RUN_ID}.exit"
    wait = f"touch {up}; until [ ! -d /proc/$(cat {parent}) ]; do sleep 0.01; done; exit 3"
    script = write(adhoc(tmp_path, "bash", "-c", wait), tmp_path)
    start = f"echo $$ >{parent}; {shell} {script} & until [ -e {up} ]; do sleep 0.01; done; exit"
    subprocess.run(["bash", "-c", start], env={**os.environ, "BGRUN_RUN_ID": RUN_ID}, check=True)
    wait_until(code.exists, "the code is in view")
    assert code.read_text() == "3\n"
    assert not list(code.parent.glob(".*"))


def test_a_script_that_is_not_let_in_does_nothing(shell: str, tmp_path: Path) -> None:
    script = write(adhoc(tmp_path, "touch", "ran"), tmp_path)
    read_fd, write_fd = os.pipe()
    command = ["bash", "-c", f"exec {shell} {script} 8<&{read_fd}"]
    env = {**os.environ, "BGRUN_RUN_ID": RUN_ID, "BGRUN_GATE": "1"}
    with subprocess.Popen(command, env=env, pass_fds=[read_fd]) as job:
        os.close(write_fd)
        os.close(read_fd)
        assert job.wait(20) == 125
    assert [path.name for path in tmp_path.iterdir()] == [".logs"]
    assert [path.name for path in (tmp_path / ".logs").iterdir()] == ["jobs"]


def test_a_script_that_is_terminated_says_nothing(shell: str, tmp_path: Path) -> None:
    script = write(adhoc(tmp_path, "bash", "-c", "echo up > up; exec sleep 60"), tmp_path)
    env = {**os.environ, "BGRUN_RUN_ID": RUN_ID}
    job = subprocess.Popen([shell, script], env=env, start_new_session=True)
    try:
        wait_until((tmp_path / "up").exists, "the command is up")
        os.killpg(job.pid, signal.SIGTERM)
        assert job.wait(20) != 0
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
    assert [path.name for path in (tmp_path / ".logs").iterdir()] == ["jobs"]


@pytest.mark.parametrize("more", ["", ", retry: {max: 3}"], ids=["once", "retried"])
def test_a_command_that_sees_to_an_interrupt_itself_has_its_own_code(shell: str, more: str, tmp_path: Path) -> None:
    command = 'trap "sleep 0.2; exit 7" INT; touch up; while :; do sleep 0.02; done'
    script = write(declared(tmp_path, f"jobs: {{job: {{command: '{command}'{more}}}}}"), tmp_path)
    job = subprocess.Popen([shell, script], start_new_session=True)
    try:
        wait_until((tmp_path / "up").exists, "the command is up")
        (tmp_path / "up").unlink()
        os.killpg(job.pid, signal.SIGINT)
        assert job.wait(20) == 7
        assert not (tmp_path / "up").exists(), "it was tried again"
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()


def test_a_program_whose_name_begins_with_a_dash(tmp_path: Path) -> None:
    (tmp_path / "-x").write_text("#!/bin/sh\necho the program $1\n")
    (tmp_path / "-x").chmod(0o755)
    ran = run(adhoc(tmp_path, "-x", "-y"), tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert ran.out == b"the program -y\n"


def test_the_command_starts_in_the_state_the_script_was_given(shell: str, tmp_path: Path) -> None:
    if shell not in ("bash", "dash"):
        pytest.skip("bash 3.2 leaves a command its own copy of the log's descriptor open")
    look = "umask; trap; ls /dev/fd | grep -vx '[012]' | wc -l"
    ran = run(adhoc(tmp_path, "bash", "-c", look), tmp_path)
    by_hand = subprocess.run(["bash", "-c", look], capture_output=True, check=True)
    assert ran.out == by_hand.stdout


def test_environment_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=file\nB=file\nGIT_PAGER=less\nC=${A}-${B}\n")
    text = """
defaults: {env: {A: default, D: "{{ job }}", E: true, F: 1.5}, env_file: a.env}
jobs: {job: {command: 'echo "$A $B $C $D $E $F $GIT_PAGER $GH_PAGER $PYTHONUNBUFFERED"', env: {B: "it's {{ p }}"}, params: {p: {default: $x}}}}
"""
    assert run(declared(tmp_path, text), tmp_path).out == b"default it's $x file-file job true 1.5 less cat 1\n"


def test_venv(tmp_path: Path) -> None:
    for name in ("sub/.venv", "venv", "named"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "pyvenv.cfg").touch()
    text = 'jobs: {{job: {{command: \'echo "$VIRTUAL_ENV"; echo "$PATH"\', working_dir: {}, venv: {}}}}}'

    def found(working_dir: str, venv: str) -> str:
        ran = run(declared(tmp_path, text.format(working_dir, venv)), tmp_path, VIRTUAL_ENV="", PYTHONHOME="")
        folder, path = ran.out.decode().splitlines()
        assert not folder or path.startswith(f"{folder}/bin:")
        return folder

    assert found("sub", "auto") == f"{tmp_path}/sub/.venv"
    assert found(".", "auto") == f"{tmp_path}/venv"
    assert found(".", "named") == f"{tmp_path}/named"
    assert found(".", "false") == ""
    with pytest.raises(UsageError, match="is not a virtual environment"):
        found(".", "missing")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{command: 'true', working_dir: gone}", "working_dir .*gone is not a directory"),
        ("{command: 'true', env_file: gone.env}", "env_file gone.env"),
        ("{command: 'true', label: '{{ env.HOME }}'}", "invalid label"),
        ("{command: 'echo {{ env.NOT_SET_HERE }}'}", "NOT_SET_HERE"),
        ("{command: 'print({{ env.HOME }})', shell: python3}", "cannot quote a value"),
        ("{command: 'if true; then'}", "invalid bash syntax"),
    ],
)
def test_what_cannot_be_rendered_is_reported(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=expected):
        declared(tmp_path, f"jobs: {{job: {text}}}")


def test_an_unknown_job_and_a_groups_name(tmp_path: Path) -> None:
    text = "jobs: {job: {command: 'true'}}\ngroups: {all: {jobs: [job]}}"
    with pytest.raises(UnknownNameError) as caught:
        declared(tmp_path, text, name="jobb")
    assert "'job'" in caught.value.hint
    with pytest.raises(UnknownNameError) as caught:
        declared(tmp_path, text, name="all")
    assert "bgrun group all" in caught.value.hint
