"""Runs are recorded, then submitted; an answer that is missing means nothing. Slurm is played by scripts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgrun import api
from bgrun.errors import LaunchError, UsageError
from bgrun.jobfile.project import Project
from bgrun.slurm import calls, queue, wait
from bgrun.store import index, meta, record
from bgrun.store.store import Store
from bgrun.system import clock
from bgrun.system.changes import Change
from tests.slurm.played import ACCEPTS, option
from tests.store.listing.test_names_after_changes import fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.slurm.played import Played

JOBS = """
jobs:
  plain: {command: "true"}
  large: {command: "true", resources: {cpus: 4}}
  last: {command: "true", depends_on: [plain]}
  sweep: {command: "echo {{ matrix.n }}", matrix: {n: [1, 2, 3]}}
  never: {command: "true", if: "false"}
  behind: {command: "true", depends_on: [never]}
  elsewhere: {command: "true", slurm: {config: /nonexistent/slurm.conf}}
  hidden: {command: "true", secrets: [TOKEN_OF_TEST], env: {TOKEN_OF_TEST: verysecret}}
  allowed: {command: "true", secrets: [TOKEN_OF_TEST], slurm: {secrets: file}, on_finish: "true"}
  noisy: {command: "true", on_finish: {notify: true}}
  whatever: {command: "true", depends_on: {plain: {condition: service_completed}, large: {condition: service_started}}}
  slot: {command: "true", concurrency: db}
  pair: {command: "true", concurrency: {group: two, limit: 2}}
  joined: {command: "true", concurrency: {group: joined, when_busy: join}}
services:
  server: {command: "sleep 9"}
groups:
  all: {jobs: [plain, last, never]}
  several: {jobs: [plain, large, slot, pair]}
  unlike: {jobs: [plain, large, last], max_parallel: 2}
  mixed: {jobs: [plain, large, slot], max_parallel: 2}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "a %j b"
    root.mkdir()
    (root / "bgjobs.yaml").write_text(JOBS)
    return Project(str(root), str(root / "bgjobs.yaml"), Store(str(root / ".logs")))


def facts(project: Project, run_id: str) -> dict[str, str]:
    return project.store.facts(run_id) or {}


def jobs(project: Project, *run_ids: str) -> list[str]:
    """Return the recorded job IDs of runs."""
    return [record.read_job(project.store.run(one), facts(project, one)) for one in run_ids]


def test_a_run_is_recorded_before_it_is_submitted(played: Played, project: Project) -> None:
    played.does(
        "sbatch", f'ls "{project.store.log_dir}"; cat "{project.store.log_dir}"/*.meta >"$SLURM_PLAYED/seen"; {ACCEPTS}'
    )
    run = api.start.start(project, ["plain"]).run
    assert run.live
    (words,) = played.calls("sbatch")
    assert words[-2:] == [project.store.log_dir, run.run_id]
    assert f"token={option(words, 'comment').removeprefix('bgrun:')}\n" in (played.directory / "seen").read_text()
    at = project.store.run(run.run_id)
    assert open(at.job).read() == "101\n"  # noqa: SIM115
    assert os.stat(at.cluster_log).st_mode & 0o777 == 0o600
    assert option(words, "output") == at.cluster_log.replace("%", "%%")
    assert not os.path.exists(at.pid)


def test_a_matrix_is_one_array(played: Played, project: Project) -> None:
    run = api.start.start(project, ["sweep"], (), api.start.Overrides(max_parallel=2)).run
    (words,) = played.calls("sbatch")
    assert option(words, "array") == "0-2%2"
    members = [facts(project, one) for one in run.members]
    assert [one["array_index"] for one in members] == ["0", "1", "2"]
    assert len({one["token"] for one in members}) == 1
    assert open(words[-1].removeprefix("@")).read().split() == list(run.members)  # noqa: SIM115
    assert jobs(project, *run.members) == ["101_0", "101_1", "101_2"]
    assert len({os.stat(project.store.run(one).job).st_ino for one in run.members}) == 1


