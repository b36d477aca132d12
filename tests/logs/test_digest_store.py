"""A cached digest is that of the result that the run has now, and of nobody else's making."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bgrun.logs import digest_store
from bgrun.logs.digest import Digest
from bgrun.logs.history.comparison import Comparison, ToolRun
from bgrun.logs.outputs import OutputValue
from bgrun.model import Run
from bgrun.parsers.shape import Problem
from bgrun.store.paths import RunPaths

if TYPE_CHECKING:
    from pathlib import Path

RUN_ID = "x_20260101_000000"


def a_run(state: str = "failed", code: int | None = 1, **more: object) -> Run:
    known = dict.fromkeys(Run._fields[:19]) | {"run_id": RUN_ID, "state": state, "exit_code": code} | more
    return Run(**known)  # type: ignore[arg-type]


@pytest.fixture
def at(tmp_path: Path) -> RunPaths:
    """The paths of a run that has a meta."""
    (tmp_path / "jobs").mkdir()
    paths = RunPaths(str(tmp_path), RUN_ID)
    (tmp_path / f"{RUN_ID}.meta").touch(0o600)
    return paths


def made(run: Run, **more: object) -> Digest:
    problems = (Problem("a.py", 3, "E1", "bad"), Problem(None, None, None, "worse", "warning"))
    known = {"counts": {"failed": 1}, "problems": problems, "more": 2, "tail": ("last",), "source": "log", "note": "n"}
    known |= {"unrecognized": 3, "wrapped": True, "outputs": (OutputValue("w", ("a", "b"), 3), OutputValue("c", 1.5))}
    known |= {"tools": (ToolRun("pytest", True, 60, 59), ToolRun("make")), "silent": problems[:1], "made_by": "code"}
    known |= {"complete": True, "clean": True, "comparison": Comparison("x_1", (0, 1), None), "flaky": ((1, "x_2"),)}
    known |= {"unclaimed": 1}
    return Digest(run, **(known | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("counts", [{"failed": 1}, None])
def test_what_is_cached_is_what_was_made(at: RunPaths, counts: dict[str, int] | None) -> None:
    run = a_run()
    digest_store.write(at, made(run, counts=counts))
    assert digest_store.read(at, run) == made(run, counts=counts)


@pytest.mark.parametrize(
    "other", [{"state": "stopped"}, {"code": 2}, {"ended_at": "2026-01-01T00:00:01+00:00"}, {"started_at": "x"}]
)
def test_that_of_another_result_is_ignored(at: RunPaths, other: dict[str, object]) -> None:
    digest_store.write(at, made(a_run()))
    assert digest_store.read(at, a_run(**other)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("run", [a_run("running", None), a_run("lost", None), a_run("skipped", None)])
def test_a_result_that_may_change_is_not_cached(at: RunPaths, run: Run, tmp_path: Path) -> None:
    digest_store.write(at, made(run))
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", "{", '{"version": 2, "of": []}', "\ud800"])
def test_a_broken_one_is_ignored(at: RunPaths, tmp_path: Path, text: str) -> None:
    path = tmp_path / "jobs" / f"{RUN_ID}.digest.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    path.chmod(0o600)
    assert digest_store.read(at, a_run()) is None


@pytest.mark.parametrize("key", ["version", "counts", "problems", "head"])
def test_one_of_another_form_is_ignored(at: RunPaths, tmp_path: Path, key: str) -> None:
    digest_store.write(at, made(a_run()))
    path = tmp_path / "jobs" / f"{RUN_ID}.digest.json"
    document = json.loads(path.read_text())
    (document if key == "version" else document["digest"])[key] = 7
    path.write_text(json.dumps(document))
    assert digest_store.read(at, a_run()) is None


def test_one_that_others_may_write_is_ignored(at: RunPaths, tmp_path: Path) -> None:
    digest_store.write(at, made(a_run()))
    (tmp_path / "jobs" / f"{RUN_ID}.digest.json").chmod(0o622)
    assert digest_store.read(at, a_run()) is None


def test_without_room_for_one_there_is_none(at: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "jobs" / f"{RUN_ID}.digest.json").mkdir()
    digest_store.write(at, made(a_run()))
    assert digest_store.read(at, a_run()) is None
