"""A path that is given to a job is relative to where the caller stands, wherever the job runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgrun.jobfile.loader import load
from bgrun.render.job import Request, render_job
from bgrun.templating.checks import unchanged
from bgrun.templating.inputs import RenderInputs
from tests.conftest import Cli

JOBS = """
jobs:
  here: {command: [cat, "{{ path }}"], params: {path: {type: path, default: top.txt}}}
  there: {command: [cat, "{{ path }}"], working_dir: sub, params: {path: {type: path, default: in.txt}}}
  inside: {command: [ls], working_dir: "{{ path }}", params: {path: {type: path}}}
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    (bg.folder / "sub").mkdir()
    (bg.folder / "top.txt").write_text("top\n")
    (bg.folder / "sub" / "in.txt").write_text("in\n")
    return bg


@pytest.mark.parametrize(
    ("where", "words", "expected"),
    [
        (".", ("here", "sub/in.txt"), "in"),
        ("sub", ("here", "in.txt"), "in"),
        ("sub", ("here", "../top.txt"), "top"),
        ("sub", ("here",), "top"),
        (".", ("there", "top.txt"), "top"),
        ("sub", ("there", "path=in.txt"), "in"),
        (".", ("there",), "in"),
        ("sub", ("inside", "."), "in.txt"),
        (".", ("inside", "sub/"), "in.txt"),
    ],
)
def test_a_given_path_is_the_callers(project: Cli, where: str, words: tuple[str, ...], expected: str) -> None:
    project("start", *words, "--wait", cwd=project.folder / where)
    assert project("logs", words[0]).out.strip() == expected


def test_a_kept_plan_is_that_of_one_directory(project: Cli) -> None:
    (project.folder / "sub" / "top.txt").write_text("other\n")
    for where, expected in ((".", "top"), ("sub", "other"), (".", "top"), (".", "top")):
        project("start", "here", "top.txt", "--wait", cwd=project.folder / where)
        assert project("logs", "here").out.strip() == expected


@pytest.mark.parametrize("given", ["x", "./x/", "-", "/a/../b", "https://example.org/x", "-x"])
def test_a_path_stays_as_it_is_where_it_means_the_same(tmp_path: Path, given: str) -> None:
    (tmp_path / "f.yaml").write_text(JOBS)
    inputs = RenderInputs({}, str(tmp_path))
    made = render_job(load(tmp_path / "f.yaml"), Request("here", (f"path={given}",)), inputs)
    assert made.params == (("path", given),)


def test_the_directory_is_an_input_only_where_it_counts(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(JOBS)
    for words, same in (((), True), (("/x",), True), (("x",), False)):
        inputs = RenderInputs(os.environ, str(tmp_path))
        render_job(load(tmp_path / "f.yaml"), Request("here", words), inputs)
        assert unchanged(inputs.recorded(), os.environ, "/elsewhere") is same
