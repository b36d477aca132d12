"""Fault 5: label prefixes, two starts in one second, many starts at once."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_labels_of_which_one_begins_like_the_other_never_mix(bg: Cli) -> None:
    bg("run", "a", "--wait", "--", "bash", "-c", "exit 3", code=1)
    for longer in ("a.b", "a_b", "a-2", "ab", "a_20200101_000000"):
        bg("run", longer, "--wait", "--", "true")
    assert bg.state("a")["exit_code"] == 3
    assert [run["label"] for run in bg.json("list", "a")["runs"]] == ["a"]
    assert "/a_2" in f"/{bg('latest', 'a').out}".replace(".logs", "")


def start_all(bg: Cli, labels: list[str]) -> list[subprocess.CompletedProcess[str]]:
    def start(place: int, label: str) -> subprocess.CompletedProcess[str]:
        job = ["bash", "-c", f"echo {place}; exit {place % 7}"]
        command = [*bg.command, "run", label, "-q", "--", *job]
        return subprocess.run(command, cwd=bg.folder, env=bg.env, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(start, range(len(labels)), labels))


def check_all(bg: Cli, labels: list[str]) -> None:
    started = start_all(bg, labels)
    assert [done.stderr for done in started if done.returncode] == []
    run_ids = [done.stdout.strip() for done in started]
    assert len(set(run_ids)) == len(labels)
    bg("wait", *run_ids, code=1)
    for place, run in enumerate(bg.json("status", *run_ids)["runs"]):
        assert run["exit_code"] == place % 7
        assert run["state"] == ("failed" if place % 7 else "succeeded")
        assert (bg.logs / f"{run['run_id']}.log").read_text() == f"{place}\n"
    assert len(bg.json("list", "--all")["runs"]) == len(labels)


def test_fifty_starts_of_fifty_labels(bg: Cli) -> None:
    check_all(bg, [f"l{place}" for place in range(50)])


def test_fifty_starts_of_one_label(bg: Cli) -> None:
    check_all(bg, ["same"] * 50)
