"""`rerun JOB --failed` runs the failed tests alone, whatever their names hold, and nothing else counts as that job."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.api.failed_tests import as_argument, is_after_dashes
from bgrun.errors import UsageError
from tests.conftest import TOP

if TYPE_CHECKING:
    from tests.conftest import Cli

STRANGE = [
    "tests/test a.py::test_x[a b]",
    "tests/test_b.py::test_x['quoted' \"twice\"]",
    "tests/test_b.py::TestC::test_y[$(touch pwned) `touch pwned` ; touch pwned]",
    "tests/test_b.py::test_z[\\ * ? ~ {a,b} \\u00e9 é]",
    "tests/test_b.py::test_dash[-x]",
]
PRINT = "import json, sys; json.dump(sys.argv[1:], open('argv.json', 'w'))"
REPORT = """
import sys
from xml.sax.saxutils import quoteattr
cases = []
for id in open("failing").read().splitlines():
    file, *group, name = id.split("::")
    group = ".".join([file.removesuffix(".py").replace("/", "."), *group])
    cases.append(f"<testcase file={quoteattr(file)} classname={quoteattr(group)} name={quoteattr(name)}><failure message='no'/></testcase>")
open("out.xml", "w").write(f"<testsuite>{''.join(cases)}</testsuite>")
sys.exit(bool(cases))
"""
JOBS = f"""
jobs:
  tests:
    params: {{level: {{default: low}}}}
    command: {shlex.quote(sys.executable)} report.py
    rerun: {shlex.quote(sys.executable)} print.py --level {{{{ level }}}} {{{{ failed }}}}
    reports: {{junit: out.xml}}
  argv:
    command: {json.dumps([sys.executable, "report.py"])}
    rerun: {json.dumps([sys.executable, "print.py", "--", "{{ failed }}", "end"])}
    reports: {{junit: out.xml}}
  none: {{command: exit 1, rerun: "echo {{{{ failed }}}}"}}
  undeclared: {{command: exit 1}}
groups: {{both: {{jobs: [none, undeclared]}}}}
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    (bg.folder / "print.py").write_text(PRINT)
    (bg.folder / "report.py").write_text(REPORT)
    return bg


def failing(cli: Cli, *ids: str, job: str = "tests") -> dict[str, Any]:
    """Run a job whose tests of these IDs fail."""
    (cli.folder / "failing").write_text("\n".join(ids))
    run: dict[str, Any] = cli.json("start", job, "--wait", code=None)
    return run


def argv(cli: Cli) -> list[str]:
    """Return the arguments that the rerun was given."""
    found: list[str] = json.loads((cli.folder / "argv.json").read_text())
    return found


def test_each_failed_test_is_one_argument_whatever_its_id_holds(project: Cli) -> None:
    run = failing(project, *STRANGE)
    done = project("rerun", "tests", "--failed", "--wait")
    assert argv(project) == ["--level", "low", *STRANGE]
    assert f"only 5 failed tests of {run['run_id']}" in done.err
    assert not (project.folder / "pwned").exists()
    failing(project, *STRANGE, job="argv")
    project("rerun", "argv", "--failed", "--wait")
    assert argv(project) == ["--", *STRANGE, "end"]


def test_an_id_that_looks_like_an_option_is_none(project: Cli) -> None:
    failing(project, "-p/test_a.py::test_x", "@args.py::test_y")
    project("rerun", "tests", "--failed", "--wait")
    assert argv(project) == ["--level", "low", "./-p/test_a.py::test_x", "./@args.py::test_y"]


def test_parameters_and_label_are_those_of_the_run(project: Cli) -> None:
    project.jobs(JOBS.replace("  tests:\n", "  tests:\n    label: t_{{ level }}\n"))
    (project.folder / "failing").write_text("a.py::b")
    run = project.json("start", "tests", "level=high", "--wait", code=None)
    again = project.json("rerun", run["run_id"], "--failed", "--wait")
    assert (again["label"], again["job"], again["only_failed_of"]) == ("t_high", "tests", run["run_id"])
    assert argv(project) == ["--level", "high", "a.py::b"]
    assert f"(only 1 failed test of {run['run_id']};" in project("report", again["run_id"]).out


def test_it_is_no_run_of_the_whole_job(project: Cli) -> None:
    failing(project, "a.py::b")
    again = project.json("rerun", "tests", "--failed", "--wait")
    assert again["state"] == "succeeded"
    assert f"; only failed tests of {again['only_failed_of']}\n" in project("status", "tests").out
    stats = project.json("stats", "tests")["labels"][0]
    assert (stats["runs"], stats["succeeded"], stats["median_s"]) == (1, 0, None)
    assert project.json("rerun", again["run_id"], "--wait")["only_failed_of"] == again["only_failed_of"]


