"""A report of a success has its warnings: a run of a compiler that only warned, or what a matcher takes for a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgrun import api
from bgrun.mcp import texts

if TYPE_CHECKING:
    from tests.conftest import Cli

UNUSED = "main.c:3:7: warning: unused variable 'x' [-Wunused-variable]"
OTHER = "main.c:9:1: warning: control reaches end of non-void function [-Wreturn-type]"
ERROR = "main.c:5:2: error: expected ';' before 'return'"
JOBS = """
jobs:
  cc: {command: "cat out; test ! -e bad"}
  todo:
    command: echo 'TODO a.c:7 later'
    problems: [{owner: todo, severity: warning, pattern: [{regexp: '^TODO (.*):(\\d+) (.*)$', file: 1, line: 2, message: 3}]}]
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    return bg


def ran(cli: Cli, *lines: str, job: str = "cc", code: int = 0) -> dict[str, Any]:
    """Run the job with this output, and return its summary."""
    (cli.folder / "out").write_text("".join(f"{line}\n" for line in lines))
    cli("start", job, "--wait", code=code)
    digest: dict[str, Any] = cli.json("report", job)["digest"]
    return digest


def test_the_report_of_a_success_has_its_warnings(project: Cli) -> None:
    digest = ran(project, UNUSED)
    assert digest["counts"] == {"warnings": 1}
    assert [(one["file"], one["line"], one["severity"]) for one in digest["problems"]] == [("main.c", 3, "warning")]
    out = project("report", "cc").out.splitlines()
    assert out[0].startswith("succeeded cc_")
    assert out[1] == "1 warning"
    assert out[2].startswith("main.c:3")
    assert "unused variable" in out[2]
    assert out[3].startswith("LOG ")
    assert project("report", "cc", "--format", "github").out.startswith("::warning file=main.c,line=3")


def test_a_matcher_that_warns_does_so_of_a_success(project: Cli) -> None:
    digest = ran(project, job="todo")
    assert [(one["file"], one["line"], one["message"]) for one in digest["problems"]] == [("a.c", 7, "later")]
    assert digest["counts"] == {"warnings": 1}


def test_wait_and_status_of_a_success_make_no_summary(project: Cli) -> None:
    (project.folder / "out").write_text(f"{UNUSED}\n")
    assert (
        "warning" not in project("start", "cc", "--wait").out + project("wait", "cc").out + project("status", "cc").out
    )
    assert not [path for path in (project.logs / "jobs").iterdir() if path.name.endswith(".digest.json")]


def test_what_is_new_and_fixed_are_warnings_that_were_shown(project: Cli) -> None:
    ran(project, UNUSED)
    ran(project, UNUSED, OTHER)
    out = project("report", "cc").out.splitlines()
    assert out[1] == "2 warnings; 1 new, 0 fixed"
    assert out[2].startswith("NEW main.c:9")
    assert ran(project, UNUSED)["comparison"]["fixed"] == 1
    ran(project)
    assert project("report", "cc").out.splitlines()[1] == "1 fixed"


def test_what_looked_like_an_error_of_a_success_is_neither_shown_nor_fixed(project: Cli) -> None:
    digest = ran(project, ERROR, UNUSED)
    assert (digest["counts"], digest["problems"], digest["more"]) == (None, [], 0)
    digest = ran(project)
    assert not (digest["comparison"] or {}).get("fixed")
    assert "fixed" not in project("report", "cc").out


def test_warnings_that_errors_hide_are_not_fixed(project: Cli) -> None:
    ran(project, UNUSED)
    (project.folder / "bad").touch()
    digest = ran(project, ERROR, UNUSED, code=1)
    assert [one["severity"] for one in digest["problems"]] == ["error"]
    assert digest["comparison"] is None or digest["comparison"]["fixed"] is None


def test_many_warnings_are_counted_and_ten_are_listed(project: Cli) -> None:
    lines = [f"main.c:{line}:1: warning: unused variable 'x{line}' [-Wunused-variable]" for line in range(1, 1301)]
    digest = ran(project, *lines)
    assert (digest["counts"], len(digest["problems"]), digest["more"]) == ({"warnings": 1300}, 10, 1290)


def test_an_agent_reads_their_number_with_the_result(project: Cli) -> None:
    ran(project, UNUSED, OTHER)
    (found,) = {one["run_id"] for one in project.json("list", "cc")["runs"]}
    located = api.locate(str(project.folder))
    lines = list(texts.result(located, api.runs.read(located, found)))
    assert len(lines) == 1
    assert lines[0].endswith(": 2 warnings")
