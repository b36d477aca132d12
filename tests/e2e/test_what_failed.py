"""What failed is shown whatever ran, with nothing declared: from the output of real tools, recorded as fixtures."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TOP

if TYPE_CHECKING:
    from tests.conftest import Cli

TOOLS = TOP / "tests" / "fixtures" / "tools"
RUFF = "tests/test_0.py:3:1: F401 `os` imported but unused\n"
JUNIT = '<testsuite><testcase classname="tests.test_0" name="{}" file="tests/test_0.py"><failure message="boom"/></testcase></testsuite>'


def failed(bg: Cli, command: str, *words: str) -> dict[str, Any]:
    """Run a command that fails and return its digest."""
    bg("run", "x", "--wait", *words, "--", "sh", "-c", f"{command}; exit 1", code=1)
    digest: dict[str, Any] = bg.json("report", "x")["digest"]
    return digest


def named(digest: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(one["file"], one["line"], one["id"]) for one in digest["problems"]]


SUITE = [
    ("tests/test_0.py", line, f"tests/test_0.py::test_{number}") for line, number in ((2, 1), (3, 2), (6, 5), (8, 7))
]


@pytest.mark.parametrize("through", ["suite", "make", "npm", "tox"])
def test_four_failures_of_sixty_directly_and_through_other_tools(bg: Cli, through: str) -> None:
    digest = failed(bg, f"cat {TOOLS}/pytest/{through}_9_2.log")
    assert named(digest) == SUITE
    assert (digest["counts"], digest["unrecognized"]) == ({"failed": 4, "passed": 56}, 0)
    text = bg("report", "x").out
    assert "4 failed, 56 passed\ntests/test_0.py:2 test_1: assert (0 or 1 not in (1, 2, 5, 7))\n" in text
    assert "make:" not in text


def test_a_wrapper_counts_only_alone_and_then_the_log_is_shown(bg: Cli) -> None:
    digest = failed(bg, "echo preparing; echo 'make: *** [Makefile:2: test] Error 1'")
    assert named(digest) == [("Makefile", 2, "test")]
    assert digest["tail"] == ["preparing", "make: *** [Makefile:2: test] Error 1"]
    assert bg("report", "x").out.splitlines()[2:-1] == ["Makefile:2 test: Error 1", "  preparing"]
    assert "  preparing\n" in bg("report", "x").out


GCC = """main.c:2:24: error: 'x' undeclared (first use in this function)
    2 | int main(void){ return x; }
      |                        ^
