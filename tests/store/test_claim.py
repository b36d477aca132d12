"""Which run id is claimed next: after the last one of its label, whoever claimed that and however many there are."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.errors import StorageError
from bgrun.model import RunId
from bgrun.store import claim, index
from bgrun.store.listing import relisting
from bgrun.store.paths import newest_first, newest_of_each
from bgrun.store.store import Store
from bgrun.system import changes, files

if TYPE_CHECKING:
    from pathlib import Path

LABELS = st.sampled_from(["a", "a_b", "ab", "a-2", "a_20260101_000000", "x.y"])
RUNS = st.lists(st.tuples(LABELS, st.sampled_from(["20260101_000000", "20260101_000001"]), st.integers(1, 12)))
FUTURE = "20990101_000000"


@given(RUNS)
def test_the_scripts_of_a_label_are_found_as_a_plain_search_finds_them(runs: list[tuple[str, str, int]]) -> None:
    ids = [RunId(*run) for run in runs]
    scripts = [f"{one}.sh" for one in ids] + ["notes", "a_notes.sh", f".a_{FUTURE}.sh", f"a_{FUTURE}.hooks.log"]
    for label in ("a", "a_b", "ab", "a-2", "a_20260101_000000", "x.y", "b"):
        own = [one for one in ids if one.label == label]
        ordered = sorted(own, key=lambda one: (one.ts, one.serial), reverse=True)
        assert list(newest_first(label, scripts, ".sh")) == ordered
        assert newest_of_each(scripts, ".sh").get(label) == next(iter(ordered), None)


@pytest.fixture(params=["few", "many"])
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A log folder with few scripts, or with runs whose names are recorded, so that it is not listed each time."""
    jobs = tmp_path / ".logs" / "jobs"
    jobs.mkdir(parents=True)
    if request.param == "many":
        for serial in range(2, relisting.WORTH_KEEPING + 3):
            (jobs.parent / f"other_20260101_000000-{serial}.meta").touch()
        for _ in range(2):  # the first entry of the cache makes its directory
            os.utime(jobs.parent, ns=(0, 0))
            index.list_names(Store(str(jobs.parent)))
        assert index.recorded_newest(Store(str(jobs.parent)))
    return jobs.parent


def made(logs: Path, run_id: str) -> None:
    """Make a run as bgrun does."""
    with changes.Change(str(logs), run_id):
        (logs / f"{run_id}.meta").touch()


def claimed(logs: Path, *labels: str) -> list[str]:
    return [str(one) for one in claim.claim_all(Store(str(logs)), [(label, b"") for label in labels])]


def test_a_clock_that_was_set_back_makes_no_older_run_the_newest(logs: Path) -> None:
    (logs / "jobs" / f"a_{FUTURE}-3.sh").touch()
    made(logs, f"a_{FUTURE}-3")
    assert claimed(logs, "a", "a") == [f"a_{FUTURE}z4", f"a_{FUTURE}z5"]
    assert claimed(logs, "a") == [f"a_{FUTURE}z6"]
    (logs / "jobs" / f"a_{FUTURE}z7.sh").touch()
    assert claimed(logs, "a") == [f"a_{FUTURE}z8"]
    made(logs, f"a_{FUTURE}z8")
    assert claimed(logs, "a") == [f"a_{FUTURE}z9"]


