"""A test report belongs to the run that wrote it: taken as it ends, and never another run's."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bgrun.logs import reports
from bgrun.model import Run
from bgrun.system import clock
from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

JOBS = """
jobs:
  unit: {command: "{{ what | raw }}", params: {what: {default: "true"}}, reports: {junit: out.xml}}
  also: {command: "{{ what | raw }}", params: {what: {default: "true"}}, reports: {junit: ./out.xml}}
  many: {command: "{{ what | raw }}", params: {what: {}}, working_dir: sub, reports: {junit: "**/r*.xml"}}
  queued:
    {command: "{{ what | raw }}", params: {what: {default: "true"}}, reports: {junit: out.xml}, concurrency: {limit: 1}}
  none: {command: "true"}
groups: {both: {jobs: [unit, none]}}
"""
GOOD = 'printf \'<testsuite><testcase name="a"/><testcase name="b"/></testsuite>\' > out.xml'
BAD = 'printf \'<testsuite><testcase name="c"><failure message="boom"/></testcase></testsuite>\' > out.xml; exit 1'


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    (bg.folder / "sub").mkdir()
    return bg


def run(cli: Cli, job: str, what: str, *more: str) -> dict[str, Any]:
    """Run a job to its end and return the run."""
    done: dict[str, Any] = cli.json("start", job, f"what={what}", "--wait", *more, code=None)
    return done


def digest(cli: Cli, run: dict[str, Any]) -> dict[str, Any]:
    """Return the digest of a run as `report` tells it."""
    reported: dict[str, Any] = cli.json("report", run["run_id"])["digest"]
    return reported


def test_two_runs_one_after_the_other_keep_their_own(project: Cli) -> None:
    first, second = run(project, "unit", BAD), run(project, "unit", GOOD)
    assert digest(project, first)["counts"] == {"failed": 1}
    assert [one["message"] for one in digest(project, first)["problems"]] == ["boom"]
    assert digest(project, second)["counts"] == {"passed": 2}
    (project.folder / "out.xml").unlink()
    assert "1 failed" in project("report", first["run_id"]).out


def test_a_crash_right_after_a_good_report_does_not_get_its_counts(project: Cli) -> None:
    run(project, "unit", GOOD)
    for crash in ("exit 3", "touch other.xml; kill -9 $$", "chmod 600 out.xml; exit 3", "cat out.xml; exit 3"):
        reported = digest(project, run(project, "unit", crash))
        assert reported["counts"] is None, crash
        assert reported["note"] == "out.xml is older than the run"


def test_an_old_report_that_is_put_back_is_no_result(project: Cli) -> None:
    run(project, "unit", GOOD)
    os.utime(project.folder / "out.xml", (1_000_000_000, 1_000_000_000))
    reported = digest(project, run(project, "unit", "mv out.xml x; cp -p x out.xml; exit 1"))
    assert (reported["counts"], reported["note"]) == (None, "out.xml is older than the run")


def test_a_run_that_was_stopped_in_the_queue_has_none(project: Cli) -> None:
    run(project, "queued", BAD)
    first = project.json("start", "queued", "what=sleep 60")
    second = project.json("start", "queued")
    project("stop", second["run_id"])
    reported = digest(project, second)
    assert (reported["counts"], reported["problems"], reported["note"]) == (None, [], None)
    project("stop", first["run_id"])
    assert digest(project, first)["counts"] is None


def test_where_nobody_saw_the_end_only_the_log_speaks_and_it_says_so(project: Cli) -> None:
    ran = project.json("start", "unit", f"what=until [ -e go ]; do sleep 0.05; done; {GOOD}; echo over; exit 4")
    os.kill(int(project.meta(ran)["supervisor_pid"]), signal.SIGKILL)
    (project.folder / "go").touch()
    assert project.ended(ran["run_id"])["exit_code"] == 4
    reported = digest(project, ran)
    assert (reported["counts"], reported["tail"]) == (None, ["over"])
    assert reported["note"].startswith("out.xml was not copied when the run finished")


def test_a_stopped_run_keeps_what_it_wrote(project: Cli) -> None:
    ran = project.json("start", "unit", f"what={GOOD}; sleep 60")
    wait_until((project.folder / "out.xml").exists, "the report is there")
    wait_until(lambda: (project.folder / "out.xml").stat().st_size > 60, "the report is whole")
    project("stop", ran["run_id"])
    assert digest(project, ran)["counts"] == {"passed": 2}


def test_a_re_executed_supervisor_knows_what_was_there_before(project: Cli) -> None:
    run(project, "unit", GOOD)
    hold = "until [ -e go ]; do sleep 0.05; done"
    stale, fresh = (project.json("start", "unit", f"what={hold}; {what}") for what in ("exit 1", BAD))
    for one in (stale, fresh):
        words = psutil.Process(int(project.meta(one)["supervisor_pid"])).cmdline
        wait_until(lambda words=words: words()[-1:] != [] and "supervisor of" in words()[-1], "it is re-executed")  # type: ignore[misc]
    (project.folder / "go").touch()
    project.ended(stale["run_id"])
    project.ended(fresh["run_id"])
    assert digest(project, stale)["counts"] is None
    assert digest(project, fresh)["problems"] != [] or "ran at the same time" in digest(project, fresh)["note"]


def test_runs_at_the_same_time_that_write_one_file_are_not_mixed_up(project: Cli) -> None:
    one = project.json("start", "unit", f"what=touch up; until [ -e go ]; do sleep 0.05; done; {GOOD}")
    wait_until((project.folder / "up").exists, "it runs")
    other = run(project, "also", BAD)
    (project.folder / "go").touch()
    project.ended(one["run_id"])
    reported = digest(project, other)
    assert (reported["counts"], one["run_id"] in reported["note"]) == (None, True)
    assert digest(project, one)["counts"] == {"passed": 2}, "the other one was over by then"


def test_one_right_after_the_other_each_has_its_own(project: Cli) -> None:
    project.jobs(JOBS.replace("groups: {", "groups: {turns: {jobs: [unit, also], max_parallel: 1}, "))
    group = project.json("group", "turns", "--param", f"what={GOOD}", "--wait")
    for one in group["runs"]:
        assert digest(project, one)["counts"] == {"passed": 2}, digest(project, one)["note"]


@pytest.mark.parametrize(
    ("began", "ended", "written", "mixed"),
    [
        (0, 5, 12.0, False), (0, 15, 12.0, True), (0, 11, 12.0, False), (11, 30, 12.0, True), (13, 30, 12.0, False),
        (20, 30, 19.999, False), (20, 30, 20.5, True), (20.5, 30, 20.4, True), (12.005, 30, 12.0, True), (5, 9.999, 10.0, True),
    ],
)  # fmt: skip
def test_who_can_have_written_a_file(began: float, ended: float, written: float, mixed: bool) -> None:
    """This run went on from 10 to 20."""
    known = dict.fromkeys(Run._fields[:19]) | {"state": "failed"}
    own = Run(**known | {"started_at": clock.iso(10.0), "ended_at": clock.iso(20.0)})  # type: ignore[arg-type]
    other = Run(**known | {"started_at": clock.iso(began), "ended_at": clock.iso(ended)})  # type: ignore[arg-type]
    assert reports._may_have_written(other, own, [written]) == mixed


def test_a_member_of_a_group_and_a_rerun(project: Cli) -> None:
    group = project.json("group", "both", "--param", f"what={GOOD}", "--wait")
    member = next(one for one in group["runs"] if one["label"] == "unit")
    assert digest(project, member)["counts"] == {"passed": 2}
    again = project.json("rerun", member["run_id"], "--wait")
    assert digest(project, again)["counts"] == {"passed": 2}


def test_a_glob_below_the_directory_of_the_job(project: Cli) -> None:
    one = GOOD.replace("out.xml", "a/b/r1.xml")
    ran = run(
        project, "many", f"mkdir -p a/b .hidden; {one}; cp a/b/r1.xml rr.xml; cp rr.xml .hidden/r.xml; cp rr.xml x.xml"
    )
    assert digest(project, ran)["counts"] == {"passed": 4}


def test_of_several_reports_those_that_can_be_taken_count_and_the_rest_is_reported(project: Cli) -> None:
    ran = run(project, "many", f"{GOOD.replace('out', 'r1')}; truncate -s 70M r2.xml; mkfifo r3.xml")
    reported = digest(project, ran)
    assert reported["counts"] == {"passed": 2}
    assert (
        "r3.xml is not a regular file" in reported["note"] or "r2.xml exceeds the limit of 64 MiB" in reported["note"]
    )


def test_a_huge_report_is_not_taken(project: Cli) -> None:
    reported = digest(project, run(project, "unit", "truncate -s 70M out.xml; exit 1"))
    assert (reported["counts"], "exceeds the limit of 64 MiB" in reported["note"]) == (None, True)


def test_it_is_made_once_and_kept_with_its_run(project: Cli) -> None:
    ran = run(project, "unit", BAD)
    project("report", ran["run_id"])
    kept = kept_files(project, ran)
    assert {path.name.removeprefix(ran["run_id"]) for path in kept} == {".digest.json", ".reports", ".sh"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    (project.logs / f"{ran['run_id']}.log").write_text("something else\n")
    for path in (project.logs / "jobs" / f"{ran['run_id']}.reports").iterdir():
        path.unlink()
    assert digest(project, ran)["counts"] == {"failed": 1}


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"version": 1, "of": []}', '{"version": 1, "of": OF, "digest": {}}',
     '{"version": 1, "of": OF, "digest": {"counts": 3, "problems": [[]], "more": "x"}}', "\\0" * 99],
)  # fmt: skip
def test_one_that_is_broken_is_made_anew(project: Cli, text: str) -> None:
    import json

    ran = run(project, "unit", BAD)
    shown = digest(project, ran)
    end = [ran[key] for key in ("run_id", "state", "exit_code", "started_at", "ended_at")]
    path = project.logs / "jobs" / f"{ran['run_id']}.digest.json"
    path.write_text(text.replace("OF", json.dumps(end)))
    assert digest(project, ran) == shown
    assert json.loads(path.read_text())["digest"]["counts"] == {"failed": 1}


def test_one_that_others_may_write_is_not_believed(project: Cli) -> None:
    ran = run(project, "unit", BAD)
    project("report", ran["run_id"])
    path = project.logs / "jobs" / f"{ran['run_id']}.digest.json"
    forged = path.read_text().replace('"failed": 1', '"passed": 99')
    path.write_text(forged)
    assert digest(project, ran)["counts"] == {"passed": 99}, "our own may be edited"
    path.chmod(0o666)
    assert digest(project, ran)["counts"] == {"failed": 1}
    path.unlink()
    path.symlink_to(project.folder / "forged.json")
    (project.folder / "forged.json").write_text(forged)
    assert digest(project, ran)["counts"] == {"failed": 1}


def test_that_of_a_live_or_lost_run_is_not_kept(project: Cli) -> None:
    ran = project.json("start", "unit", "what=echo up; sleep 60")
    digest(project, ran)
    meta = project.meta(ran)
    os.kill(int(meta["supervisor_pid"]), signal.SIGKILL)
    os.killpg(int(meta["pid"]), signal.SIGKILL)
    assert project.ended(ran["run_id"])["state"] == "lost"
    assert digest(project, ran)["tail"] == ["up"]
    assert {path.suffix for path in kept_files(project, ran)} == {".sh"}


def test_prune_takes_them_along(project: Cli) -> None:
    project.jobs(JOBS.replace("jobs:", "defaults: {retention: {max_runs: 1}}\njobs:", 1))
    first = run(project, "unit", GOOD)
    digest(project, first)
    second = run(project, "unit", GOOD)
    wait_until(lambda: not kept_files(project, first), "retention removes all of it")
    hidden = project.logs / "jobs" / f".{second['run_id']}.reports"
    stray = project.logs / "jobs" / "gone_20200101_000000.reports"
    for folder in (hidden, stray):
        folder.mkdir()
        (folder / "0").touch()
        os.utime(folder, (0, 0))
    project("prune")
    assert not hidden.exists()
    assert not stray.exists()
    assert kept_files(project, second)


def test_a_disk_without_room_costs_the_report_and_not_the_run(project: Cli) -> None:
    ran = project.json("start", "unit", f"what=until [ -e go ]; do sleep 0.05; done; {GOOD}; exit 3")
    # What cannot be made in the place of the copies is as good as no room for them.
    blocker: Path = project.logs / "jobs" / f".{ran['run_id']}.reports"
    blocker.write_text("in the way")
    (project.folder / "go").touch()
    assert project.ended(ran["run_id"])["exit_code"] == 3
    assert "was not copied" in digest(project, ran)["note"]


def kept_files(cli: Cli, run: dict[str, Any]) -> list[Path]:
    return [path for path in (cli.logs / "jobs").iterdir() if path.name.lstrip(".").startswith(f"{run['run_id']}.")]


def test_a_project_that_is_renamed_meanwhile_keeps_its_report(project: Cli) -> None:
    ran = project.json("start", "unit", f"what=until [ -e go ]; do sleep 0.05; done; {GOOD}")
    moved = project.folder.with_name("moved")
    project.folder.rename(moved)
    project.folder = moved
    (moved / "go").touch()
    assert project.ended(ran["run_id"])["state"] == "succeeded"
    assert digest(project, ran)["counts"] == {"passed": 2}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have files be somebody else's")
def test_a_digest_of_another_user_is_not_believed_and_root_leaves_none(project: Cli) -> None:
    ran = run(project, "unit", BAD)
    project("report", ran["run_id"])
    path = project.logs / "jobs" / f"{ran['run_id']}.digest.json"
    path.write_text(path.read_text().replace('"failed": 1', '"passed": 99'))
    os.chown(path, 4711, 4711)
    assert digest(project, ran)["counts"] == {"failed": 1}
    path.unlink()
    for one in (project.logs, *project.logs.rglob("*")):
        os.chown(one, 4711, 4711, follow_symlinks=False)
    assert digest(project, ran)["counts"] == {"failed": 1}
    assert not path.exists()
