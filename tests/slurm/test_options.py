"""What a job asks for becomes words for sbatch."""

from __future__ import annotations

import pytest

from bgrun.jobfile.checks import slurm_options
from bgrun.plan import Limits, RenderedJob, Resources, SlurmOptions
from bgrun.slurm import options

JOB = RenderedJob("train", "", "", "", "")


def test_a_job_that_asks_for_nothing_may_only_not_run_twice() -> None:
    assert options.words(JOB) == ["--no-requeue"]


def test_every_key_becomes_an_option() -> None:
    job = JOB._replace(
        resources=Resources(4, 16 << 30, 1),
        slurm=SlurmOptions("gpu", "lab42", "normal", 3 * 3600.0, True, ("--constraint=a100",)),
    )
    assert options.words(job) == [
        *("--requeue", "--cpus-per-task=4", "--mem=16384M", "--gpus=1", "--partition=gpu", "--account=lab42"),
        *("--qos=normal", "--time=180", "--constraint=a100"),
    ]


@pytest.mark.parametrize(
    ("timeout_s", "time_s", "minutes"),
    [
        (None, None, None),
        (60.0, None, 4),
        (50.0, None, 3),
        (7200.0, None, 123),
        (7200.0, 60.0, 1),
        (None, 90.0, 2),
        (None, 0.1, 1),
    ],
)
def test_slurm_ends_a_job_later_than_the_launcher_does(
    timeout_s: float | None, time_s: float | None, minutes: int | None
) -> None:
    job = JOB._replace(limits=Limits(timeout_s), slurm=SlurmOptions(time_s=time_s))
    assert options.time_of(job) == minutes


@pytest.mark.parametrize(("asked", "given"), [(1, "1M"), (1 << 20, "1M"), ((1 << 20) + 1, "2M"), (100_000_000, "96M")])
def test_memory_is_rounded_up_to_mebibytes(asked: int, given: str) -> None:
    assert f"--mem={given}" in options.words(JOB._replace(resources=Resources(memory=asked)))


def test_a_percent_sign_of_a_path_is_no_placeholder() -> None:
    assert options.pattern("/a %j/b") == "/a %%j/b"


@pytest.mark.parametrize(
    "option", ["--comment=x", "--arr=1-3", "-a1-3", "--wrap", "--no-req", "-o", "--export=NONE", "--", "--test-only"]
)
def test_what_bgrun_sets_itself_is_refused(option: str) -> None:
    message, hint = slurm_options.refusal(option)
    assert message
    assert hint


@pytest.mark.parametrize(
    "option",
    ["--constraint=a100", "-C", "--nodelist=n1", "--begin=now+1hour", "--exclusive", "--wait-all-nodes=1", "-n2"],
)
def test_other_options_are_taken(option: str) -> None:
    assert slurm_options.refusal(option) == ("", "")
