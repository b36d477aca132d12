"""The names of many runs stay known while bgrun changes them, and are listed anew after anything else did."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.store import index, record, stop_request
from bgrun.store.listing import entry, last_written, relisting
from bgrun.store.listing.names import RunNames
from bgrun.store.listing.updating import updated
from bgrun.store.store import Store
from bgrun.system import changes
from tests.conftest import TOP, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Cli

STAMPS = st.sampled_from([f"20260101_00000{number}" for number in range(4)])
RUN_IDS = st.builds("{}_{}{}".format, st.sampled_from(["a", "a_b", "b"]), STAMPS, st.sampled_from(["", "-2", "z3"]))
STATES = st.sampled_from(["finished", "unfinished", "gone"])
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names are followed on Linux only")


def listed(runs: dict[str, str]) -> RunNames:
    there = [run_id for run_id, state in runs.items() if state != "gone"]
    ended = [f"{run_id}.exit" for run_id, state in runs.items() if state == "finished"]
    return relisting.sort([*(f"{run_id}.meta" for run_id in there), *ended])


@given(st.dictionaries(RUN_IDS, STATES), st.dictionaries(RUN_IDS, STATES))
def test_names_after_a_change_are_those_of_a_fresh_list(before: dict[str, str], changed: dict[str, str]) -> None:
    assert updated(listed(before), changed) == listed({**before, **changed})


@given(st.sets(RUN_IDS), st.integers(0, 4))
def test_the_newest_run_of_a_label_is_right_where_the_oldest_runs_are_not_read(runs: set[str], read: int) -> None:
    names = relisting.sort(f"{run_id}.meta" for run_id in runs)
    head = names._replace(every="\n" + "".join(f"{run_id}\n" for run_id in [*names.newest_first()][:read]))
    for run_id in (*runs, "a_20260101_000002"):
        changed = {run_id: "finished"}
        assert updated(head, changed).latest == updated(names, changed).latest


THERE = st.dictionaries(RUN_IDS, st.sampled_from(["finished", "unfinished"]))


@given(THERE, THERE, st.integers(0, 8))
def test_names_that_are_cut_off_after_a_change_are_the_first_ones(
    before: dict[str, str], changed: dict[str, str], most: int
) -> None:
    """Whatever the number of runs that are known, the newest of each label and the unfinished ones are the right ones."""
    known, fresh = listed(before), listed({**before, **changed})
    cut = "\n".join(["", *[*known.newest_first()][:most], ""])
    found = updated(known._replace(every=cut), changed, is_cut=True)
    assert found[:2] == fresh[:2]
    assert fresh.every.startswith(found.every)
    assert found.every.count("\n") >= cut.count("\n")


def fill(logs: Path) -> Store:
    """Add so many runs that their names are recorded, and have them recorded."""
    (logs / "jobs").mkdir(parents=True, exist_ok=True)
    for serial in range(2, relisting.WORTH_KEEPING + 3):
        (logs / f"old_20260101_000000-{serial}.meta").write_bytes(b"run_id=x\nstate=succeeded\nexit_code=0\n")
        (logs / f"old_20260101_000000-{serial}.exit").touch()
    store = Store(str(logs))
    remember(store)
    return store


def remember(store: Store) -> None:
    """Have the names recorded, as a look at a directory that is at rest does."""
    for _ in range(2):  # the first entry of the cache makes its directory
        os.utime(store.log_dir, ns=(0, 0))
        index.list_names(store)
    assert index._recorded(store) == relisting.sort(os.listdir(store.log_dir))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(tmp_path / ".logs")


def known(store: Store) -> bool:
    """Return whether the names are known without a list; they and what is found by a label are always right."""
    fresh, recorded = relisting.sort(os.listdir(store.log_dir)), index._recorded(store)
    assert recorded in (None, fresh)
    assert index.list_names(store) == fresh
    for label in ("old", "new", "none", "all"):
        wanted = index.LabelRuns(fresh.newest_of(label), tuple(fresh.unfinished_first(label)))
        assert index.find_label(store, label) == wanted
        assert index.newest(store, label) == wanted.newest
        assert list(index.list_label(store, label)) == list(fresh.newest_first(label))
    followed = index.followed(store, head=True)
    changed = last_written.of_changed(store, followed) if followed else {}
    assert list(index.newest_run_ids(store, followed, changed)) == list(fresh.newest_first())
    assert index.list_newest(store)[:2] == fresh[:2]
    return recorded is not None


NEW, OLD = "new_20270101_000000", "old_20260101_000000-2"


def touch(logs: Path, run_id: str, kind: str = "meta") -> None:
    """Make a file of a run as bgrun does."""
    with changes.Change(str(logs), run_id):
        (logs / f"{run_id}.{kind}").touch()


def copied(logs: Path) -> None:
    shutil.copy(logs / f"{OLD}.meta", logs / f"{NEW}.meta")


def killed(logs: Path) -> None:
    changes.Change(str(logs), NEW).__enter__()
    (logs / f"{NEW}.meta").touch()


def set_back(logs: Path) -> None:
    before = logs.stat()
    copied(logs)
    os.utime(logs, ns=(before.st_atime_ns, before.st_mtime_ns))


BY_OTHERS = {
    "a meta that was copied in": copied,
    "a meta that was copied in with times kept": lambda logs: shutil.copy2(logs / f"{OLD}.meta", logs / f"{NEW}.meta"),
    "a directory whose time was set back": set_back,
    "a run that was deleted": lambda logs: (logs / f"{OLD}.meta").unlink(),
    "an exit code that was deleted": lambda logs: (logs / f"{OLD}.exit").unlink(),
    "a run that was renamed": lambda logs: (logs / f"{OLD}.meta").rename(logs / f"{NEW}.meta"),
    "a process that was killed on the way": killed,
}


@pytest.mark.parametrize("others", BY_OTHERS.values(), ids=BY_OTHERS)
@pytest.mark.parametrize("order", ["alone", "before", "after", "between"])
def test_what_others_change_is_seen_at_once(store: Store, others: Callable[[Path], object], order: str) -> None:
    logs = TOP / store.log_dir
    if order in ("after", "between"):
        touch(logs, "new_20260101_000000")
        assert known(store)
    others(logs)
    if order in ("before", "between"):
        touch(logs, "new_20260101_000001")
    assert not known(store)
    remember(store)
    assert known(store)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: b"2 1 2 3 4" + whole[whole.index(b"\0") :],
        lambda whole: whole[whole.index(b"\0") :],
        lambda whole: whole.replace(b" ", b"", 1),
        lambda whole: whole.replace(b" ", b" x", 3),
        lambda whole: whole.replace(b"\0", b" ", 1),
        lambda whole: bytes(len(whole)),
        lambda whole: whole[:10],
        lambda whole: whole[: whole.rindex(b"\n", 0, -9) + 1],
        lambda whole: whole.replace(b"old_20260101_000000-300\n", b""),
        lambda whole: whole.replace(b"-300\n", b"-3000\n"),
        lambda _: b"",
    ],
    ids=[
        *("of an older version", "no head", "a word less", "no number", "a block less", "zeros", "cut off"),
        *("a run less at the end", "a run less", "another run", "empty"),
    ],
)
def test_an_entry_that_cannot_be_read_is_made_again(store: Store, spoil: Callable[[bytes], bytes]) -> None:
    whole = store.cache.read("names")
    assert whole
    store.cache.write("names", spoil(whole))
    assert not known(store)
    remember(store)
    assert known(store)


def test_of_a_large_entry_what_is_read_is_checked(store: Store) -> None:
    names = "\n" + "".join(f"old_20260101_{number:06d}\n" for number in range(9999))
    whole = entry.sealed("mark of four words", "\0".join(("times\n", "\n", "\n", names)).encode())
    assert len(whole) > 2 * entry.HEAD_BYTES
    for place, head, is_known in ((entry.HEAD_BYTES - 9, True, False), (-9, True, True), (-9, False, False)):
        spoiled = bytearray(whole)
        spoiled[place] ^= 1
        store.cache.write("names", bytes(spoiled))
        assert (entry.read(store, head=head)[0] == "mark of four words") == is_known


def without_cache(logs: Path) -> None:
    shutil.rmtree(logs / ".cache")


LOST = {
    "deleted": lambda logs: (logs / ".cache" / "changes").unlink(),
    "emptied": lambda logs: (logs / ".cache" / "changes").write_bytes(b""),
    "cut off": lambda logs: os.truncate(logs / ".cache" / "changes", 20),
    "of others": lambda logs: (logs / ".cache" / "changes").chmod(0o622),
    "a link": lambda logs: (
        (logs / ".cache" / "changes").rename(logs / ".cache" / "x"),
        (logs / ".cache" / "changes").symlink_to("x"),
    ),
    "with all of the cache": without_cache,
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
@pytest.mark.parametrize("first", [True, False])
def test_lines_that_are_lost_are_missed(store: Store, lose: Callable[[Path], object], first: bool) -> None:
    logs = TOP / store.log_dir
    if not first:
        touch(logs, NEW)
    lose(logs)
    if first:
        touch(logs, NEW)
    assert known(store) == (first and lose is LOST["emptied"]), "it was empty anyway"
    touch(logs, NEW, "exit")
    known(store)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_cache_that_cannot_be_written_is_done_without(store: Store, mode: int) -> None:
    logs = TOP / store.log_dir
    (logs / ".cache" / "changes").chmod(0o400)
    (logs / ".cache").chmod(mode)
    touch(logs, NEW)
    assert not known(store)
    (logs / ".cache").chmod(0o700)


def test_nothing_is_followed_on_the_file_system_of_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_LOCAL", frozenset())
    store = fill(tmp_path / ".logs")
    assert not (tmp_path / ".logs" / ".cache" / "changes").exists()
    touch(tmp_path / ".logs", NEW)
    assert not known(store)


def test_names_are_listed_anew_now_and_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = TOP / store.log_dir
    monkeypatch.setattr(entry, "LOCAL_QUIET_S", 3600.0)
    touch(logs, NEW)
    assert known(store)
    monkeypatch.setattr(index, "RENEW_S", -1.0)
    assert known(store), "it has just changed: what is listed now would not be kept"
    monkeypatch.setattr(entry, "QUIET_S", -3600.0)
    assert index._recorded(store) is None
    monkeypatch.setattr(index, "RENEW_S", 60.0)
    assert known(store)
    monkeypatch.setattr(index, "MOST_CHANGED", 0)
    touch(logs, NEW, "exit")
    assert index._recorded(store) is None


def test_a_clock_that_was_set_back_leaves_a_gap(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    touch(TOP / store.log_dir, NEW)
    monkeypatch.setattr(entry, "is_quiet", lambda _: True)
    assert index._recorded(store) is None


# --- what bgrun itself does ---------------------------------------------------------------------

JOBS = """
jobs:
  new: {command: 'true', retention: {max_runs: 2}}
  bad: {command: 'echo "x.c:1:1: error: no" && exit 1', problems: [gcc]}
  later: {command: 'true', depends_on: [new]}
  never: {command: 'true', if: "false"}
  slow: {command: sleep 60, concurrency: one}
  uses: {command: 'true', depends_on: web}