main.c:2:24: note: each undeclared identifier is reported only once for each function it appears in
"""
MAKE = "make: *** [Makefile:2: prog] Error 1\n"


@pytest.mark.parametrize(("log", "rest"), [(GCC + MAKE, []), (f"{GCC}disk full\n{MAKE}", ["  disk full"])])
def test_what_explains_nothing_is_not_shown_below_a_problem(bg: Cli, log: str, rest: list[str]) -> None:
    (bg.folder / "log").write_text(log)
    failed(bg, "cat log")
    problem = "main.c:2: 'x' undeclared (first use in this function)"
    assert [line for line in bg("report", "x").out.splitlines()[2:-1] if "note:" not in line] == [problem, *rest]


def test_what_the_tool_counted_beyond_what_was_found_is_said(bg: Cli) -> None:
    digest = failed(bg, f"cat {TOOLS}/pytest/cut_9_2.log")
    assert (len(digest["problems"]), digest["unrecognized"]) == (4, 7)
    assert "… 7 more not recognized\n" in bg("report", "x").out


def test_a_report_adds_to_the_log(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: sh x.sh, reports: {junit: out.xml}}}")
    log = f"cat {TOOLS}/pytest/suite_9_2.log; cat ruff.txt; cp in.xml out.xml; exit 1\n"
    (bg.folder / "ruff.txt").write_text(RUFF)
    (bg.folder / "x.sh").write_text(log)
    cases = "".join(f'<testcase classname="tests.test_1" name="test_{number}"/>' for number in range(56))
    bad = "".join(JUNIT.format(f"test_{number}")[11:-12] for number in (1, 2, 5, 7))
    (bg.folder / "in.xml").write_text(f"<testsuite>{bad}{cases}</testsuite>")
    bg("start", "x", "--wait", code=1)
    digest = bg.json("report", "x")["digest"]
    # Each test once, as the report has it, and ruff's finding.
    assert [(one["id"], one["message"]) for one in digest["problems"]] == [
        *((id, "boom") for _, _, id in SUITE),
        ("F401", "`os` imported but unused"),
    ]
    assert (digest["counts"], digest["source"]) == ({"failed": 4, "errors": 1, "passed": 56}, "junit")
    # One that was cut off: the log has the totals.
    (bg.folder / "in.xml").write_text(f"<testsuite>{bad}{cases[:-5]}")
    bg("start", "x", "--wait", code=1)
    digest = bg.json("report", "x")["digest"]
    assert digest["counts"] == {"failed": 4, "errors": 1, "passed": 56}
    assert len(digest["problems"]) == 5
    assert "out.xml: invalid test report" in digest["note"]


def test_one_bad_report_does_not_discard_the_others(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: cp -r in o; exit 1, reports: {junit: o/*.xml}}}")
    (bg.folder / "in").mkdir()
    (bg.folder / "in" / "a.xml").write_text("<testsuite")
    (bg.folder / "in" / "b.xml").write_text(JUNIT.format("test_b"))
    bg("start", "x", "--wait", code=1)
    digest = bg.json("report", "x")["digest"]
    assert [one["message"] for one in digest["problems"]] == ["boom"]
    assert digest["note"].startswith("o/a.xml: invalid test report")


def test_with_retry_only_the_last_attempt_counts(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: sh x.sh, retry: {max: 1, backoff: 0s}}}")
    first, last = TOOLS / "pytest" / "styles_9_2.log", TOOLS / "pytest" / "suite_9_2.log"
    (bg.folder / "x.sh").write_text(f"if [ -e again ]; then cat {last}; else touch again; cat {first}; fi; exit 1\n")
    bg("start", "x", "--wait", code=1)
    digest = bg.json("report", "x")["digest"]
    assert named(digest) == SUITE
    assert digest["counts"] == {"failed": 4, "passed": 56}


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("echo 'a.c:1:2: error: x'", "sub/a.c"),  # the only one in the project
        ("cd sub; echo 'a.c:1:2: error: x'", "sub/a.c"),
        ('echo "make[1]: Entering directory \'$PWD/sub\'"; echo "a.c:1:2: error: x"', "sub/a.c"),
        ('echo "$PWD/sub/a.c:1:2: error: x"', "sub/a.c"),
        ("echo 'nowhere.c:1:2: error: x'", "nowhere.c"),
        ("echo '/usr/include/stdio.h:1:2: error: x'", "/usr/include/stdio.h"),
        ("echo '../above.c:1:2: error: x'", None),
    ],
)
def test_places_are_relative_to_the_project(bg: Cli, command: str, file: str | None) -> None:
    (bg.folder / "sub").mkdir()
    (bg.folder / "sub" / "a.c").touch()
    digest = failed(bg, command)
    assert [one["file"] for one in digest["problems"]] == [file or str(bg.folder.parent / "above.c")]


def test_places_are_relative_to_the_project_wherever_the_job_works(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: \"echo 'a.c:1:2: error: x'; exit 1\", working_dir: sub}}")
    (bg.folder / "sub").mkdir()
    bg("start", "x", "--wait", code=1)
    assert [one["file"] for one in bg.json("report", "x")["digest"]["problems"]] == ["sub/a.c"]


def test_annotations_name_files_relative_to_the_repository(bg: Cli) -> None:
    folder = bg.folder / "part"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", str(bg.folder)], check=True)
    (folder / "bgjobs.yaml").write_text("jobs: {x: {command: \"echo 'a.c:1:2: error: x'; exit 1\"}}")
    bg("-C", "part", "start", "x", "--wait", code=1)
    assert bg("-C", "part", "report", "x", "--format", "github").out == "::error file=part/a.c,line=1,col=2::x\n"


def test_numbers_agree_with_their_nouns(bg: Cli) -> None:
    failed(bg, "echo 'a.c:1:2: error: x'; echo 'a.c:2:2: warning: y'")
    assert "1 error, 1 warning\n" in bg("report", "x").out


def test_secrets_are_masked_in_what_is_recognized(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: sh x.sh, secrets: [TOKEN]}}")
    (bg.folder / "x.sh").write_text('echo "$TOKEN.c:1:2: error: bad $TOKEN"; exit 1\n')
    bg("start", "x", "--wait", code=1, TOKEN="hunter2hunter2")
    digest = bg.json("report", "x")["digest"]
    assert [(one["file"], one["message"]) for one in digest["problems"]] == [("***.c", "bad ***")]
