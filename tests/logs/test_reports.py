"""The test reports of a run: read from its copies, and never those of another run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun.logs import reports
from bgrun.plan import RenderedJob
from bgrun.store import masking, meta
from bgrun.store.paths import RunPaths
from bgrun.store.store import Store
from bgrun.system import clock, files, lock

if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.model import Run

BEGAN = 1_800_000_000.0
FAILED = '<testsuite tests="2" failures="1"><testcase name="{0}"><failure message="{0} broke"/></testcase><testcase name="b"/></testsuite>'


class Project:
    """A log directory with finished runs, which began and ended at given seconds."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(str(folder / ".logs"))
        self.store.make()
        self.job = RenderedJob("x", "", "", "", str(folder), junit="out.xml")

    def run(self, run_id: str, began: float, ended: float | None, **more: str) -> RunPaths:
        at = self.store.run(run_id)
        known = {"run_id": run_id, "label": "x", "junit": "out.xml", "working_dir": self.job.working_dir,
                 "started_at": clock.iso(BEGAN + began)}  # fmt: skip
        if ended is not None:
            known |= {"ended_at": clock.iso(BEGAN + ended), "state": "failed", "exit_code": "1"}
        _write(at.meta, meta.pack({**known, **more}))
        _write(at.script, b"")
        return at

    def copies(self, at: RunPaths, written: float, *texts: str, **index: str) -> None:
        """Copy reports that were written at a second, as the supervisor does."""
        os.mkdir(at.reports)
        for number, text in enumerate(texts):
            _write(f"{at.reports}/{number}", text.encode())
            os.utime(f"{at.reports}/{number}", (BEGAN + written, BEGAN + written))
        _write(f"{at.reports}/{reports.INDEX}", meta.pack({**{str(n): "out.xml" for n in range(len(texts))}, **index}))

    def read(self, at: RunPaths, known: tuple[masking.Mark, ...] = ()) -> reports.Taken:
        return reports.reports(at, self.existing(at), self.job, known)

    def existing(self, at: RunPaths) -> Run:
        return self.store.existing(at.run_id)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_copies_are_added_up(project: Project) -> None:
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, 5, FAILED.format("one"), FAILED.format("two"))
    taken = project.read(at)
    assert taken.note is None
    assert taken.report
    assert taken.report.counts == {"passed": 2, "failed": 2}
    assert [one.message for one in taken.report.problems] == ["one broke", "two broke"]


def test_secrets_in_a_report_are_masked(project: Project) -> None:
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, 5, FAILED.format("tok-4711-secret"))
    report = project.read(at, masking.parse(masking.marks([("T", "tok-4711-secret")]))).report
    assert report
    assert [one.message for one in report.problems] == ["*** broke"]


def test_a_run_that_declares_none_or_still_runs_has_none(project: Project) -> None:
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, 5, FAILED.format("a"))
    nothing = reports.Taken()
    assert reports.reports(at, project.existing(at), project.job._replace(junit=""), ()) == nothing
    assert reports.reports(at, project.existing(at)._replace(state="running"), project.job, ()) == nothing
    assert reports.reports(at, project.existing(at)._replace(started_at=None), project.job, ()) == nothing


def test_what_is_missing_is_noted(project: Project) -> None:
    at = project.run("x_20270115_080000", 0, 10)
    assert "was not copied" in (project.read(at).note or "")
    project.copies(at, 5, note="out.xml: no file was written")
    assert project.read(at) == reports.Taken(None, "out.xml: no file was written")


def test_a_copy_that_is_no_report_is_noted(project: Project) -> None:
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, 5, "<testsuite")
    taken = project.read(at)
    assert taken.report is None
    assert (taken.note or "").startswith("out.xml: ")


@pytest.mark.parametrize(
    ("written", "began", "ended", "is_anothers"),
    [
        (5, 4, 20, True),  # it ran when the file was written
        (5, -10, 5, True),  # it ended when the file was written
        (5, 6, 20, False),  # it began after that
        (5, -10, 4, False),  # it had ended before that
        (5, 11, 20, False),  # it began once this one had finished
    ],
)
def test_overlapping_runs_are_distinguished_by_time_or_not_at_all(
    project: Project, written: float, began: float, ended: float, is_anothers: bool
) -> None:
    project.run("y_20270115_080000", began, ended)
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, written, FAILED.format("a"))
    taken = project.read(at)
    assert (taken.report is None) == is_anothers
    assert ("may belong to y_20270115_080000, which" in (taken.note or "")) == is_anothers


def test_a_run_that_still_runs_may_have_written_any_file(project: Project) -> None:
    other = project.run("y_20270115_080000", -10, None)
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, 5, FAILED.format("a"))
    assert project.read(at).report, "it is over: nobody holds its lock"
    lock_fd = files.create(other.pid)
    try:
        lock.hold(lock_fd)
        assert project.read(at).report is None
    finally:
        os.close(lock_fd)


@pytest.mark.parametrize("more", [{"junit": "other.xml"}, {"working_dir": "/elsewhere"}, {"junit": ""}])
def test_a_run_with_other_reports_does_not_matter(project: Project, more: dict[str, str]) -> None:
    project.run("y_20270115_080000", 4, 20, **more)
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, 5, FAILED.format("a"))
    assert project.read(at).report


def test_the_same_file_by_another_path_is_the_same(project: Project) -> None:
    project.run("y_20270115_080000", 4, 20, junit="./sub/../out.xml")
    at = project.run("x_20270115_080000", 0, 10)
    project.copies(at, 5, FAILED.format("a"))
    assert project.read(at).report is None
