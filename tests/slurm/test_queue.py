"""What squeue and sacct print, and how long an answer is kept."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.slurm import calls, queue
from bgrun.slurm.queue import Job

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
12|RUNNING|n1|2026-11-26T10:00:00|bgrun:aaaaaaaaaaaaaaaa|None
13_7|PENDING||N/A|bgrun:bbbbbbbbbbbbbbbb|JobArrayTaskLimit
14|PENDING||N/A|bgrun:cccccccccccccccc|ReqNodeNotAvail, UnavailableNodes:n[1-3] (a|b)
15|COMPLETED|n2|2026-11-26T09:00:00|(null)|None
16_[1-3]|PENDING||N/A|bgrun:dddddddddddddddd|None
17|COMPLETED|n2|2026-11-26T09:00:00|bgrun:eeeeeeeeeeeeeeee|None
18|RUNNING|n2|2026-11-26T09:00:00|bgrun:eeeeeeeeeeeeeeee|None
19|FAILED|n2|2026-11-26T09:00:00|bgrun:eeeeeeeeeeeeeeee|NonZeroExitCode
half a line
"""


def test_jobs_are_found_by_their_token_and_their_place_in_an_array() -> None:
    found = queue.parse(TEXT.splitlines())
    assert found["aaaaaaaaaaaaaaaa", None][:4] == ("12", "RUNNING", "", "n1")
    assert found["bbbbbbbbbbbbbbbb", 7] == Job("13_7", "PENDING", "JobArrayTaskLimit", "", None)
    assert found["cccccccccccccccc", None].reason == "ReqNodeNotAvail, UnavailableNodes:n[1-3] (a|b)"
    assert found["eeeeeeeeeeeeeeee", None].job_id == "18", "of several the one that has not ended"
    assert len(found) == 4


def test_the_job_of_a_run() -> None:
    known = queue.Queue(True, queue.parse(TEXT.splitlines()))
    assert known.of({"token": "bbbbbbbbbbbbbbbb", "array_index": "7"}) == known.jobs["bbbbbbbbbbbbbbbb", 7]
    assert known.of({"token": "bbbbbbbbbbbbbbbb"}) is None
    assert known.of({}) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("CANCELLED by 1000|2026-11-26T10:00:02|2026-11-26T10:01:00\n", "CANCELLED"),
        ("TIMEOUT|2026-11-25T10:00:02|2026-11-26T10:01:00\n", ""),
        ("RUNNING|2026-11-26T10:00:02|Unknown\n", ""),
        ("FAILED|2026-11-25T10:00:00|x\nNODE_FAIL|2026-11-26T10:00:01|x\n", "NODE_FAIL"),
        ("", ""),
        ("nonsense\n", ""),
    ],
)
def test_the_word_of_the_accounting_is_that_of_this_submission(text: str, word: str) -> None:
    assert queue.accounted_word(text, 1795687200.0) == word, "another job may have had the same ID"


