"""Which runs there are, by name: sorted, kept while the folder is as it was, and never a moment longer."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.model import RunId
from bgrun.store import index
from bgrun.store.listing import entry, relisting
from bgrun.store.listing.names import RunNames
from bgrun.store.store import Store
from bgrun.system import changes

if TYPE_CHECKING:
    from pathlib import Path

LABELS = st.sampled_from(["a", "a_b", "ab", "a-2", "a_20260101_000000", "x.y"])
RUNS = st.lists(
    st.tuples(LABELS, st.sampled_from(["20260101_000000", "20260101_000001"]), st.integers(1, 12), st.booleans())
)


@given(RUNS, st.sets(st.integers(0, 30)))
def test_names_are_found_as_a_plain_search_finds_them(runs: list[tuple[str, str, int, bool]], ended: set[int]) -> None:
    ids = list(dict.fromkeys(RunId(*run[:3], dashed=run[3] and run[2] > 1) for run in runs))
    files = [f"{one}.meta" for one in ids] + [f"{one}.log" for one in ids]
    files += [f"{one}.exit" for place, one in enumerate(ids) if place in ended]
    found = relisting.sort([*files, ".a_20260101_000000.meta", "notes.meta", "jobs", ".gitignore"])
    ordered = sorted(ids, key=lambda one: (one.order[:2], one.label, one.order), reverse=True)
    assert list(found.newest_first()) == [str(one) for one in ordered]
    assert found.labels() == sorted({one.label for one in ids})
    assert found.without_exit() == {str(one) for place, one in enumerate(ids) if place not in ended}
    for label in ("a", "a_b", "ab", "a-2", "a_20260101_000000", "x.y", "", "b"):
        own = [str(one) for one in ordered if one.label == label]
        assert list(found.newest_first(label)) == own
        assert found.newest_of(label) == next(iter(own), None)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log folder with many runs in which nothing has changed for a while."""
    folder = tmp_path / ".logs"
    (folder / "jobs").mkdir(parents=True)
    for serial in range(2, relisting.WORTH_KEEPING + 3):
        (folder / f"a_20260101_000000-{serial}.meta").touch()
    calm(folder)
    return folder


def calm(folder: Path) -> None:
    """Have a folder look as if it had changed some time ago."""
    os.utime(folder, ns=(0, os.stat(folder).st_mtime_ns - 10_000_000_000))


def kept(folder: Path) -> bytes | None:
    return Store(str(folder)).cache.read("names")


def test_names_are_kept_and_used_while_nothing_changes(logs: Path) -> None:
    fresh = index.list_names(Store(str(logs)))
    assert kept(logs) is None or index.list_names(Store(str(logs))) == fresh  # the cache's own folder was made just now
    calm(logs)
    index.list_names(Store(str(logs)))
    assert kept(logs) is not None
    assert index.list_names(Store(str(logs))) == fresh
    mark = (kept(logs) or b"").split(b"\0")[0].decode().rpartition(" ")[0]
    Store(str(logs)).cache.write("names", entry.sealed(mark, b"\0".join([b"", b"\n", b"\n", b"\n"])))
    assert index.list_names(Store(str(logs))) == RunNames()  # so it is read indeed


@pytest.mark.parametrize("change", ["new", "gone", "exit", "renamed"])
def test_a_changed_directory_is_read_anew(logs: Path, change: str) -> None:
    for _ in range(2):
        index.list_names(Store(str(logs)))
        calm(logs)
    index.list_names(Store(str(logs)))
    assert kept(logs) is not None
    if change == "new":
        (logs / "a_20260102_000000.meta").touch()
    elif change == "gone":
        (logs / f"a_20260101_000000-{relisting.WORTH_KEEPING + 2}.meta").unlink()
    elif change == "exit":
        (logs / "a_20260101_000000-2.exit").touch()
    else:
        (logs / "a_20260101_000000-2.meta").rename(logs / "a_20260103_000000.meta")
    assert index.list_names(Store(str(logs))) == relisting.sort(os.listdir(logs))


