"""Runs of the shell script that bgrun replaces: what their four files say, and what they leave open."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.store import foreign
from bgrun.store.paths import RunPaths
from bgrun.system import clock

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = {"label": "unit tests", "cmd": "make\\ -j4 test ", "repo_dir": "/repo", "pgid": "77", "host": "box"}
STAMP = "20260301_120000"
HOUR_S, DAY_S = 3600.0, 86400.0


@pytest.fixture
def at(tmp_path: Path) -> RunPaths:
    """A run whose meta was written in the second of its name, and its PID a moment later."""
    made = RunPaths(str(tmp_path), f"old_{STAMP}")
    (tmp_path / f"old_{STAMP}.meta").write_text("")
    (tmp_path / f"old_{STAMP}.pid").write_text("4711\n")
    touch(made, clock.of_stamp(STAMP) or 0.0)
    return made


def touch(at: RunPaths, when: float) -> None:
    os.utime(at.meta, (when, when))


def test_its_lines_come_under_the_keys_of_a_meta(at: RunPaths) -> None:
    facts = foreign.completed(at, WRITTEN, 0)
    assert facts["label"] == "unit tests"
    assert facts["cmd"] == "make\\ -j4 test", "printf %q adds a space after each word"
    assert (facts["working_dir"], facts["pid"], facts["host"]) == ("/repo", "4711", "box")
    assert facts["pgid"] == "", "it is the caller's group: no signal may go there"
    assert clock.epoch(facts["started_at"]) == clock.of_stamp(STAMP)
    assert not {"run_id", "copied", "waiting"} & set(facts)


def test_without_a_label_the_name_of_the_files_counts(at: RunPaths) -> None:
    assert foreign.completed(at, {}, None)["label"] == "old"


def test_between_its_meta_and_its_pid_it_is_about_to_start(at: RunPaths) -> None:
    os.remove(at.pid)
    touch(at, time.time())
    begins = foreign.completed(at, WRITTEN, None)
    assert (begins["pid"], begins["started_at"], bool(begins["waiting"])) == ("", "", True)
    for later, code in ((3 * foreign.SLACK_S, None), (0.0, 0)):
        touch(at, time.time() - later)
        assert not foreign.completed(at, WRITTEN, code).get("waiting")


@pytest.mark.parametrize("content", ["", "abc\n", "-5x\n", "\xff\xfe"])
def test_a_pid_file_that_holds_no_number_names_no_process(at: RunPaths, content: str) -> None:
    with open(at.pid, "w", encoding="latin-1") as file:
        file.write(content)
    assert foreign.completed(at, WRITTEN, 0)["pid"] == ""


def test_of_a_copy_the_time_in_its_name_counts(at: RunPaths) -> None:
    touch(at, (clock.of_stamp(STAMP) or 0.0) + 400 * DAY_S)
    facts = foreign.completed(at, WRITTEN, 0)
    assert facts["copied"] == "true"
    assert clock.epoch(facts["started_at"]) == clock.of_stamp(STAMP)


def test_a_start_that_bgrun_recorded_itself_is_kept(at: RunPaths) -> None:
    touch(at, (clock.of_stamp(STAMP) or 0.0) + 400 * DAY_S)
    facts = foreign.completed(at, {**WRITTEN, "started_at": "2026-03-01T12:00:01+00:00"}, 143)
    assert facts["started_at"] == "2026-03-01T12:00:01+00:00"
    assert "copied" not in facts


@pytest.mark.parametrize("apart_s", [0.0, 1.5, -1.5, HOUR_S, -9.5 * HOUR_S, 5.75 * HOUR_S, 14 * HOUR_S + 2.0])
def test_a_difference_of_time_zones_is_no_copy(apart_s: float) -> None:
    assert foreign.instant(1e9, 1e9 + apart_s) == 1e9 + apart_s


@pytest.mark.parametrize("apart_s", [HOUR_S / 8, -100.0, 27 * HOUR_S, 30 * DAY_S])
def test_any_other_difference_is_one(apart_s: float) -> None:
    assert foreign.instant(1e9, 1e9 + apart_s) == 1e9


def test_a_name_without_a_time_leaves_that_of_the_file() -> None:
    assert foreign.instant(None, 5.0) == 5.0


def test_why_its_result_is_unknown_names_the_other_host() -> None:
    here = os.uname().nodename.partition(".")[0]
    for host in ("", here, f"{here}.example.org"):
        assert foreign.is_here({"host": host})
        assert foreign.unseen({"host": host}) == "exit code unknown, the job ended without recording it"
    assert not foreign.is_here({"host": "elsewhere.example.org"})
    assert foreign.unseen({"host": "elsewhere"}) == "exit code unknown, started on host elsewhere"