def test_more_than_the_system_takes_are_cut_and_that_is_said(project: Cli) -> None:
    ids = [f"tests/test_{number}.py::test_{'x' * 200}" for number in range(900)]
    run = failing(project, *ids)
    done = project("rerun", "tests", "--failed", "--wait")
    ran = argv(project)[2:]
    assert ran == ids[: len(ran)]
    assert 300 < len(ran) < 900
    assert f"only {len(ran)} of 900 failed tests of {run['run_id']}: a command takes no more" in done.err


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("none", "no failed test of none_"),
        ("undeclared", "job 'undeclared' does not declare `rerun:`"),
    ],
)
def test_without_ids_or_a_command_for_them_one_line_says_so(project: Cli, job: str, message: str) -> None:
    run = project.json("start", job, "--wait", code=None)
    done = project("rerun", job, "--failed", code=2)
    assert message in done.err.splitlines()[0]
    assert len(done.err.splitlines()) == 2, "a line and a hint"
    assert [one["run_id"] for one in project.json("list", job)["runs"]] == [run["run_id"]]


def test_nothing_is_rerun_of_a_run_without_a_job_that_succeeded_or_still_runs(project: Cli) -> None:
    project("run", "adhoc", "--wait", "--", "false", code=1)
    assert "--failed needs a group run or a job with `rerun:`" in project("rerun", "adhoc", "--failed", code=2).err
    run = failing(project)
    assert run["state"] == "succeeded"
    assert f"nothing failed in {run['run_id']}" in project("rerun", "tests", "--failed", code=2).err
    project.jobs(JOBS.replace("command: exit 1, rerun", "command: sleep 60, rerun"))
    live = project.json("start", "none")
    assert "is still running" in project("rerun", "none", "--failed", code=2).err
    project("stop", live["run_id"])


def test_of_a_group_whole_jobs_are_rerun(project: Cli) -> None:
    project("group", "both", "--wait", code=1)
    again = project.json("rerun", "both", "--failed", "--wait", code=1)
    assert {(one["job"], one["only_failed_of"]) for one in again["runs"]} == {("none", None), ("undeclared", None)}


@pytest.mark.parametrize(
    ("rerun", "is_after"),
    [
        ("x -- {{ failed }}", True), ("x --  {{- failed }}", True), ("x {{ failed }} -- y", False), ("x--{{ failed }}", False),
        (("x", "--", "{{ failed }}"), True), (("x", "{{ failed }}", "--"), False), (("x", "--y", "{{ failed }}"), False),
    ],
)  # fmt: skip
def test_whether_ids_come_after_dashes(rerun: str | tuple[str, ...], is_after: bool) -> None:
    assert is_after_dashes(rerun) == is_after


def test_an_option_is_refused_as_a_test() -> None:
    assert as_argument("-x", after_dashes=True) == "-x"
    with pytest.raises(UsageError, match="'-x' for an option"):
        as_argument("-x", after_dashes=False)


def test_an_id_with_a_masked_secret_is_not_one(project: Cli) -> None:
    """Its hidden part is not known; the test cannot be named."""
    project.jobs(JOBS.replace("  tests:\n", "  tests:\n    secrets: [TOKEN]\n"))
    (project.folder / "failing").write_text("a.py::b[hunter2]\na.py::c\na.py::d[***]")
    run = project.json("start", "tests", "--wait", code=None, TOKEN="hunter2")
    done = project("rerun", run["run_id"], "--failed", "--wait", TOKEN="hunter2")
    assert argv(project) == ["--level", "low", "a.py::c"]
    assert f"only 1 of 3 failed tests of {run['run_id']}: not all were recognized" in done.err


def test_pytest_runs_the_failed_tests_alone(bg: Cli) -> None:
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    bg.jobs(f'jobs: {{t: {{working_dir: sub, command: {command}, rerun: "{command} {{{{ failed }}}}"}}}}')
    folder = bg.folder / "sub" / "my tests"
    folder.mkdir(parents=True)
    (folder / "test_a.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.parametrize('v', ['a b', \"it's\", 'x::y', '[z]', '-n', 'a - b', '$HOME `x`', 'ok'])\n"
        "def test_v(v): assert v == 'ok' or os.path.exists('fixed')\n"
        "class TestC:\n    def test_m(self): assert os.path.exists('fixed')\n"
    )
    first = bg.json("start", "t", "--wait", code=1)
    assert first["digest"]["counts"] == {"failed": 8, "passed": 1}
    (bg.folder / "sub" / "fixed").touch()
    again = bg.json("rerun", "t", "--failed", "--wait")
    assert again["digest"]["counts"] == {"passed": 8}