services:
  web: {command: exec sleep 60, ready: {command: 'true'}}
groups:
  all: {jobs: [new, bad, later, never], max_parallel: 2}
"""


@pytest.fixture
def many(bg: Cli) -> Store:
    """A project with many runs, the names of which are known, and with what bgrun makes at its first start."""
    bg.jobs(JOBS)
    bg("start", "slow", "-q")
    bg("stop", "slow", "--now", "-q")
    return fill(bg.logs)


DONE = {
    "a run": [["run", "new", "--wait", "-q", "--", "true"]],
    "runs until one is deleted": [["start", "new", "--wait", "-q"]] * 4,
    "a run that failed, with its summary": [["start", "bad", "--wait", "-q"], ["report", "bad"]],
    "a group": [["group", "all", "--wait", "-q"]],
    "a plan": [["start", "later", "--wait", "-q"]],
    "runs of which one is queued": [["start", "slow", "-q"], ["start", "slow", "-q"], ["stop", "slow", "--now", "-q"]],
    "a job with its service": [["start", "uses", "--wait", "-q"]],
    "a rerun": [["start", "bad", "--wait", "-q"], ["rerun", "bad", "--wait", "-q"]],
    "a stop": [["start", "slow", "-q"], ["stop", "slow", "-q"]],
}


def test_names_are_known_after_what_bgrun_does(bg: Cli, many: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "RENEW_S", 3600.0)  # however long all of it takes

    def is_supervisor(one: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return one.cwd() == str(bg.logs)
        return False

    for what, commands in DONE.items():
        for words in commands:
            bg(*words, code=None)
        # A supervisor deletes old runs once the result is known.
        wait_until(lambda: not any(map(is_supervisor, psutil.process_iter())), "the supervisors have exited")
        assert known(many), what


def test_a_request_that_the_stopping_command_deletes_is_no_gap(store: Store) -> None:
    """Whether that or the supervisor does it is a race."""
    at = store.run(NEW)
    stop_request.ask_to_end(at, "stopped")
    record.remove(at, at.stop)
    record.remove(at, at.stop)
    assert known(store)


CHANGER = """
import os, random, sys
from bgrun.system.changes import Change
logs, name, seed = sys.argv[1:]
random.seed(seed)
print("began", flush=True)
mine = []
for number in range(150):
    run_id = f"{name}_20270101_{number:06d}"
    with Change(logs, run_id):
        open(f"{logs}/.{run_id}.meta", "x").close()
        os.rename(f"{logs}/.{run_id}.meta", f"{logs}/{run_id}.meta")
    print("+", run_id, flush=True)
    mine.append(run_id)
    if random.random() < 0.3:
        gone = mine.pop(random.randrange(len(mine)))
        print("~", gone, flush=True)
        with Change(logs, gone):
            os.unlink(f"{logs}/{gone}.meta")
        print("-", gone, flush=True)