def test_a_directory_whose_time_was_set_back_is_read_anew(logs: Path) -> None:
    for _ in range(2):
        index.list_names(Store(str(logs)))
        calm(logs)
    index.list_names(Store(str(logs)))
    assert kept(logs) is not None
    before = logs.stat()
    (logs / "b_20260102_000000.meta").touch()
    os.utime(logs, ns=(before.st_atime_ns, before.st_mtime_ns))  # as rsync -a and tar do
    assert index.newest(Store(str(logs)), "b") == "b_20260102_000000"
    assert index.find_label(Store(str(logs)), "b").unfinished == ("b_20260102_000000",)


def test_a_directory_that_has_just_changed_is_not_kept(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "LOCAL_QUIET_S", 3600.0)
    os.utime(logs)
    index.list_names(Store(str(logs)))
    assert kept(logs) is None


@pytest.mark.skipif(sys.platform != "linux", reason="file systems are told apart on Linux only")
@pytest.mark.parametrize(("clock", "at", "value"), [("coarse", "_COARSE_NS", 1), ("far", "_LOCAL", frozenset())])
def test_a_clock_that_ticks_often_needs_less_rest(
    logs: Path, monkeypatch: pytest.MonkeyPatch, clock: str, at: str, value: object
) -> None:
    def rest(seconds: float) -> None:
        os.utime(logs, (0, time.time() - seconds))

    monkeypatch.setattr(entry, "QUIET_S", 3600.0)
    with monkeypatch.context() as patch:
        patch.setattr(changes, at, value)
        rest(60)
        index.list_names(Store(str(logs)))
        assert kept(logs) is None, clock
    for _ in range(2):
        rest(60)
        index.list_names(Store(str(logs)))
    assert kept(logs) is not None


def test_what_others_could_have_written_is_not_read(logs: Path) -> None:
    Store(str(logs)).cache.write("names", b"text")
    path = logs / ".cache" / "names"
    assert kept(logs) == b"text"
    path.chmod(0o622)
    assert kept(logs) is None
    path.unlink()
    path.symlink_to(logs / "jobs")
    assert kept(logs) is None


@pytest.mark.parametrize("quiet", [True, False])
def test_the_runs_of_a_label_are_the_same_however_they_are_found(logs: Path, quiet: bool) -> None:
    (logs / "b_20260101_000000.meta").touch()
    for path in logs.glob("*.meta"):
        (logs / "jobs" / f"{path.stem}.sh").touch()
    if quiet:
        calm(logs)
    for label in ("a", "b", "c"):
        expected = list(index.list_names(Store(str(logs))).newest_first(label))
        assert list(index.list_label(Store(str(logs)), label)) == expected
        assert index.resolve(Store(str(logs)), label) == next(iter(expected), None)
        assert index.find_label(Store(str(logs)), label) == index.LabelRuns(next(iter(expected), None), tuple(expected))
    if newest := index.resolve(Store(str(logs)), "a"):
        (logs / f"{newest}.exit").touch()
    if quiet:
        calm(logs)
    found = index.find_label(Store(str(logs)), "a")
    assert found == index.LabelRuns(newest, tuple(index.list_names(Store(str(logs))).newest_first("a"))[1:])


def test_there_are_none_where_there_is_no_directory(tmp_path: Path) -> None:
    nowhere = Store(str(tmp_path / ".logs"))
    assert list(index.list_label(nowhere, "a")) == []
    assert index.resolve(nowhere, "a") is None
    assert index.find_label(nowhere, "a") == index.LabelRuns()


def test_runs_without_job_scripts_are_found_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a_20260101_000000.meta").touch()
    assert list(index.list_label(Store(str(tmp_path)), "a")) == ["a_20260101_000000"]
