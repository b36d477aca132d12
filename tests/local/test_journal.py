"""What the supervisor writes down, piece by piece."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgrun.local import journal
from bgrun.store import meta
from bgrun.store.paths import RunPaths

OLD, RECENT = 1_700_000_000, 1_700_100_000


@pytest.fixture
def at(tmp_path: Path) -> RunPaths:
    (tmp_path / "jobs").mkdir()
    return RunPaths(str(tmp_path), "x_20260101_000000")


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
