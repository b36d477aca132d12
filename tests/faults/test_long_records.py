"""Fault 16: records that are longer than anybody expected are read whole, or refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgrun.errors import StorageError, UsageError
from bgrun.store import facts, meta, record, stop_request
from bgrun.store.paths import RunPaths
from bgrun.system import reading
from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli

LONG = ["x" * 100_000] * 11
WIDE = ["\N{GRINNING FACE}" * 30_000] * 10
ON_TERM = "trap 'touch asked; exit 7' TERM; touch ready; while :; do sleep 0.02; done"


@pytest.mark.parametrize(("long", "length"), [(LONG, 1_100_103), (WIDE, 300_122)], ids=["plain", "wide"])
def test_a_command_line_of_more_than_a_mebibyte_is_a_run_like_any_other(bg: Cli, long: list[str], length: int) -> None:
    bg.jobs("defaults: {retention: {max_runs: 1}, on_finish: touch finished}\njobs: {}")
    run = bg.json("run", "x", "--", "bash", "-c", ON_TERM, *long)
    wait_until((bg.folder / "ready").exists, "the job to run")
    assert bg.state("x")["state"] == "running"
    stopped = bg.json("stop", "x")["runs"][0]
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 7)
    assert (bg.folder / "asked").exists()
    wait_until((bg.folder / "finished").exists, "its hook")
    assert run["cmd"].startswith("bash -c 'trap ")
    assert run["cmd"].endswith(f"… ({length} characters; the job script has all of them)")
    assert Path(run["meta"]).stat().st_size < 200_000
    count = "import sys; print(sum(map(len, sys.argv[1:])))"
    reported = f"{sum(map(len, long))}\n"
    for _ in range(2):
        bg("run", "y", "--wait", "--", bg.command[0], "-c", count, *long)
    assert bg("logs", "y").out == reported
    bg("rerun", "y", "--wait")
    assert bg("logs", "y").out == reported
    wait_until(lambda: len(list(bg.logs.glob("y_*.meta"))) == 1, "retention")


def test_parameters_and_members_of_any_length_are_read_whole(bg: Cli, tmp_path: Path) -> None:
    bg.jobs("jobs: {j: {command: exit 3, params: {%s}}}" % ", ".join(f"p{n}: {{default: ''}}" for n in range(12)))  # noqa: UP031
    run = bg.json("start", "j", *(f"p{n}={'ä ' * 40_000}" for n in range(12)), "--wait", code=1)
    assert Path(run["meta"]).stat().st_size > 1 << 20
    assert (bg.state("j")["state"], bg.state("j")["exit_code"]) == ("failed", 3)

    at = RunPaths(str(tmp_path), "g_20260101_000000")
    members = [f"{'m' * 100}_20260101_000000-{serial}" for serial in range(2, 10_002)]
    known = {"run_id": at.run_id, "members": " ".join(members), "started_at": "-", "state": "succeeded"}
    facts.check_size(known)
    Path(at.meta).write_bytes(meta.pack(known))
    found = record.read_run(at)
    assert found
    assert (found.state, len(found.members)) == ("succeeded", 10_000)


@pytest.mark.parametrize("value", ["x" * (16 << 20), "ä" * (8 << 20), "\\" * (8 << 20)])
def test_a_record_that_no_reader_would_take_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="record of x_1 would be larger than 15 MiB"):
        facts.check_size({"run_id": "x_1", "hooks": value})


def test_what_is_longer_than_its_reader_takes_is_never_read_in_part(bg: Cli) -> None:
    run = bg.json("run", "x", "--wait", "--", "true")
    bg("run", "y", "--wait", "--", "true")
    with Path(run["meta"]).open("ab") as file:
        file.truncate(record.MOST_META + 1)
    with pytest.raises(StorageError, match="larger than"):
        reading.read(run["meta"], record.MOST_META)
    assert "larger than" in bg("status", "x", code=2).err
    done = bg("list")
    assert "y_" in done.out
    assert done.err.startswith("warning: skipped 1 run: ")


def test_a_stop_request_with_a_long_reason_is_carried_out_all_the_same(tmp_path: Path) -> None:
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    stop_request.write_stop(at, "because " * 100_000, signalled=True)
    asked = stop_request.read_stop(at)
    assert asked
    assert asked.carried_out
    assert asked.reason.startswith("because because")
