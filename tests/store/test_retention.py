"""Which finished runs are deleted, as a table, and what deleting them leaves alone."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.model import Run
from bgrun.plan import Retention
from bgrun.store import meta, retention
from bgrun.store.paths import stamp
from bgrun.store.store import Store
from bgrun.system import clock
from bgrun.wording import count
from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli

NOW = 1_790_000_000.0
HOUR = 3600.0
HOURLY = Retention(max_age_s=HOUR)


def run_of(name: str, state: Any, ended_ago: float | None, started_ago: float | None = None) -> Run:
    """Return a run that ended so many seconds before NOW; None where that is not known."""
    times = [None if ago is None else clock.iso(NOW - ago) for ago in (started_ago, ended_ago)]
    return Run(name, "x", None, None, state, None, None, None, None, *times, None, "", "", "", "", None, None)


@pytest.mark.parametrize(
    ("state", "ended_ago", "started_ago", "goes"),
    [
        ("succeeded", HOUR - 1, 2 * HOUR, False),
        ("succeeded", HOUR, 2 * HOUR, False),
        ("succeeded", HOUR + 1, 2 * HOUR, True),
        ("failed", HOUR - 1, 2 * HOUR, False),
        ("failed", HOUR + 1, 2 * HOUR, True),
        ("timed_out", HOUR + 1, 2 * HOUR, True),
        ("stopped", HOUR + 1, 2 * HOUR, True),
        ("stopped", HOUR - 1, None, False),
        ("skipped", HOUR + 1, None, True),
        ("skipped", HOUR - 1, None, False),
        # Of a lost run nobody knows the end: it counts from its start.
        ("lost", None, HOUR + 1, True),
        ("lost", None, HOUR - 1, False),
        ("lost", None, None, False),
        ("succeeded", None, None, False),
        ("running", None, 99 * HOUR, False),
        ("queued", None, None, False),
    ],
)
def test_a_run_goes_once_it_ended_longer_ago_than_max_age(
    state: str, ended_ago: float | None, started_ago: float | None, goes: bool
) -> None:
    # A newer failure, so that this one is not the newest.
    runs = [run_of("newer", "failed", 0.0, 1.0), run_of("it", state, ended_ago, started_ago)]
    gone = retention.expired(runs, HOURLY, NOW)
    assert [one.run_id for one in gone] == (["it"] if goes else [])
    assert all("older than" in one.why for one in gone)


@pytest.mark.parametrize("state", ["failed", "timed_out", "lost"])
@pytest.mark.parametrize("policy", [Retention(max_runs=1), HOURLY, Retention(1, HOUR), Retention(0, 0.0)])
def test_the_newest_that_failed_stays_however_old(state: str, policy: Retention) -> None:
    ages = {"ended_ago": 9 * HOUR, "started_ago": 10 * HOUR}
    runs = [run_of("good", "succeeded", **ages), run_of("bad", state, **ages), run_of("worse", state, **ages)]
    gone = [one.run_id for one in retention.expired(runs, policy, NOW)]
    assert "bad" not in gone
    assert "worse" in gone


@pytest.mark.parametrize(
    ("most", "gone"),
    [(0, ["b", "c", "d", "e"]), (1, ["b", "c", "d", "e"]), (2, ["c", "d", "e"]), (4, ["e"]), (5, []), (None, [])],
)
def test_max_runs_counts_all_runs_and_live_ones_stay(most: int | None, gone: list[str]) -> None:
    runs = [run_of("a", "running", None, 1.0)] + [run_of(name, "succeeded", 1.0, 2.0) for name in "bcde"]
    found = retention.expired(runs, Retention(max_runs=most), NOW)
    assert [one.run_id for one in found] == gone
    assert {one.why for one in found} <= {f"more than {count(most or 0, 'run')}"}


def test_either_bound_is_enough() -> None:
    runs = [run_of("a", "succeeded", 2 * HOUR), run_of("b", "succeeded", 1.0), run_of("c", "succeeded", 1.0)]
    assert [one.run_id for one in retention.expired(runs, Retention(2, HOUR), NOW)] == ["a", "c"]


def test_a_start_deletes_what_is_older_than_max_age_and_nothing_younger(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'true', retention: {max_age: 1h}}}")
    old, young = (bg.json("start", "x", "--wait") for _ in range(2))
    path = Path(old["meta"])
    text = path.read_text()
    path.write_text(re.sub(r"(?m)^ended_at=.*$", f"ended_at={clock.iso(clock.epoch(old['ended_at']) - 3601)}", text))
    newest = bg.json("start", "x", "--wait")
    kept = {young["run_id"], newest["run_id"]}
    wait_until(lambda: {one["run_id"] for one in bg.json("list")["runs"]} == kept, "only the old one is deleted")
    # The record goes first, so that no list shows half a run.
    wait_until(lambda: not list(bg.logs.rglob(f"*{old['run_id']}.*")), "its other files are deleted, too")


def test_sweeping_takes_only_old_strays_and_needs_no_jobs_directory(tmp_path: Path) -> None:
    live = {"run_id": "x_20260101_000003", "started_at": "2026-01-01T00:00:00.000+00:00", "state": "succeeded"}
    (tmp_path / "x_20260101_000003.meta").write_bytes(meta.pack(live))
    names = [".x_20260101_000001.exit", ".x_20260101_000002.exit", ".x_20260101_000003.stop", ".hidden", "notes"]
    for name in names:
        (tmp_path / name).touch()
    for name in (names[0], names[2], names[3], names[4]):
        os.utime(tmp_path / name, (0, 0))
    retention.sweep(Store(str(tmp_path)))
    assert {path.name for path in tmp_path.iterdir()} == {"x_20260101_000003.meta", names[1], names[3], names[4]}
    retention.sweep(Store(str(tmp_path / "nowhere")))


@pytest.mark.parametrize(("days", "goes"), [(6.9, False), (7.1, True)])
@pytest.mark.parametrize("newest", ["log", "meta"])
def test_what_may_live_elsewhere_goes_a_week_after_it_last_wrote(
    tmp_path: Path, newest: str, days: float, goes: bool
) -> None:
    run_id = "x_20260101_000000"
    facts = {"run_id": run_id, "started_at": "2026-01-01T00:00:00.000+00:00", "boot_id": "4711", "host": "elsewhere"}
    (tmp_path / f"{run_id}.meta").write_bytes(meta.pack(facts))
    (tmp_path / f"{run_id}.log").touch()
    for kind in ("meta", "log"):
        written = time.time() - (days if kind == newest else 30) * 86400
        os.utime(tmp_path / f"{run_id}.{kind}", (written, written))
    assert retention.remove_run(Store(str(tmp_path)), run_id) == goes
    assert (tmp_path / f"{run_id}.meta").exists() != goes
    assert not retention.remove_run(Store(str(tmp_path)), "gone_20260101_000000")


def test_a_run_that_is_deleted_while_it_is_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = [run_of(name, "succeeded", 2.0) for name in ("x_20260101_000002", "x_20260101_000001")]
    monkeypatch.setattr(retention, "runs_of", lambda *_: gone)
    assert retention.apply(Store(str(tmp_path)), {"x": Retention(max_runs=0)}) == []


def left(folder: Path, number: int, **facts: str) -> Run:
    """Write the meta of a run that succeeded and return it."""
    run_id = f"x_20260101_00000{number}"
    known = {"label": "x", "started_at": "2026-01-01T00:00:00.000+00:00", "state": "succeeded", **facts}
    (folder / f"{run_id}.meta").write_bytes(meta.pack(known))
    return run_of(run_id, "succeeded", 1.0)


def test_runs_of_the_older_script_neither_count_nor_go(tmp_path: Path) -> None:
    for number in range(6):
        left(tmp_path, number, **({"run_id": f"x_20260101_00000{number}"} if number % 2 else {"cmd": "true"}))
    gone = retention.apply(Store(str(tmp_path)), {"x": Retention(max_runs=2)})
    assert [one.run_id[-1] for one in gone] == ["1"]
    assert sorted(path.stem[-1] for path in tmp_path.glob("*.meta")) == ["0", "2", "3", "4", "5"]


def test_the_retention_of_a_label_is_that_of_the_newest_run_that_has_one(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    own = left(tmp_path, 1, run_id="x_20260101_000001", keep_runs="7").run_id
    foreign = left(tmp_path, 2, cmd="true").run_id
    gone = "x_20260101_000003"
    assert retention.policy_of(store, [gone, foreign, own]) == Retention(max_runs=7)
    assert retention.policy_of(store, [gone, foreign]) is None


@pytest.mark.parametrize(
    ("policy", "read"),
    [
        (Retention(max_runs=3), False),
        (Retention(max_runs=2), True),
        (Retention(max_age_s=2 * 86400.0), True),  # a stamp is local time: up to a day is not certain
        (Retention(max_age_s=30 * 86400.0), False),
        (Retention(3, 30 * 86400.0), False),
        (Retention(), False),
    ],
)
def test_runs_are_read_only_where_one_may_have_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: Retention, *, read: bool
) -> None:
    for hours in (30, 20, 10):
        (tmp_path / f"x_{stamp(time.time() - hours * HOUR)}.meta").touch()
    asked: list[str] = []
    monkeypatch.setattr(retention, "runs_of", lambda *words: asked.append(words[2]) or [])
    retention.apply(Store(str(tmp_path)), {"x": policy, "y": policy})
    assert asked == (["x"] if read else [])


def test_runs_with_a_stamp_in_the_future_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"x_{stamp(time.time() + 400 * HOUR)}.meta").touch()
    asked: list[str] = []
    monkeypatch.setattr(retention, "runs_of", lambda *words: asked.append(words[2]) or [])
    retention.apply(Store(str(tmp_path)), {"x": HOURLY})
    assert asked == ["x"]
