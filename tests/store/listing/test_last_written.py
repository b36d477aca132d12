"""Which metas were written last is known with the names: a list of the newest runs need not ask for the times of all."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bgrun.api import runs
from bgrun.jobfile.project import Project
from bgrun.store import index, meta
from bgrun.store.listing import entry, last_written, relisting
from bgrun.store.listing.names import stamp_of, zones_before
from bgrun.store.store import Store
from bgrun.system import changes, clock, reading
from bgrun.system.changes import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names are followed on Linux only")


def written(store: Store, run_id: str, at: float) -> None:
    """Write the meta of a run at a time, as bgrun does."""
    made, path = store.run(run_id).hidden("meta"), store.run(run_id).meta
    facts = {"run_id": run_id, "label": "a", "state": "succeeded", "started_at": clock.iso(at), "duration_s": "0"}
    with Change(store.log_dir, run_id):
        Path(made).write_bytes(meta.pack(facts))
        os.utime(made, (at, at))
        Path(made).rename(path)


def remember(store: Store) -> None:
    """Have the names and the times recorded, as a look at a directory at rest does."""
    (Path(store.log_dir) / "jobs").mkdir(exist_ok=True)
    for _ in range(2):  # the first entry of the cache makes its directory
        os.utime(store.log_dir, ns=(0, 0))
        index.list_names(store)
    assert store.cache.read("names")


def run_id_of(halves: int) -> str:
    """Return the ID of a run that began so many half days after another one."""
    return f"a_202601{5 + halves // 2:02d}_{12 * (halves % 2):02d}0000"


def written_since(store: Store, begin: str, moment: float) -> list[str] | None:
    """Return what is found by what is known now; None where nothing is."""
    known = index.followed(store, head=True)
    if known is None:
        return None
    return last_written.written_since(known, last_written.of_changed(store, known), begin, moment)


TIMES = st.dictionaries(st.integers(0, 9), st.integers(1, 5), min_size=1, max_size=7)


@settings(max_examples=40)
@example({0: 1, 1: 1, 2: 1, 3: 1, 4: 1}, {}, 1, 1)
@given(TIMES, st.dictionaries(st.integers(0, 9), st.integers(1, 5), max_size=3), st.integers(1, 6), st.integers(1, 4))
def test_what_is_found_is_what_all_times_would_tell(
    before: dict[int, int], after: dict[int, int], moment: int, shown: int
) -> None:
    def look(store: Store) -> None:
        every = [*index.list_names(store).newest_first()]
        begin = zones_before(every[:shown][-1])
        at = {run_id: os.stat(store.run(run_id).meta).st_mtime for run_id in every}
        wanted = {run_id for run_id in every if at[run_id] >= moment and stamp_of(run_id) >= begin}
        late = [run_id for run_id in every if at[run_id] >= moment]
        found = written_since(store, begin, moment)
        assert found is None or wanted <= set(found) <= set(late)
        # Four times are kept, whatever their stamps.
        if shown <= 3 and len(late) < 4 and every == [*index.followed(store, head=True).blocks[2].split("\n")[1:-1]]:  # type: ignore[union-attr]
            assert found is not None

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(relisting, "WORTH_KEEPING", 0)
        patch.setattr(relisting, "_MOST_SHOWN", 3)
        patch.setattr(relisting, "_MOST_WRITTEN", 4)
        store = Store(folder)
        for when, at in before.items():
            written(store, run_id_of(when), at)
        remember(store)
        look(store)
        for when, at in after.items():
            written(store, run_id_of(when), at)
            look(store)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A log directory with many runs of one day."""
    store = Store(str(tmp_path / ".logs"))
    (tmp_path / ".logs").mkdir()
    begun = clock.of_stamp("20260102_000000") or 0.0
    for number in range(relisting.WORTH_KEEPING + 100):
        written(store, f"a_20260101_{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}", begun + number)
    remember(store)
    return store


def listed(store: Store, limit: int = 5) -> list[str]:
    return [run.run_id for run in runs.list_runs(Project("/", None, store), limit=limit)]


def by_time(store: Store, limit: int = 5) -> list[str]:
    """Return the newest runs by their metas alone."""
    return [run.run_id for run in sorted(store.readable(store.index().newest_first()), key=runs.age)][: -limit - 1 : -1]


def test_a_run_of_another_zone_is_listed_before_and_after_changes(store: Store) -> None:
    began = clock.of_stamp("20260103_000000") or 0.0
    written(store, "a_20251231_220000", began)  # its caller lives in the west
    assert listed(store)[0] == "a_20251231_220000"
    assert listed(store) == by_time(store)
    remember(store)
    assert listed(store) == by_time(store)
    written(store, "a_20260101_010000", began + 1)
    written(store, "a_20251231_230000", began + 2)
    assert listed(store)[:3] == ["a_20251231_230000", "a_20260101_010000", "a_20251231_220000"]
    assert listed(store) == by_time(store)
    assert listed(store, 120) == by_time(store, 120), "more than there are times of"
    Path(store.run("a_20251231_220000").meta).unlink()
    assert listed(store) == by_time(store)


def test_few_files_are_asked_for_their_times(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def modified(path: str) -> float:
        asked.append(path)
        return os.lstat(path).st_mtime

    monkeypatch.setattr(reading, "modified", modified)
    listed(store)
    assert asked == []
    written(store, "a_20260101_010000", (clock.of_stamp("20260103_000000") or 0.0))
    listed(store)
    assert len(asked) == 1
    monkeypatch.setattr(changes, "since", lambda *_: None)
    monkeypatch.setattr(entry, "is_quiet", lambda _: False)
    asked.clear()
    listed(store)
    assert len(asked) == relisting.WORTH_KEEPING + 100 + 1 - 5, "of all others, since their names are not known"


def entries(store: Store, times: Iterable[bytes]) -> list[bytes]:
    mark, _, rest = (store.cache.read("names") or b"").split(b"\0", 2)
    without = mark.decode().rpartition(" ")[0]
    return [entry.sealed(without, b"\0".join((one, rest))) for one in times]


def test_times_that_cannot_be_read_are_asked_for(store: Store) -> None:
    expected = by_time(store)
    moment = (clock.of_stamp("20260102_000000") or 0.0) + relisting.WORTH_KEEPING + 50
    assert len(written_since(store, "20260101_000000", moment) or ()) == 50
    for one in entries(store, [b"", b"2", b"20250101_000000\nx y", b"20250101_000000\n9e9 a_20260101_000001", b"\n\n"]):
        store.cache.write("names", one)
        assert written_since(store, "20260101_000000", moment) is None
        assert listed(store) == expected