"""


def _read(of: subprocess.Popen[str], seen: dict[str, str]) -> bool:
    """Note what a process says it has done so far; return whether it still runs."""
    assert of.stdout
    for line in of.stdout:
        sign, run_id = line.split()
        seen[run_id] = sign
        return True
    return False


def test_looks_between_the_changes_of_several_processes_miss_nothing(store: Store) -> None:
    command = [sys.executable, "-c", CHANGER, store.log_dir]
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    several = [subprocess.Popen([*command, name, name], stdout=subprocess.PIPE, text=True, env=env) for name in "pqr"]
    for one in several:
        assert one.stdout
        one.stdout.readline()
    seen: dict[str, str] = {}
    left, followed, looks = list(several), 0, 0
    while left:
        left = [one for one in left if _read(one, seen)]
        sure = {run_id: sign for run_id, sign in seen.items() if sign in "+-"}
        recorded = index._recorded(store)
        names = set((recorded or index.list_names(store)).newest_first())
        followed, looks = followed + (recorded is not None), looks + 1
        assert {run_id for run_id, sign in sure.items() if sign == "-"}.isdisjoint(names)
        missing = {run_id for run_id, sign in sure.items() if sign == "+"} - names
        assert all((TOP / store.log_dir / f"{run_id}.meta").exists() is False for run_id in missing)
    for one in several:
        one.wait()
    assert index.list_names(store) == relisting.sort(os.listdir(store.log_dir))


def test_the_newest_run_of_a_label_is_found_far_below_the_newest_of_all(store: Store) -> None:
    """The names are read up to a point: what has changed below it is not all there is below it."""
    logs = TOP / store.log_dir
    for run_id in ("rare_20250101_000000", "rare_20250102_000000"):
        (logs / f"{run_id}.meta").touch()
    for number in range(entry.HEAD_BYTES // 25):
        (logs / f"old_20260102_{number:06d}.meta").touch()
    remember(store)
    touch(logs, "rare_20250101_000000", "log")
    assert known(store)
    assert index.newest(store, "rare") == "rare_20250102_000000"
    assert list(index.list_label(store, "rare")) == ["rare_20250102_000000", "rare_20250101_000000"]