def test_a_pattern_of_several_ids_is_one_argument(project: Cli) -> None:
    """As the guide has it for go, which takes one pattern with the names of tests without those of subtests."""
    page = (TOP / "docs/how-to/work-through-failures.md").read_text(encoding="utf-8")
    item = next(line for line in page.splitlines() if "id.split" in line).partition("- ")[2]
    rerun = f"[{json.dumps(sys.executable)}, print.py, -run, {item}]"
    project.jobs(f"jobs: {{go: {{command: {sys.executable} report.py, rerun: {rerun}, reports: {{junit: out.xml}}}}}}")
    (project.folder / "report.py").write_text(
        REPORT.replace("file={quoteattr(file)} classname={quoteattr(group)} ", "")
    )
    failing(project, "a::TestA", "a::TestTable/a_b", job="go")
    project("rerun", "go", "--failed", "--wait")
    assert argv(project) == ["-run", "^(TestA|TestTable)$"]


def test_files_that_could_not_be_loaded_are_left_out_beside_failed_tests(bg: Cli) -> None:
    """One of them would stop pytest before it runs a test."""
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    bg.jobs(f'jobs: {{t: {{command: {command} --continue-on-collection-errors, rerun: "{command} {{{{ failed }}}}"}}}}')
    for name in "ab":
        (bg.folder / f"test_{name}.py").write_text("import nothing_of_this_name\n")
    (bg.folder / "test_c.py").write_text("def test_c(): assert 0\n")
    run = bg.json("start", "t", "--wait", code=1)
    done = bg("rerun", "t", "--failed", "--wait", code=1)
    said = f"only 1 failed test of {run['run_id']}: 2 files that could not be loaded are left out"
    assert said in done.err
    assert f"({said})" in done.out
    assert "\n1 failed\n" in bg("report", "t").out


def test_what_cannot_be_named_is_said(bg: Cli) -> None:
    log = TOP / "tests/fixtures/tools/jest/jest27-broken.log"
    argv = [sys.executable, "-c", "import sys; print(sys.argv[1:])", "{{ failed }}"]
    bg.jobs(f"jobs: {{t: {{command: 'cat {log}; exit 1', rerun: {json.dumps(argv)}}}}}")
    run = bg.json("start", "t", "--wait", code=1)
    problems = run["digest"]["problems"]
    unloaded = {one["file"] for one in problems if one["phase"] == "collection"}
    assert unloaded
    err = bg("rerun", "t", "--failed", "--wait").err
    assert "not all were recognized" not in err
    assert f"{len(unloaded)} file" in err
    assert "left out" in err


@pytest.fixture
def two_roots(bg: Cli) -> Cli:
    """Two directories of tests that a program tests one after the other, without a word about where it is."""
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
    (bg.folder / "all.sh").write_text(f"(cd api && {command}) ; (cd web && {command}) ; exit 1\n")
    bg.jobs(f'jobs: {{t: {{command: sh all.sh, rerun: "{command} {{{{ failed }}}}"}}}}')
    for name in ("api", "web"):
        (bg.folder / name / "tests").mkdir(parents=True)
        (bg.folder / name / "pytest.ini").write_text("[pytest]\n")
        (bg.folder / name / "tests" / f"test_{name}.py").write_text("def test_x(): assert 0\n")
    return bg


def test_ids_of_another_directory_are_made_relative_to_that_of_the_rerun(two_roots: Cli) -> None:
    (two_roots.folder / "pytest.ini").write_text("[pytest]\n")
    two_roots("start", "t", "--wait", code=1)
    for _ in range(2):
        two_roots("rerun", "t", "--failed", "--wait", code=1)
        out = two_roots("report", "t").out
        assert "\n2 failed\n" in out
        assert "\napi/tests/test_api.py:1 test_x: assert 0\n" in out
        assert "\nweb/tests/test_web.py:1 test_x: assert 0\n" in out


def test_a_test_without_its_file_is_not_named(two_roots: Cli) -> None:
    """Without a configuration above both, pytest takes one for its root and names a test of the other `api::test_x`."""
    two_roots("start", "t", "--wait", code=1)
    two_roots("rerun", "t", "--failed", "--wait", code=1)
    done = two_roots("rerun", "t", "--failed", "--wait", code=1)
    assert "only 1 of 2 failed tests of t_" in done.err
    assert ": some have no ID" in done.err