def test_a_file_system_without_modes_keeps_nothing_from_starting(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchmod", refuse)
    before = os.umask(0o177)  # so that the mode is another one than was asked for
    try:
        (claimed_id,) = claimed(logs, "a")
    finally:
        os.umask(before)
    assert (logs / "jobs" / f"{claimed_id}.sh").stat().st_mode & 0o777 == 0o600


def test_a_run_whose_script_was_removed_keeps_its_id(logs: Path) -> None:
    (logs / "jobs" / f"a_{FUTURE}-3.sh").touch()
    made(logs, f"a_{FUTURE}-3")
    (logs / f"a_{FUTURE}z4.meta").touch()
    assert claimed(logs, "a") == [f"a_{FUTURE}z5"]


@pytest.mark.parametrize("logs", ["many"], indirect=True)
@pytest.mark.parametrize("odd", ["file", "link", "closed"])
def test_a_claim_does_without_a_cache(logs: Path, odd: str, tmp_path: Path) -> None:
    (logs / "jobs" / f"a_{FUTURE}-3.sh").touch()
    shutil.rmtree(logs / ".cache")
    make = {"file": (logs / ".cache").touch, "link": lambda: (logs / ".cache").symlink_to(tmp_path)}
    make.get(odd, lambda: (logs / ".cache").mkdir(0o500))()
    assert claimed(logs, "a", "a") == [f"a_{FUTURE}z4", f"a_{FUTURE}z5"]


@pytest.mark.parametrize("logs", ["many"], indirect=True)
def test_an_id_is_claimed_by_the_scripts_once_something_else_changed_the_directory(logs: Path) -> None:
    (logs / "jobs" / f"a_{FUTURE}-3.sh").touch()
    assert FUTURE not in claimed(logs, "a")[0], "there is no such run"
    (logs / "notes").touch()
    assert claimed(logs, "a") == [f"a_{FUTURE}z4"]


@pytest.mark.parametrize("logs", ["few", "many"], indirect=True)
def test_claims_at_once_are_all_of_different_runs(logs: Path) -> None:
    with ThreadPoolExecutor(8) as several:
        found = [one for some in several.map(lambda _: claimed(logs, "a", "b", "a"), range(40)) for one in some]
    assert len(set(found)) == 120


def test_a_second_that_is_full_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    jobs = tmp_path / ".logs" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / f"a_{FUTURE}.sh").touch()
    for serial in range(2, claim._MOST_AT_ONCE + 2):
        (tmp_path / ".logs" / f"{RunId('a', FUTURE, serial)}.meta").touch()
    with pytest.raises(StorageError, match="full of scripts of a"):
        claimed(jobs.parent, "a")
    assert [path.name for path in jobs.iterdir()] == [f"a_{FUTURE}.sh"]
    assert claimed(jobs.parent, "b")[0].startswith("b_")


def test_of_a_script_that_cannot_be_written_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: half a script is never taken for one."""
    jobs = tmp_path / ".logs" / "jobs"
    jobs.mkdir(parents=True)

    def refuse(fd: int, _: bytes) -> None:
        os.write(fd, b"ha")
        raise OSError(errno.ENOSPC, "No space left on device")

    before = len(os.listdir("/dev/fd"))
    monkeypatch.setattr(files, "write_all", refuse)
    with pytest.raises(StorageError, match="No space left on device"):
        claimed(jobs.parent, "a")
    assert list(jobs.iterdir()) == []
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("umask", [0, 0o077, 0o177])
def test_a_script_can_be_run_by_its_owner_alone(logs: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (claimed_id,) = claimed(logs, "a")
    finally:
        os.umask(before)
    assert (logs / "jobs" / f"{claimed_id}.sh").stat().st_mode & 0o777 == 0o700


def test_the_scripts_are_listed_once_and_sorted_once_however_many_labels(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [f"label_{number}" for number in range(30)]
    for label in labels[::3]:
        (logs / "jobs" / f"{label}_{FUTURE}z2.sh").touch()
    asked = {"listdir": 0, "newest_first": 0, "newest_of_each": 0}

    def counting(module: object, name: str) -> None:
        real = getattr(module, name)

        def count(*words: object) -> object:
            asked[name] += 1
            return real(*words)

        monkeypatch.setattr(module, name, count)

    (logs / "notes").touch()
    counting(os, "listdir")
    counting(claim, "newest_first")
    counting(claim, "newest_of_each")
    found = claimed(logs, *labels)
    assert asked == {"listdir": 1, "newest_first": 1, "newest_of_each": 1}
    assert [one for one in found if FUTURE in one] == [f"{label}_{FUTURE}z3" for label in labels[::3]]


def test_a_claim_is_given_up_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = Store(str(tmp_path)).run(f"a_{FUTURE}")
    removed: list[str] = []
    monkeypatch.setattr(files, "remove", removed.append)
    claim.give_up(Store(str(tmp_path)), [at.run_id])
    assert removed[-1] == at.script  # another process may have the name from then on
    assert at.meta in removed[:-1]
    assert removed.count(at.script) == 1
