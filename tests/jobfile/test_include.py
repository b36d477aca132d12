"""Included job files: names, paths, defaults, and errors with their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgrun.errors import JobFileError
from bgrun.jobfile import include
from bgrun.jobfile.include import read
from bgrun.jobfile.loader import load
from bgrun.jobfile.specs import JobFile

WEB = "defaults: {env: {WEB: 1}}\njobs: {test: {command: ls, depends_on: build}, build: {command: ls}}\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(**files: str) -> JobFile:
    for name, text in files.items():
        path = Path(name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load(Path("bgjobs.yaml").absolute())


def problems(**files: str) -> list[str]:
    with pytest.raises(JobFileError) as caught:
        loaded(**files)
    return list(map(str, caught.value.problems))


def test_an_included_file_by_name_brings_its_jobs_and_groups_under_that_name(tmp_path: Path) -> None:
    found = loaded(
        bgjobs="include: {web: web/bg.yaml}\ndefaults: {env: {TOP: 1}}\n"
        "jobs: {all: {command: ls, depends_on: [web.test]}}\ngroups: {g: {jobs: [all], depends_on: web.test}}",
        web__bg=WEB + "groups: {both: {jobs: [test, build], depends_on: {test: build}}}\n",
    )
    assert list(found.jobs) == ["all", "web.test", "web.build"]
    test, group = found.jobs["web.test"], found.groups["web.both"]
    assert (test.name, test.depends_on, test.root) == ("web.test", ("web.build",), tmp_path / "web")
    assert (dict(test.settings.env), dict(found.jobs["all"].settings.env)) == ({"WEB": 1}, {"TOP": 1})
    assert (group.jobs, dict(group.edges)) == (("web.test", "web.build"), {"web.test": ("web.build",)})


def test_a_file_in_a_list_keeps_its_names_and_may_include_others() -> None:
    found = loaded(
        bgjobs="include: [ci/a.yaml, {x: ci/b.yaml}]\njobs: {own: {command: ls, depends_on: lint}}",
        ci__a="include: sub/c.yaml\njobs: {lint: {command: ls, depends_on: deep}}",
        ci__b="include: {y: sub/c.yaml}",
        ci__sub__c="jobs: {deep: {command: ls, working_dir: here}}",
    )
    assert list(found.jobs) == ["own", "lint", "deep", "x.y.deep"]
    assert found.jobs["x.y.deep"].root == Path("ci/sub").absolute()


def test_cycles_are_errors_with_their_places() -> None:
    found = problems(bgjobs="include: [a.yaml]\n", a="jobs: {}\ninclude:\n  x: b.yaml\n", b="include: bgjobs.yaml\n")
    assert found == ["b.yaml:1:1: include: include cycle: bgjobs.yaml -> a.yaml -> b.yaml -> bgjobs.yaml; "
                     "remove one of these includes"]  # fmt: skip
    assert problems(bgjobs="include: bgjobs.yaml\n")[0].startswith("bgjobs.yaml:1:1: include: include cycle: ")


def test_doubles_are_errors_with_both_places() -> None:
    one = "jobs:\n  test: {command: ls}\n"
    assert problems(bgjobs="include: [a.yaml]\njobs:\n  test: {command: ls}\n", a=one) == [
        "bgjobs.yaml:1:11: include[0]: 'test' is declared at bgjobs.yaml:3:3 and at a.yaml:2:3; "
        "include it by name: {NAME: a.yaml}"
    ]
    assert problems(bgjobs="include: [a.yaml, b.yaml]", a=one, b="groups: {test: {jobs: [x]}}\njobs: {x: {command: x}}") == [
        "bgjobs.yaml:1:19: include[1]: 'test' is declared at a.yaml:2:3 and at b.yaml:1:10; "
        "include it by name: {NAME: b.yaml}"
    ]  # fmt: skip
    assert problems(bgjobs="include: [a.yaml, ./a.yaml]", a=one)[0] == (
        "bgjobs.yaml:1:19: include[1]: ./a.yaml is included twice; remove one of them"
    )


def test_errors_of_an_included_file_have_its_own_places_and_cause_no_others() -> None:
    found = problems(
        bgjobs="include: {w: web/bg.yaml}\njobs: {a: {command: ls, depends_on: [w.bad, w.fine, w.none]}}",
        web__bg="log_dir: x\njobs:\n  bad: {command: ls, timeout: soon}\n  fine: {command: ls}\n",
    )
    assert [line.partition(";")[0] for line in found] == [
        "bgjobs.yaml:2:53: jobs.a.depends_on[2]: no job named 'w.none'",
        "web/bg.yaml:1:1: log_dir: the runs are kept in the log_dir of bgjobs.yaml, which includes this file",
        "web/bg.yaml:3:22: jobs.bad.timeout: invalid value 'soon'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "include: no.yaml",
            "bgjobs.yaml:1:1: include: cannot include no.yaml: No such file or directory; the path is",
        ),
        ("include: [., x.yaml]", "bgjobs.yaml:1:11: include[0]: cannot include .: "),
        ("include: 3", "bgjobs.yaml:1:1: include: cannot include 3: No such file"),
        ("include: []", "bgjobs.yaml:1:1: include: must not be empty"),
        ("include: {a b: x.yaml}", "bgjobs.yaml:1:11: include.a b: invalid name"),
        (f"include: {{{'n' * 99}: x.yaml}}", "the name nnnnnnnnnnnnnnnnnnnn… has 101 characters; use at most 100"),
    ],
)
def test_an_include_that_cannot_be_is_an_error(text: str, expected: str) -> None:
    assert expected in "\n".join(problems(bgjobs=text, x="jobs: {j: {command: ls}}"))


def test_the_number_of_files_is_limited() -> None:
    many = "".join(f"- {{n{number}: x.yaml}}\n" for number in range(include.MOST_FILES + 1))
    assert f"more than {include.MOST_FILES} files" in problems(bgjobs=f"include:\n{many}", x="jobs: {}")[0]


def test_each_file_is_recorded_before_it_is_read() -> None:
    loaded(bgjobs="include: {w: web/bg.yaml}", web__bg="include: c.yaml", web__c="jobs: {}")
    recorded: list[str] = []
    read("bgjobs.yaml", Path("bgjobs.yaml").read_bytes(), recorded.append)
    assert recorded == [str(Path(name).absolute()) for name in ("web/bg.yaml", "web/c.yaml")]