def test_an_id_that_may_be_in_several_files_is_refused(two_roots: Cli) -> None:
    for name in ("api", "web"):
        (two_roots.folder / name / "tests" / "test_both.py").write_text("def test_x(): assert 0\n")
    run = two_roots.json("start", "t", "--wait", code=1)
    err = two_roots("rerun", "t", "--failed", code=2).err
    assert "tests/test_both.py of a failed test may be any of api/tests/test_both.py, web/tests/test_both.py" in err
    assert [one["run_id"] for one in two_roots.json("list", "t")["runs"]] == [run["run_id"]]


# --- files ------------------------------------------------------------------------------------


def test_each_file_of_a_failed_test_is_one_argument(project: Cli) -> None:
    project.jobs(JOBS.replace("{{ failed }}", "{{ failed_files }}"))
    files = ["tests/test a.py", "tests/test_$(touch pwned).py", "-p.py", "@b.py"]
    (project.folder / "tests").mkdir()
    for file in files:
        (project.folder / file).touch()
    run = failing(project, *(f"{file}::test_{n}" for file in files for n in range(2)), "gone.py::test_x")
    done = project("rerun", "tests", "--failed", "--wait")
    assert argv(project) == ["--level", "low", *files[:2], "./-p.py", "./@b.py"]
    assert f"only 4 files with failed tests of {run['run_id']}: not every failed test has a known file" in done.err
    failing(project, *(f"{file}::test_x" for file in files), job="argv")
    project("rerun", "argv", "--failed", "--wait")
    assert argv(project) == ["--", *files[:2], "./-p.py", "./@b.py", "end"]
    assert not (project.folder / "pwned").exists()


def test_without_a_known_file_one_line_says_so(project: Cli) -> None:
    project.jobs(JOBS.replace("{{ failed }}", "{{ failed_files }}"))
    run = failing(project, "gone.py::test_x")
    done = project("rerun", "tests", "--failed", code=2)
    assert f"no file of a failed test of {run['run_id']} was recognized" in done.err.splitlines()[0]


def test_ids_and_files_may_both_be_used(project: Cli) -> None:
    project.jobs(JOBS.replace("{{ failed }}", "{{ failed }} -- {{ failed_files }}"))
    (project.folder / "a.py").touch()
    failing(project, "a.py::test_x", "a.py::test_y", "gone.py::test_z")
    done = project("rerun", "tests", "--failed", "--wait")
    assert argv(project) == ["--level", "low", "a.py::test_x", "a.py::test_y", "gone.py::test_z", "--", "a.py"]
    assert "only 3 failed tests of tests_" in done.err


def test_pytest_runs_the_files_of_failed_tests_and_those_that_could_not_be_loaded(bg: Cli) -> None:
    command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider --continue-on-collection-errors"
    bg.jobs(f'jobs: {{t: {{working_dir: sub, command: {command}, rerun: "{command} {{{{ failed_files }}}}"}}}}')
    folder = bg.folder / "sub" / "my tests"
    folder.mkdir(parents=True)
    fixed = "import os\nfixed = os.path.exists('fixed')\n"
    (folder / "test_a.py").write_text(fixed + "def test_one(): assert fixed\ndef test_two(): pass\n")
    (folder / "test_b.py").write_text("def test_three(): pass\n")
    (folder / "test_c.py").write_text(fixed + "assert fixed, 'no'\ndef test_four(): pass\n")
    run = bg.json("start", "t", "--wait", code=1)
    (bg.folder / "sub" / "fixed").touch()
    done = bg("rerun", "t", "--failed", "--wait")
    assert f"only 2 files with failed tests of {run['run_id']}\n" in done.err
    assert bg.json("report", "t")["digest"]["counts"] == {"passed": 3}


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
def test_node_runs_the_files_of_failed_tests_alone(bg: Cli) -> None:
    """Its IDs are no arguments; the log names each file as a whole path."""
    command = "node --test --test-reporter=spec"
    bg.jobs(f'jobs: {{t: {{working_dir: web, command: {command}, rerun: "{command} {{{{ failed_files }}}}"}}}}')
    folder = bg.folder / "web" / "test"
    folder.mkdir(parents=True)
    head = "const test = require('node:test');\nconst fs = require('node:fs');\n"
    failing = "test('fails', () => { if (!fs.existsSync('fixed')) throw new Error('no'); });\n"
    (folder / "a b.test.js").write_text(f"{head}{failing}test('works', () => {{}});\n")
    (folder / "c.test.js").write_text(f"{head}test('other', () => {{}});\n")
    first = bg.json("start", "t", "--wait", code=1)
    assert first["digest"]["counts"] == {"failed": 1, "passed": 2}
    (bg.folder / "web" / "fixed").touch()
    again = bg.json("rerun", "t", "--failed", "--wait")
    assert again["digest"]["counts"] == {"passed": 2}
