"""The results of many runs come from one entry, which never says anything but what their metas say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun import codec
from bgrun.store import meta, record
from bgrun.store.listing import entry as names_entry
from bgrun.store.listing import results
from bgrun.store.listing.results import Result
from bgrun.store.state import FINAL_STATES
from bgrun.store.store import MANY, Store
from bgrun.system import lock
from tests.conftest import TOP, in_folder

if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.model import Run

BEGAN, ENDED = "2026-01-01T00:00:00.000+00:00", "2026-01-01T00:01:00.000+01:00"
USUAL = {"label": "a", "started_at": BEGAN, "ended_at": ENDED, "duration_s": "60.000", "exit_code": "0"}
COUNT = MANY + 20
LAST = f"a_20260101_00{COUNT // 60:02d}{COUNT % 60:02d}"


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every meta count as one that was written long ago."""
    monkeypatch.setattr(names_entry, "QUIET_S", -3600.0)


def write(logs: Path, run_id: str, **facts: str) -> Path:
    path = logs / f"{run_id}.meta"
    path.write_bytes(meta.pack({"run_id": run_id, **facts}))
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log folder with many runs, one of which did not end and one of which failed."""
    folder = tmp_path / ".logs"
    (folder / "jobs").mkdir(parents=True)
    for number in range(1, COUNT):
        state = "failed" if number == 7 else "succeeded"
        write(folder, f"a_20260101_00{number // 60:02d}{number % 60:02d}", **USUAL, state=state)
    write(folder, LAST, label="a", started_at=BEGAN)
    return folder


def names(logs: Path) -> list[str]:
    return [*Store(str(logs)).index().newest_first()]


def read(logs: Path) -> list[Result | Run]:
    """Read the results of all runs, as a command does."""
    with Store(str(logs)).results() as found:
        return list(found.of(names(logs)))


def shown(found: list[Result | Run]) -> list[tuple[object, ...]]:
    return [tuple(getattr(one, field) for field in (*Result._fields, "live", "succeeded")) for one in found]


def plainly(logs: Path) -> list[tuple[object, ...]]:
    """Return the same without the entry."""
    return shown(list(Store(str(logs)).readable(names(logs))))


def entry(logs: Path) -> bytes | None:
    return Store(str(logs)).cache.read("results")


def lines(logs: Path) -> dict[str, results.Line]:
    return results._read_lines(Store(str(logs)))


def forged(lines: dict[str, results.Line]) -> bytes:
    """Return an entry with these lines."""
    data = codec.pack_plain(lines)
    return results._head(data) + b"\n" + data


def written(logs: Path) -> bytes:
    """Have the entry written, and return it."""
    read(logs)
    found = entry(logs)
    assert found is not None
    return found


FACTS = {
    "state": st.sampled_from([*FINAL_STATES, "running", ""]),
    "started_at": st.sampled_from([BEGAN, ""]),
    "ended_at": st.sampled_from([ENDED, BEGAN]),
    "duration_s": st.sampled_from(["0.000", "1.5", "1e3", "nan", "x", "", "-1"]),
    "exit_code": st.sampled_from(["0", "3", ""]),
    "only_failed_of": st.sampled_from(["", "a_20260101_000000", "odd\tone", "odd\none", "\udcff"]),
    "only_jobs": st.sampled_from(["", " ", "a", "a b"]),
    "service": st.sampled_from(["true", ""]),
    "label": st.just("a"),
}


@in_folder(60)
@given(st.fixed_dictionaries({}, optional=FACTS))
def test_a_result_is_that_of_the_run(tmp_path: Path, facts: dict[str, str]) -> None:
    (tmp_path / "jobs").mkdir(exist_ok=True)
    run_id = "a_20260101_000000"
    write(tmp_path, run_id, **facts)
    store = Store(str(tmp_path))
    reader = results.Results(store)
    expected = shown(list(store.readable([run_id])))
    assert shown(list(reader.of([run_id]))) == expected
    reader._lines.update(codec.unpack(codec.pack_plain(reader._new)))
    assert shown(list(reader.of([run_id]))) == expected, "from its line, too"


def test_the_entry_is_used_while_the_metas_are_as_they_were(logs: Path) -> None:
    before = plainly(logs)
    assert shown(read(logs)) == before
    written(logs)
    kept = lines(logs)
    assert shown(read(logs)) == before
    other = {run_id: (*line[:3], "stopped", *line[4:]) for run_id, line in kept.items() if line[3] == "succeeded"}
    Store(str(logs)).cache.write("results", forged({**kept, **other}))
    assert {one.state for one in read(logs)} == {"stopped", "failed", "lost"}, "it is read"
    assert len(kept) == COUNT - 1, "what is not known to have ended has no line"


@pytest.mark.parametrize("change", ["in place", "replaced", "touched", "deleted", "link", "new", "lost"])
def test_a_changed_meta_is_read_anew(logs: Path, change: str) -> None:
    written(logs)
    path = logs / "a_20260101_000030.meta"
    seen, text = path.stat(), path.read_bytes()
    other = text.replace(b"duration_s=60.000", b"duration_s=61.000")
    assert other != text
    if change == "in place":
        path.write_bytes(other)
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))  # of the same size and time: the ctime tells
    elif change == "replaced":
        (logs / "new").write_bytes(other)
        os.utime(logs / "new", ns=(seen.st_atime_ns, seen.st_mtime_ns))
        (logs / "new").rename(path)
    elif change == "touched":
        path.write_bytes(other)
    elif change == "deleted":
        path.unlink()
    elif change == "link":
        path.rename(logs / "elsewhere")
        path.symlink_to(logs / "elsewhere")
    elif change == "new":
        write(logs, "a_20260102_000000", **USUAL, state="failed")
    else:
        path.write_bytes(meta.pack({"run_id": path.stem, "label": "a", "started_at": BEGAN}))
    expected = plainly(logs)
    assert shown(read(logs)) == expected
    assert shown(read(logs)) == expected
    record.skipped.clear()


def test_a_damaged_entry_costs_only_time(logs: Path) -> None:
    whole = written(logs)
    kept, expected = lines(logs), plainly(logs)
    middle = len(whole) // 2
    for damaged in (
        b"",
        whole[:middle],
        whole[:-1],
        whole + b"a\n",
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        b"results 0" + whole[9:],
        b"results 3" + whole[9:],
        whole.partition(b"\n")[2],
        b"\xff" * 5000,
    ):
        Store(str(logs)).cache.write("results", damaged)
        assert results._read_lines(Store(str(logs))) == {}
        assert shown(read(logs)) == expected
        assert lines(logs) == kept, "it is made again"


def test_a_meta_that_was_just_written_has_no_line(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_entry, "QUIET_S", 3600.0)
    read(logs)
    assert entry(logs) is None


def test_a_clock_that_was_set_back_leaves_no_line(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_entry, "QUIET_S", 0.0)
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    read(logs)
    assert entry(logs) is None


def test_few_missing_lines_are_not_worth_writing_all(logs: Path) -> None:
    before = written(logs)
    write(logs, "a_20260102_000000", **USUAL, state="failed")
    read(logs)
    assert entry(logs) == before


def test_the_lines_of_deleted_runs_go_and_their_number_is_bounded(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(logs)
    for name in names(logs)[:50]:
        (logs / f"{name}.meta").unlink()
    for number in range(110):
        write(logs, f"b_20260101_00{number // 60:02d}{number % 60:02d}", **USUAL, state="failed")
    written(logs)
    assert set(lines(logs)) == set(names(logs))
    monkeypatch.setattr(results, "MOST_LINES", 130)
    Store(str(logs)).cache.remove("results")
    written(logs)
    assert set(lines(logs)) == set(names(logs)[:130])
    assert shown(read(logs)) == plainly(logs)


def test_a_copied_directory_is_read_anew(logs: Path, tmp_path: Path) -> None:
    written(logs)
    copy = tmp_path / "copy"
    shutil.copytree(logs, copy)  # with the times of all files
    write(copy, "a_20260101_000030", **{**USUAL, "duration_s": "61.000"}, state="failed")
    assert [one[5] for one in shown(read(copy))] == [one[5] for one in plainly(copy)]
    assert shown(read(logs)) == plainly(logs)


def test_what_others_could_have_written_is_not_used(logs: Path) -> None:
    written(logs)
    path = logs / ".cache" / "results"
    path.write_bytes(forged({run_id: (*line[:3], "succeeded", *line[4:]) for run_id, line in lines(logs).items()}))
    assert "failed" not in {one.state for one in read(logs)}
    path.chmod(0o666)
    assert "failed" in {one.state for one in read(logs)}


def test_runs_that_may_be_active_are_read_each_time(logs: Path) -> None:
    store = Store(str(logs))
    fd = os.open(logs / f"{LAST}.pid", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock.hold(fd)  # as its supervisor does
        assert store.unclosed(names(logs)) == [LAST]
        assert entry(logs) is not None
        assert store.unclosed(names(logs)) == [LAST]
        assert store.unclosed(names(logs)[:3]) == names(logs)[:3], "few are not worth it"
    finally:
        os.close(fd)
    assert store.unclosed(names(logs)) == [], "it is lost now"


_READER = """
import sys
from bgrun.store.listing import entry
from bgrun.store.store import Store
entry.QUIET_S = -3600.0
store = Store(sys.argv[1])
for _ in range(8):
    with store.results() as found:
        states = [one.state for one in found.of(store.index().newest_first())]
    assert states.count("failed") == 1 and len(states) == int(sys.argv[2]), states
    store.cache.remove("results")
"""


def test_several_processes_write_it_at_once(logs: Path) -> None:
    expected = plainly(logs)
    command = [sys.executable, "-c", _READER, str(logs), str(COUNT)]
    writers = [subprocess.Popen(command, cwd=TOP, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for one in writers:
        assert (one.wait(), one.communicate()[1]) == (0, "")
    assert shown(read(logs)) == expected
    assert not [name for name in os.listdir(logs / ".cache") if name.startswith("results.")], "no part is left"


def test_the_result_of_another_engine_counts_as_well(logs: Path) -> None:
    """Its meta says it; without a result the engine is asked, which this version may not have."""
    for number in range(110):
        facts = {**USUAL, "engine": "cluster", "state": "failed"}
        write(logs, f"c_20260101_00{number // 60:02d}{number % 60:02d}", **facts)
    write(logs, "d_20260101_000000", label="d", engine="cluster")
    written(logs)
    assert "c_20260101_000030" in lines(logs)
    assert shown(read(logs)) == plainly(logs)
    assert "unknown engine" in record.skipped.pop("d_20260101_000000")
