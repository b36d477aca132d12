"""`validate --on slurm` says what a start there would refuse, each with its place; Slurm is played by scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli

if TYPE_CHECKING:
    from tests.slurm.played import Played

JOBS = """\
defaults:
  secrets: [TOKEN]
include: {more: more.yaml}
jobs:
  fine: {command: "true", slurm: {secrets: file}}
  open: {command: "true"}
  also: {command: "true"}
  tested:
    command: "true"
    slurm: {secrets: file}
    depends_on: server
  here: {command: "true", engine: local}
  large:
    command: "true"
    matrix: {n: [1, 2, 3]}
    slurm: {secrets: file, partition: nope}
services:
  server: {command: "sleep 9"}
"""
MORE = """\
jobs:
  noisy:
    command: "true"
    on_failure: {notify: true}
"""


@pytest.fixture
def on(bg: Cli, played: Played) -> Cli:
    bg.jobs(JOBS)
    (bg.folder / "more.yaml").write_text(MORE)
    env = {**bg.env, "PATH": f"{played.directory}/bin:{bg.env['PATH']}"}
    env.pop("SLURM_CONF", None)
    return Cli(bg.folder, bg.command, env)


def test_everything_that_would_be_refused_is_reported_at_its_place(on: Cli, played: Played) -> None:
    played.does(
        "sbatch", "case $* in *nope*) echo 'sbatch: error: invalid partition specified: nope' >&2; exit 1 ;; esac"
    )
    found = on("validate", "--on", "slurm", code=2)
    lines = found.err.splitlines()
    assert lines[0] == "error: bgjobs.yaml has 5 errors:"
    assert [line.partition(": ")[::2] for line in lines[1:]] == [
        (
            "bgjobs.yaml:2:3",
            "defaults.secrets: the secrets of open would be in a file until its run on Slurm has finished; allow it with "
            "`slurm: {secrets: file}` in the job file, or remove `secrets`",
        ),
        (
            "bgjobs.yaml:11:5",
            "jobs.tested.depends_on: the engine 'slurm' does not support `services`, which server uses; remove it, or "
            "run that job with '--on local'",
        ),
        (
            "bgjobs.yaml:16:5",
            "jobs.large.slurm: Slurm would refuse large: invalid partition specified: nope; see sinfo(1) for what the "
            "cluster has",
        ),
        (
            "bgjobs.yaml:18:3",
            "services.server: the engine 'slurm' does not support `services`, which server uses; remove it, or run that "
            "job with '--on local'",
        ),
        (
            "more.yaml:4:5",
            "jobs.noisy.on_failure: the engine 'slurm' does not support `notify`, which more.noisy uses; a node has no "
            "desktop: use a command",
        ),
    ]
    assert {words[0] for words in played.calls("sbatch")} == {"--test-only"}
    assert ["--array=0-2" in words for words in played.calls("sbatch")] == [False, True]
    assert not on.logs.exists(), "nothing is written"
    assert on("validate").out == "bgjobs.yaml is valid: 7 jobs, 1 service, 0 groups\n"


def test_json_has_the_places_too(on: Cli) -> None:
    found = on.json("validate", "--on", "slurm", code=2)
    assert found["valid"] is False
    assert [(one["path"], one["line"]) for one in found["problems"]][:2] == [
        ("defaults.secrets", 2),
        ("jobs.tested.depends_on", 11),
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("echo 'sbatch: error: Unable to contact slurm controller (connect failure)' >&2; exit 1", "Unable to contact"),
        (None, "the program sbatch is not on PATH"),
    ],
)
def test_without_a_cluster_the_rest_is_checked_and_a_warning_says_so(
    on: Cli, played: Played, answer: str | None, why: str
) -> None:
    on.jobs("jobs:\n  x: {command: 'true', resources: {cpus: 4}}\n")
    if answer:
        played.does("sbatch", answer)
    else:
        (played.directory / "bin" / "sbatch").unlink()
        on = Cli(on.folder, on.command, {**on.env, "PATH": f"{played.directory}/bin:/nowhere"})
    found = on("validate", "--on", "slurm")
    assert found.out == "bgjobs.yaml is valid on slurm: 1 job, 0 groups\n"
    assert found.err.startswith("warning: bgjobs.yaml:1:1: partitions and limits were not ")
    assert why in found.err


def test_an_unknown_engine_is_one_line(on: Cli) -> None:
    found = on("validate", "--on", "pbs", code=2)
    assert found.err.splitlines() == ["error: invalid --on 'pbs': unknown engine", "  hint: choose local or slurm"]
    assert on("validate", "--on", "local").out.startswith("bgjobs.yaml is valid on local: ")