@pytest.fixture
def sacct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sacct that counts its calls, and knows of one job."""
    program = tmp_path / "sacct"
    program.write_text(f"#!/bin/sh\necho >>{tmp_path}/calls\necho '5|TIMEOUT|2026-11-26T10:00:02|x'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(queue, "_words", {})
    return tmp_path


def test_what_the_accounting_says_of_a_job_is_kept_for_no_other_one(sacct: Path) -> None:
    assert queue.accounted("5", 1795687200.0) == "TIMEOUT"
    assert queue.accounted("5", 1795680000.0) == "", "an earlier job with the same ID"
    assert queue.accounted("5", 1795687200.0) == "TIMEOUT"
    assert (sacct / "calls").read_text() == "\n", "it is asked once"
    queue.accounted("5", 1795687200.0, "/another")
    assert (sacct / "calls").read_text() == "\n\n"


def test_one_call_of_sacct_is_for_all_jobs_of_a_look(sacct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    text = "5|TIMEOUT|2026-11-26T10:00:02|x\n6_1|CANCELLED by 7|2026-11-26T10:00:02|x\n"
    monkeypatch.setattr(calls, "call", lambda argv, **_: asked.append(argv[5]) or calls.Answer(0, text))
    words = [queue.accounted(job, 1795687200.0, others=lambda: ["5", "6_1", "7"]) for job in ("6_1", "5", "7", "5")]
    assert words == ["CANCELLED", "TIMEOUT", "", "TIMEOUT"]
    assert asked == ["6_1,5,7"]
    assert queue.accounted("8", 1795687200.0, others=lambda: map(str, range(5000))) == ""
    assert (asked[1][:4], asked[1].count(",") + 1) == ("8,0,", queue.MOST_ACCOUNTED)
    assert not (sacct / "calls").exists()


def test_accounting_that_does_not_answer_is_asked_for_one_job_alone(
    sacct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(calls, "call", lambda argv, **_: asked.append(argv[5]) or calls.Answer(None))
    assert [queue.accounted(job, 1795687200.0) for job in "567"] == ["", "", ""]
    assert asked == ["5"]
    assert not (sacct / "calls").exists()


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the time at one that three digits would round up, so that no slow machine lets an answer grow old."""
    monkeypatch.setattr(time, "time", lambda: 1795687200.0009)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A squeue that prints what is in `answer`, and counts how often it is called."""
    (tmp_path / ".logs" / "jobs").mkdir(parents=True, mode=0o700)
    (tmp_path / ".logs").chmod(0o700)
    program = tmp_path / "squeue"
    program.write_text(f"#!/bin/sh\necho >>{tmp_path}/calls\ncat {tmp_path}/answer\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "answer").write_text(TEXT)
    (tmp_path / "calls").touch()
    return tmp_path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks at the runs of others")
def test_the_jobs_are_those_of_the_owner_of_the_runs(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(calls, "call", lambda argv, **_: asked.append(argv[-1]) or calls.Answer(0, TEXT))
    for owner in (0, 12345):
        os.chown(slurm / ".logs", owner, owner)
        queue.look(str(slurm / ".logs"), 0.0)
    assert asked == ["--user=0", "--user=12345"]


@pytest.mark.usefixtures("standing_clock")
def test_an_answer_is_kept_for_all_callers(slurm: Path) -> None:
    logs = str(slurm / ".logs")
    first = queue.look(logs)
    assert queue.look(logs).jobs == first.jobs
    assert (first.answered, len(first.jobs), (slurm / "calls").read_text()) == (True, 4, "\n")
    queue.look(logs, 0.0)
    queue.look(logs, config="/another")
    assert (slurm / "calls").read_text() == "\n" * 3, "an answer of another cluster is none"
    queue.forget(logs)
    queue.look(logs, config="/another")
    assert (slurm / "calls").read_text() == "\n" * 4


def test_an_answer_is_not_kept_for_long(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = str(slurm / ".logs")
    queue.look(logs)
    for ahead in (queue.KEPT_S + 1, -60):  # the clock may be set back
        now = time.time() + ahead
        monkeypatch.setattr(time, "time", lambda now=now: now)
        queue.look(logs)
    assert (slurm / "calls").read_text() == "\n" * 3


@pytest.mark.usefixtures("standing_clock")
def test_that_there_was_no_answer_is_kept_too(slurm: Path) -> None:
    (slurm / "answer").unlink()
    logs = str(slurm / ".logs")
    assert [queue.look(logs).answered, queue.look(logs).answered] == [False, False]
    assert (slurm / "calls").read_text() == "\n"


@pytest.mark.parametrize("text", ["", "x", "1 a b c d", "1 0 0 1 \nx|y", "\xff"])
def test_a_damaged_entry_is_no_answer(slurm: Path, text: str) -> None:
    logs = str(slurm / ".logs")
    queue.look(logs)
    (slurm / ".logs" / ".cache" / "slurm").write_text(text)
    assert len(queue.look(logs).jobs) == 4


def test_a_submission_is_found_by_its_token(slurm: Path) -> None:
    logs = str(slurm / ".logs")
    assert (queue.find(logs, "bbbbbbbbbbbbbbbb"), queue.find(logs, "0" * 16)) == ("13", "")


def test_a_call_that_hangs_is_no_answer(slurm: Path) -> None:
    (slurm / "squeue").write_text("#!/bin/sh\nexec sleep 60\n")
    assert calls.call(["squeue"], 0.2).code is None