def no_links(*_: object, **__: object) -> None:
    raise PermissionError


@pytest.mark.usefixtures("played")
def test_a_file_system_without_links_has_a_file_for_each_task(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgrun.slurm.submit.os.link", no_links)
    run = api.start.start(project, ["sweep"]).run
    assert jobs(project, *run.members) == ["101_0", "101_1", "101_2"]


def test_what_a_run_needs_is_submitted_before_it(played: Played, project: Project) -> None:
    run = api.start.start_group(project, "all")
    first, last = played.calls("sbatch")
    assert (option(first, "dependency"), option(last, "dependency")) == ("", "afterok:101")
    never = facts(project, run.members[-1])
    assert (never["state"], never["waived"]) == ("skipped", "true")
    assert "token" not in never


def test_conditions_are_dependencies_of_their_own_kind(played: Played, project: Project) -> None:
    run = api.start.start(project, ["whatever"]).run
    plain, large, words = played.calls("sbatch")
    assert [option(one, "dependency") for one in (plain, large)] == ["", ""]
    assert option(words, "dependency") == "afterany:101,after:102"
    assert facts(project, run.run_id)["conditions"] == "completed started"


def test_a_group_that_was_submitted_is_reported_without_a_look_at_its_runs(played: Played, project: Project) -> None:
    run = api.start.start_group(project, "all")
    assert (run.state, len(run.members), played.calls("squeue")) == ("running", 3, [])
    assert project.store.existing(run.run_id)._replace(duration_s=0) == run._replace(duration_s=0)
    waived = api.start.start_group(project, "all", None, ["never"])
    assert not waived.live, "nothing of it was submitted"


def test_a_run_that_needs_one_whose_condition_is_false_is_left_to_its_launcher(
    played: Played, project: Project
) -> None:
    run = api.start.start(project, ["behind"]).run
    (words,) = played.calls("sbatch")
    assert (run.state, option(words, "dependency")) == ("queued", "")
    assert facts(project, run.run_id)["needs"].startswith("never_")


def test_unlike_runs_keep_the_limit_in_lanes(played: Played, project: Project) -> None:
    api.start.start_group(project, "unlike")
    names = [option(words, "job-name") for words in played.calls("sbatch")]
    assert len(set(names)) == 2
    assert names[0] == names[2]
    assert [option(words, "dependency") for words in played.calls("sbatch")] == [
        "singleton",
        "singleton",
        "afterok:101,singleton",
    ]


@pytest.mark.parametrize("start", ["plain", "last"])
def test_a_refusal_leaves_no_record(played: Played, project: Project, start: str) -> None:
    played.does("sbatch", "echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1")
    with pytest.raises(LaunchError, match="invalid partition specified: nope"):
        api.start.start(project, [start])
    assert project.store.index().every == "\n"
    assert [name for name in os.listdir(project.store.log_dir) if "plain" in name or "last" in name] == []
    assert os.listdir(f"{project.store.log_dir}/jobs") == []


def test_a_refusal_in_the_middle_cancels_what_was_accepted(played: Played, project: Project) -> None:
    played.does(
        "sbatch", f'[ "$(cat "$SLURM_PLAYED/next")" = 101 ] || {{ echo "sbatch: error: full" >&2; exit 1; }}; {ACCEPTS}'
    )
    with pytest.raises(LaunchError, match="full"):
        api.start.start_group(project, "all")
    assert ["101"] in played.calls("scancel")
    states = {run.label: run.state for run in project.store.readable(api.references.meant(project, ["all"])[0].members)}
    assert states["last"] == "skipped"
    assert os.path.exists(project.store.run(api.references.meant(project, ["plain"])[0].run_id).stop)


@pytest.mark.parametrize(
    "answer",
    [
        "sleep 60",
        "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; exit 1",
        "echo 'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)' >&2; exit 1",
    ],
)
def test_without_an_answer_the_run_stays_and_is_submitted_once(
    played: Played, project: Project, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(calls, "BOUND_S", 0.5)
    played.does("sbatch", answer)
    run = api.start.start(project, ["plain"]).run
    assert run.live
    assert len(played.calls("sbatch")) == 1
    assert not os.path.exists(project.store.run(run.run_id).job)


def test_a_job_whose_answer_was_lost_is_found_by_its_token(played: Played, project: Project) -> None:
    played.does(
        "sbatch",
        'for word; do case $word in --comment=*) echo "${word#--comment=}" >"$SLURM_PLAYED/comment" ;; esac; done; echo "error: timed out" >&2; exit 1',
    )
    played.does("squeue", 'echo "77|PENDING||N/A|$(cat "$SLURM_PLAYED/comment")|Priority"')
    run = api.start.start(project, ["plain"]).run
    assert run.state == "queued"
    assert open(project.store.run(run.run_id).job).read() == "77\n"  # noqa: SIM115


def test_what_needs_a_run_without_an_answer_is_skipped(played: Played, project: Project) -> None:
    played.does("sbatch", "echo 'error: timed out' >&2; exit 1")
    api.start.start(project, ["last"])
    (last,) = api.references.meant(project, ["last"])
    assert (last.state, last.reason) == (
        "skipped",
        f"dependency {api.references.meant(project, ['plain'])[0].run_id} may not have been submitted",
    )
    assert len(played.calls("sbatch")) == 1


def test_a_start_gives_up_on_a_slurm_that_does_not_answer(played: Played, project: Project) -> None:
    played.does("sbatch", "echo 'error: timed out' >&2; exit 1")
    run = api.start.start_group(project, "several")
    states = [(one.state, one.reason) for one in api.runs.members(project, run)]
    assert states[2:] == [("skipped", "not submitted: Slurm does not answer")] * 2
    assert [state for state, _ in states[:2]] == ["queued", "queued"]
    assert len(played.calls("sbatch")) == 2


@pytest.mark.usefixtures("played")
def test_a_run_is_known_though_another_process_changes_the_directory_meanwhile(project: Project) -> None:
    project.store.make()
    fill(Path(project.store.log_dir))
    with Change(project.store.log_dir, "other_20270101_000000"):
        run_id = api.start.start(project, ["plain"]).run.run_id
        (Path(project.store.log_dir) / "other_20270101_000000.meta").touch()
    assert index.newest(project.store, "plain") == run_id
    assert index.newest(project.store, "other") == "other_20270101_000000"


def test_settings_of_the_user_reach_neither_slurm_nor_change_the_job(
    played: Played, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SBATCH_PARTITION", "SQUEUE_FORMAT", "SLURM_JOB_ID"):
        monkeypatch.setenv(name, "nope")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("MINE", "kept")
    api.start.start(project, ["plain"])
    given = played.environment("sbatch")
    assert not {"SBATCH_PARTITION", "SQUEUE_FORMAT", "SLURM_JOB_ID"} & set(given)
    assert (given["LC_ALL"], given["MINE"]) == ("de_DE.UTF-8", "kept")
    assert played.environment("squeue")["LC_ALL"] == "C"


@pytest.mark.usefixtures("played")
def test_without_a_cluster_a_start_is_refused_at_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", "/nonexistent/slurm.conf")
    with pytest.raises(UsageError, match="SLURM_CONF names does not exist"):
        api.start.start(project, ["plain"])
    with pytest.raises(UsageError, match=r"/nonexistent/slurm\.conf"):
        api.start.start(project, ["elsewhere"])
    monkeypatch.setattr("bgrun.system.programs.find", lambda _: None)
    with pytest.raises(UsageError, match="sbatch is not on PATH"):
        api.start.start(project, ["plain"])
    assert project.store.index().every == "\n"


def test_what_is_not_supported_is_refused_by_name(played: Played, project: Project) -> None:
    with pytest.raises(UsageError, match="'slurm' does not support `notify`, which noisy uses"):
        api.start.start(project, ["noisy"])
    with pytest.raises(UsageError, match="'slurm' does not support `services`, which server uses"):
        api.start.start(project, ["server"])
    with pytest.raises(UsageError, match="the secrets of hidden would be in a file"):
        api.start.start(project, ["hidden"])
    assert project.store.index().every == "\n"
    assert played.calls("sbatch") == []


def test_a_refusal_says_where_the_job_file_asks_for_it(played: Played, project: Project) -> None:
    where = next(place for place, line in enumerate(JOBS.splitlines(), 1) if "noisy" in line)
    with pytest.raises(UsageError) as refused:
        api.start.start(project, ["noisy"])
    file, line, column, message = refused.value.message.split(":", 3)
    assert (file.endswith("bgjobs.yaml"), line, column) == (True, str(where), "28")
    assert message == " the engine 'slurm' does not support `notify`, which noisy uses"
    assert refused.value.hint == "a node has no desktop: use a command"
    assert played.calls("sbatch") == []


def test_a_start_joins_the_active_run_of_an_identical_one(played: Played, project: Project) -> None:
    first = api.start.start(project, ["joined"])
    second = api.start.start(project, ["joined"])
    third = api.joining.start_job(project, ["joined"])
    assert {second.run.run_id, third.run.run_id} == {first.run.run_id}
    assert (first.joined, second.joined, third.joined) == (False, True, True)
    assert len(played.calls("sbatch")) == 1


def test_secrets_are_in_a_file_of_their_own_and_reach_slurm_in_no_other_way(
    played: Played, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "verysecret")
    run = api.start.start(project, ["allowed"]).run
    path = project.store.run(run.run_id).hidden("env")
    assert open(path, "rb").read() == b"TOKEN_OF_TEST=verysecret\0"  # noqa: SIM115
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert "TOKEN_OF_TEST" not in played.environment("sbatch")
    assert "verysecret" not in str(played.calls("sbatch"))
    at = project.store.run(run.run_id)
    assert not [one for one in (at.meta, at.script, at.cluster_log) if "verysecret" in open(one).read()]  # noqa: SIM115
    played.does("sbatch", "echo 'sbatch: error: full' >&2; exit 1")
    with pytest.raises(LaunchError):
        api.start.start(project, ["allowed"])
    assert [name for name in os.listdir(project.store.log_dir) if name.endswith(".env")] == [os.path.basename(path)]


def finishes(project: Project, run_id: str) -> None:
    """Let a run finish, as the launcher records that."""
    at = project.store.run(run_id)
    closed = "started_at=2026-01-01T00:00:00+00:00\nended_at=2026-01-01T00:00:01+00:00\nstate=succeeded\nexit_code=0\n"
    with open(at.meta, "a") as meta:
        meta.write(closed)


def test_a_run_whose_script_is_damaged_is_not_submitted_again(
    played: Played, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "verysecret")
    run = api.start.start(project, ["allowed"]).run
    at = project.store.run(run.run_id)
    os.unlink(at.job)
    os.truncate(at.script, 100)
    with pytest.raises(UsageError, match=r"the job script of allowed_\w+ is damaged"):
        api.rerun.submit_again(project, run.run_id)
    assert len(played.calls("sbatch")) == 1


def test_a_run_that_is_submitted_again_has_its_secrets_and_hooks_or_is_refused(
    played: Played, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "verysecret")
    run = api.start.start(project, ["allowed"]).run
    at = project.store.run(run.run_id)
    os.unlink(at.job)
    before = open(at.hidden("besides")).read()  # noqa: SIM115
    os.unlink(at.hidden("besides"))
    api.rerun.submit_again(project, run.run_id)
    assert len(played.calls("sbatch")) == 2
    assert "TOKEN_OF_TEST" not in played.environment("sbatch")
    assert open(at.hidden("besides")).read() == before  # noqa: SIM115
    os.unlink(at.job)
    os.unlink(at.hidden("env"))
    with pytest.raises(UsageError, match=r"the secrets of allowed_\w+ were deleted"):
        api.rerun.submit_again(project, run.run_id)
    assert len(played.calls("sbatch")) == 2


@pytest.mark.usefixtures("played")
def test_a_start_deletes_what_exceeds_the_retention_but_no_member_of_an_active_group(project: Project) -> None:
    with open(f"{project.root}/bgjobs.yaml", "a") as job_file:
        job_file.write("defaults: {retention: {max_runs: 1}}\n")
    group = api.start.start_group(project, "all")
    old = group.members[0]
    finishes(project, old)
    api.start.start(project, ["plain"])
    assert project.store.read(old)
    finishes(project, group.members[1])
    os.mkdir(project.store.run(old).claim(1))
    api.start.start(project, ["plain"])
    assert project.store.read(old) is None
    assert [name for name in os.listdir(project.store.log_dir) if f"{old}." in name] == []
    assert project.store.existing(group.run_id).succeeded


def test_a_run_that_slurm_forgot_is_submitted_again_under_its_token(played: Played, project: Project) -> None:
    run = api.start.start(project, ["sweep"]).run
    os.unlink(project.store.run(run.members[1]).job)
    again = api.rerun.submit_again(project, run.members[1])
    first, second = played.calls("sbatch")
    assert again.run_id == run.members[1]
    assert option(first, "comment") == option(second, "comment")
    assert (option(second, "array"), second[-1]) == ("1", run.members[1])
    assert jobs(project, *run.members) == ["101_0", "102_1", "101_2"]
    with pytest.raises(UsageError, match="only a run that never began"):
        api.rerun.submit_again(project, run.members[1])
    os.mkdir(project.store.run(run.members[2]).claim(1))
    os.unlink(project.store.run(run.members[2]).job)
    with pytest.raises(UsageError, match="only a run that never began"):
        api.rerun.submit_again(project, run.members[2])


def forgets(project: Project, run_ids: Sequence[str]) -> None:
    """Let it look as if Slurm had confirmed none of these submissions, and then forgotten them."""
    for run_id in run_ids:
        os.unlink(project.store.run(run_id).job)


def test_runs_that_are_submitted_again_keep_the_limit_of_their_group(played: Played, project: Project) -> None:
    run = api.start.start_group(project, "unlike")
    first = played.calls("sbatch")
    forgets(project, run.members)
    api.rerun.submit_again(project, run.run_id)
    again = played.calls("sbatch")[3:]
    assert [option(words, "job-name") for words in again] == [option(words, "job-name") for words in first]
    assert [option(words, "dependency") for words in again] == ["singleton", "singleton", "afterok:104,singleton"]


def test_tasks_of_an_array_that_are_submitted_again_keep_its_limit(played: Played, project: Project) -> None:
    run = api.start.start(project, ["sweep"], (), api.start.Overrides(max_parallel=2)).run
    forgets(project, run.members)
    # As soon as one is submitted, the queue has it.
    token = facts(project, run.members[0])["token"]
    played.does("squeue", f'[ "$(cat "$SLURM_PLAYED/next")" = 102 ] || echo "102_0|PENDING||N/A|bgrun:{token}|None"')
    api.rerun.submit_again(project, run.run_id)
    again = played.calls("sbatch")[1:]
    names = [option(words, "job-name") for words in again]
    assert (names[0], len(set(names))) == (names[2], 2)
    assert [option(words, "array") for words in again] == ["0", "1", "2"]
    forgets(project, run.members[:1])
    queue.forget(project.store.log_dir)
    listed = f"echo '102_0|PENDING||N/A|bgrun:{token}|None'"
    played.does("squeue", f"[ ! -e $SLURM_PLAYED/once ] || {listed}; touch $SLURM_PLAYED/once")
    with pytest.raises(UsageError, match=rf"{run.members[0]} is in the queue as job 102_0"):
        api.rerun.submit_again(project, run.members[0])
    assert [option(words, "dependency") for words in again] == ["singleton"] * 3


def test_runs_that_are_submitted_again_come_after_those_that_they_came_after(played: Played, project: Project) -> None:
    run = api.start.start_group(project, "mixed")
    assert option(played.calls("sbatch")[2], "dependency") == "afterany:101,singleton"
    forgets(project, run.members)
    api.rerun.submit_again(project, run.members[0])
    api.rerun.submit_again(project, run.members[2])
    first, last = played.calls("sbatch")[3:]
    assert (option(first, "dependency"), option(last, "dependency")) == ("", "afterany:104,singleton")
    forgets(project, [run.members[0], run.members[2]])
    finishes(project, run.members[0])
    api.rerun.submit_again(project, run.members[2])
    assert option(played.calls("sbatch")[-1], "dependency") == "singleton", "the run before it has ended"


def test_a_list_of_runs_that_slurm_has_forgotten_is_one_call_of_sacct(
    played: Played, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are new, or live, or have a result are not asked about."""
    run = api.start.start_group(project, "all")
    sweep = api.start.start(project, ["sweep"]).run
    fresh = api.start.start(project, ["plain"]).run
    known, done = (api.start.start(project, ["plain"]).run.run_id for _ in range(2))
    finishes(project, done)
    long_ago = clock.iso(time.time() - 300)
    for run_id in (run.members[0], *sweep.members, known, done):
        with open(project.store.run(run_id).meta, "a") as file:
            file.write(f"submitted_at={long_ago}\nstarted_at={long_ago}\n")
    played.does("sacct", f"echo '103_1|TIMEOUT|{long_ago[:19]}|x'")
    played.does("squeue", f"echo '105|RUNNING|n1|N/A|bgrun:{facts(project, known)['token']}|None'")
    monkeypatch.setattr(queue, "_words", {})
    queue.forget(project.store.log_dir)
    found = {one.run_id: one.state for one in api.runs.list_runs(project)}
    assert [found[one] for one in (run.members[0], *sweep.members)] == ["lost", "lost", "timed_out", "lost"]
    assert [found[one] for one in (fresh.run_id, known, done)] == ["queued", "running", "succeeded"]
    (words,) = played.calls("sacct")
    assert set(words[words.index("-j") + 1].split(",")) == {"101", "103_0", "103_1", "103_2"}


@pytest.mark.parametrize("timeout_s", [None, 0.0])
def test_a_wait_does_not_end_because_slurm_does_not_answer(
    played: Played, project: Project, monkeypatch: pytest.MonkeyPatch, timeout_s: float | None
) -> None:
    monkeypatch.setattr(wait, "LONGEST_S", 0.1)
    run_id = api.start.start(project, ["plain"]).run.run_id
    at, known = project.store.run(run_id), facts(project, run_id)
    ended = {"started_at": known["submitted_at"], "ended_at": known["submitted_at"], "terminated": "true"}
    Path(at.meta).write_bytes(meta.pack({**known, **ended}))
    Path(at.exit).write_text("143\n")
    listed = f"101|CANCELLED|n1|N/A|bgrun:{known['token']}|None"
    silent = "[ -e $SLURM_PLAYED/once ] || { touch $SLURM_PLAYED/once; exit 1; }"
    queue.forget(project.store.log_dir)
    played.does("squeue", f"{silent}; echo '{listed}'" if timeout_s is None else "exit 1")
    (run,) = api.stop.wait_for(project, [run_id], timeout_s)
    assert run.state == ("stopped" if timeout_s is None else "unknown")
