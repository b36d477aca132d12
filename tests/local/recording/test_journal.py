"""What a supervisor records of a run, and in which order readers see it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgrun.errors import LaunchError
from bgrun.local.recording import journal
from bgrun.local.recording.group_journal import GroupJournal
from bgrun.plan import GroupPlan
from bgrun.store import meta, record, stop_request
from bgrun.store.paths import RunPaths
from bgrun.store.state import Verdict
from bgrun.system import lock, reading
from bgrun.system.process import Process

OLD, RECENT = 1_700_000_000, 1_700_100_000
FACTS = {"run_id": "x_20260101_000000", "label": "x"}


@pytest.fixture
def at(tmp_path: Path) -> RunPaths:
    (tmp_path / "jobs").mkdir()
    return RunPaths(str(tmp_path), FACTS["run_id"])


def facts(path: str) -> dict[str, str]:
    return meta.unpack(reading.read(path, meta.MOST) or b"")


def names(at: RunPaths) -> set[str]:
    return {name.replace(at.run_id, "x") for name in os.listdir(at.log_dir)} - {"jobs"}


@pytest.mark.parametrize(("status", "code", "killed"), [(0, 0, False), (3 << 8, 3, False), (9, 137, True)])
def test_an_exit(status: int, code: int, killed: bool) -> None:
    seen = journal.Exit.of(status, None, 1.5)
    assert (seen.code, seen.killed, seen.facts()["duration_s"]) == (code, killed, "1.500")
    used = seen._replace(used=(2048, 0.25, 0.5)).facts()
    assert (used["max_rss_kb"], used["user_s"], used["sys_s"]) == ("2048", "0.250", "0.500")


def test_the_record_of_a_run_from_its_launch_to_its_result(at: RunPaths) -> None:
    log_fd = journal.open_log(at)
    lock_fd = journal.claim_files(at, FACTS, [])
    assert names(at) == {"x.log", ".x.pid", ".x.exit", ".x.meta"}, "until it is published all but the log is hidden"
    assert os.path.getsize(at.hidden("meta")) >= journal.META_RESERVE
    known = meta.pack({**FACTS, "pid": "4711"})
    journal.publish(at, 4711, known, lock_fd)
    assert (facts(at.meta)["pid"], reading.read(at.pid, 100)) == ("4711", b"4711\n")
    assert lock.is_held(at.pid)
    stop_request.write_stop(at, "stop", signalled=True)
    journal.write_exit(at, 143)
    assert reading.read(at.exit, 100) == b"143\n"
    ended = journal.Exit(143, True, 0.0, 1.0, None)
    journal.close(at, journal.Child(4711, lock_fd, known), ended, Verdict("stopped", 143, "SIGTERM", "on request"), {})
    assert facts(at.meta) == {
        **FACTS, "pid": "4711", "ended_at": facts(at.meta)["ended_at"], "duration_s": "1.000",
        "state": "stopped", "exit_code": "143", "signal": "SIGTERM", "reason": "on request",
    }  # fmt: skip
    assert not lock.is_held(at.pid)
    assert names(at) == {"x.log", "x.pid", "x.exit", "x.meta"}
    os.close(log_fd)


def test_a_descriptor_is_handed_over_even_if_the_rest_fails(at: RunPaths) -> None:
    os.mkdir(at.hidden("exit"))
    opened: list[int] = []
    with pytest.raises(OSError, match="exists"):
        journal.claim_files(at, FACTS, opened)
    assert len(opened) == 1
    for fd in opened:
        os.close(fd)


def test_a_queued_run(at: RunPaths) -> None:
    fd = journal.enqueue_locked(at, FACTS, "waiting for a slot")
    assert facts(at.meta)["waiting"] == "waiting for a slot"
    assert lock.is_held(at.hidden("pid"))
    journal.close_unstarted(at, {**FACTS, "waiting": "waiting for a slot"}, "skipped", "a reason")
    os.close(fd)
    assert {**facts(at.meta), "ended_at": ""} == {**FACTS, "ended_at": "", "state": "skipped", "reason": "a reason"}
    assert names(at) == {"x.meta"}


def test_a_record_that_cannot_be_written_is_no_launch(at: RunPaths) -> None:
    os.mkdir(at.meta)
    with pytest.raises(LaunchError, match="cannot write"):
        journal.enqueue(at, FACTS)
    os.mkdir(at.hidden("pid"))
    with pytest.raises(LaunchError, match="cannot lock"):
        journal.enqueue_locked(at, FACTS, "")


def test_a_stop_request(at: RunPaths) -> None:
    assert (journal.stop_requested(at), journal.stop_is_urgent(at)) == ("", False)
    stop_request.ask_to_end(at, "replaced by y", now=True)
    assert (journal.stop_requested(at), journal.stop_is_urgent(at)) == ("replaced by y", True)
    os.unlink(at.stop)
    os.mkdir(at.stop)
    assert (journal.stop_requested(at), journal.stop_is_urgent(at)) == ("", False)


def test_a_meta_that_was_removed_is_written_again(at: RunPaths) -> None:
    journal.freshen(at, meta.pack(FACTS), 0.0)
    assert facts(at.meta) == FACTS


def test_processes_left_running() -> None:
    many = [Process(pid, 1, pid, pid, "5") for pid in range(100)]
    assert journal.left_running([]) == {}
    assert journal.left_running(many[1:3]) == {"left_running": "1:5 2:5"}
    assert len(journal.left_running(many)["left_running"].split()) == journal.MOST_LEFT


def test_the_record_of_a_group(at: RunPaths) -> None:
    group = GroupJournal(at.log_dir, GroupPlan(at.run_id, "x", FACTS), at.log_dir)
    group.open(["a_20260101_000000", "b_20260101_000000"])
    assert lock.is_held(at.pid)
    assert facts(at.meta)["members"] == "a_20260101_000000 b_20260101_000000"
    group.log("started a")
    assert group.stop_requested() == ""
    group.close(["succeeded", "failed"])
    os.close(group.log_fd)
    assert not lock.is_held(at.pid)
    with open(at.log) as log:
        assert [line.split(" ", 1)[1] for line in log.read().splitlines()] == ["started a", "failed: 1 failed of 2"]
    assert (reading.read(at.exit, 10), facts(at.meta)["state"]) == (b"1\n", "failed")
    run = record.existing(at)
    assert (run.state, run.exit_code) == ("failed", 1)


def test_a_group_that_was_stopped(at: RunPaths) -> None:
    group = GroupJournal(at.log_dir, GroupPlan(at.run_id, "x", FACTS), at.log_dir)
    group.open([])
    group.note_stop()
    assert group.stop_requested() == "stop"
    group.close(["stopped"])
    os.close(group.log_fd)
    assert facts(at.meta)["state"] == "stopped"
    assert not os.path.exists(at.stop)


def test_what_a_live_run_has_on_disk_is_kept_fresh_but_for_its_log_and_a_wish(at: RunPaths) -> None:
    """Also what is hidden: the room for its exit code is all that a script has once the supervisor is dead."""
    kept = [at.meta, at.pid, at.script, at.hidden("exit"), at.hidden("pid")]
    left = [at.log, at.stop]
    for path in (*kept, *left):
        Path(path).touch()
        os.utime(path, (OLD, OLD))
    os.utime(at.pid, (RECENT, RECENT))
    journal.freshen(at, b"", RECENT)
    assert {path: os.stat(path).st_mtime > RECENT for path in (*kept, *left)} == {
        **dict.fromkeys(kept, True), **dict.fromkeys(left, False), at.pid: False
    }  # fmt: skip


def test_a_record_is_anothers_only_where_it_says_so(at: RunPaths) -> None:
    mine = {"supervisor_pid": "17", "supervisor_start": "4711"}
    assert not journal.is_anothers(at, mine), "there is none"
    Path(at.meta).write_bytes(meta.pack({**mine, "label": "x"}))
    assert not journal.is_anothers(at, mine)
    Path(at.meta).write_bytes(meta.pack({**mine, "supervisor_start": "4712"}))
    assert journal.is_anothers(at, mine)
    os.remove(at.meta)
    os.symlink("/etc/hostname", at.meta)
    assert not journal.is_anothers(at, mine), "something odd in its place is nobody's record"


def test_a_fault_is_noted_with_its_place_and_what_it_was(tmp_path: Path) -> None:
    for words in ("one", "two"):
        with pytest.raises(ZeroDivisionError) as failed:
            raise ZeroDivisionError(words)
        journal.note_fault(str(tmp_path), failed.value)
    noted = (tmp_path / ".supervisor.err").read_text()
    assert noted.count(f'File "{__file__}", line') == 2
    assert noted.index("ZeroDivisionError: one\n") < noted.index("ZeroDivisionError: two\n")
