"""What the files of a run and Slurm prove together; the table of the design, case by case, and its order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.model import LIVE_STATES
from bgrun.slurm.queue import LIVE, Job
from bgrun.slurm.verdict import LAG_S, Judged, Seen, judge, needs_word

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1_800_000_000.0
STARTED = {"started_at": "2027-01-15T08:00:00.000+00:00", "node": "n1", "engine_job": "7"}
ENDED = {**STARTED, "ended_at": "2027-01-15T07:59:59.000+00:00"}
ENDED_LONG_AGO = {**STARTED, "ended_at": "2027-01-15T07:59:00.000+00:00"}
TERMINATED = {**STARTED, "terminated": "true"}
LONG_AGO = NOW - 3600


def seen(facts: Mapping[str, str] = STARTED, **more: Any) -> Seen:
    """Return what is seen of a run that was submitted an hour ago, with an answer of Slurm."""
    return Seen(facts, NOW, **{"answered": True, "submitted": LONG_AGO, "claimed": bool(facts), **more})


def job(state: str, reason: str = "", node: str = "n1", ended: float | None = LONG_AGO) -> Job:
    return Job("7", state, reason, node, ended)


def shown(judged: Judged) -> tuple[Any, ...]:
    verdict = judged.verdict
    return verdict.state, verdict.exit_code, verdict.reason


@pytest.mark.parametrize(
    ("given_", "ends"),
    [
        # An exit code, whatever Slurm says.
        (seen(exit_code=0, job=job("NODE_FAIL")), ("succeeded", 0, None)),
        (seen(exit_code=3, answered=False), ("failed", 3, None)),
        (seen(exit_code=3, stop_reason="timeout", carried_out=True), ("timed_out", 3, "exceeded its timeout")),
        (seen(exit_code=3, stop_reason="stop"), ("failed", 3, None)),
        (seen(exit_code=137, job=job("OUT_OF_MEMORY")), ("failed", 137, "Slurm: OUT_OF_MEMORY")),
        (seen(exit_code=137, job=job("FAILED")), ("failed", 137, None)),
        # Slurm may be about to tell why it killed the command.
        (seen(exit_code=137, job=job("RUNNING", ended=None)), ("running", None, None)),
        (seen(ENDED, exit_code=137, job=job("COMPLETING", ended=NOW - 1)), ("running", None, "Slurm: COMPLETING")),
        (seen(ENDED, exit_code=137, answered=False), ("failed", 137, None)),
        (seen(ENDED_LONG_AGO, exit_code=137, job=job("RUNNING", ended=None)), ("failed", 137, None)),
        (
            seen(exit_code=137, job=job("RUNNING", ended=None), stop_reason="stop", carried_out=True),
            ("stopped", 137, "on request"),
        ),
        # A dependency, without Slurm.
        (seen({}, need="dependency a failed", answered=False), ("skipped", None, "dependency a failed")),
        # No answer.
        (seen({}, answered=False), ("unknown", None, "Slurm does not answer; last known: submitted")),
        (seen(answered=False), ("unknown", None, "Slurm does not answer; last known: running on n1 as job 7")),
        (seen(TERMINATED, exit_code=143, answered=False, stop_reason=""), ("unknown", None, ...)),
        # It is there.
        (seen(job=job("RUNNING", ended=None)), ("running", None, None)),
        (seen(job=job("SUSPENDED", ended=None)), ("running", None, "Slurm: SUSPENDED")),
        (seen(job=job("COMPLETING", ended=NOW - 5)), ("running", None, "Slurm: COMPLETING")),
        (seen({}, job=job("PENDING", "Priority", "", None)), ("queued", None, "Slurm: Priority")),
        (seen({}, job=job("RUNNING", ended=None)), ("queued", None, "starting on n1")),
        (
            seen({**STARTED, "requeue": "true"}, job=job("PENDING", "BeginTime", "", None)),
            ("running", None, "Slurm: PENDING (BeginTime)"),
        ),
        # It has ended.
        (seen(job=job("COMPLETED", ended=NOW - 5)), ("running", None, "Slurm: COMPLETED; waiting for its record")),
        (seen(job=job("CANCELLED")), ("stopped", None, "Slurm: CANCELLED")),
        (seen({}, job=job("CANCELLED", node="", ended=NOW)), ("stopped", None, "Slurm: CANCELLED")),
        (seen({}, job=job("CANCELLED", node="", ended=NOW), stop_reason="stop"), ("stopped", None, ...)),
        (seen(TERMINATED, exit_code=0, job=job("CANCELLED", ended=NOW)), ("stopped", 0, "Slurm: CANCELLED")),
        (seen(TERMINATED, exit_code=143, job=job("TIMEOUT")), ("timed_out", 143, "Slurm: TIMEOUT")),
        (seen(TERMINATED, exit_code=143, job=job("PREEMPTED")), ("failed", 143, "Slurm: PREEMPTED")),
        (seen(TERMINATED, exit_code=143, job=job("FAILED", "NonZeroExitCode")), ("failed", 143, None)),
        (seen({}, job=job("CANCELLED", "DependencyNeverSatisfied", "")), ("skipped", None, ...)),
        (seen(job=job("NODE_FAIL"), last_words="x"), ("lost", None, "exit code unknown, Slurm: NODE_FAIL: x")),
        (seen(job=job("COMPLETED")), ("lost", None, "exit code unknown, Slurm: COMPLETED")),
        (
            seen({}, job=job("FAILED", "JobLaunchFailure"), last_words="no such folder"),
            ("failed", None, "Slurm: FAILED (JobLaunchFailure): no such folder"),
        ),
        (seen(job=job("COMPLETING")), ("lost", None, "exit code unknown, Slurm: COMPLETING")),
        # Slurm has forgotten it.
        (seen({}, submitted=NOW - 1, job_id="7"), ("queued", None, "submitted to Slurm as job 7")),
        (seen({}, submitted=NOW - 1), ("queued", None, "Slurm has not confirmed its submission")),
        (seen(submitted=NOW - 1), ("running", None, None)),
        (seen({}), ("lost", None, "Slurm has forgotten it before it started")),
        (seen({}, stop_reason="stop"), ("stopped", None, "stopped before it started")),
        (seen({}, claimed=True), ("lost", None, "exit code unknown, Slurm has forgotten its job")),
        (seen(), ("lost", None, "exit code unknown, Slurm has forgotten its job")),
        (seen(word="NODE_FAIL"), ("lost", None, "exit code unknown, Slurm: NODE_FAIL")),
        (seen(word="TIMEOUT"), ("timed_out", None, "Slurm: TIMEOUT")),
        (seen(TERMINATED, exit_code=143), ("failed", 143, None)),
    ],
)
def test_the_table(given_: Seen, ends: tuple[Any, ...]) -> None:
    state, code, reason = shown(judge(given_))
    assert (state, code) == ends[:2]
    assert ends[2] is ... or reason == ends[2]


JOBS = st.builds(
    Job,
    st.just("7"),
    st.sampled_from([*sorted(LIVE), "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"]),
    st.sampled_from(["", "Priority", "DependencyNeverSatisfied"]),
    st.sampled_from(["", "n1"]),
    st.sampled_from([None, NOW - 5, LONG_AGO]),
)
ANY = st.builds(
    Seen,
    st.sampled_from([{}, STARTED, TERMINATED]),
    st.just(NOW),
    exit_code=st.sampled_from([None, 0, 3, 137]),
    stop_reason=st.sampled_from(["", "stop", "timeout"]),
    carried_out=st.booleans(),
    need=st.sampled_from(["", "dependency a failed"]),
    claimed=st.booleans(),
    answered=st.booleans(),
    job=st.none() | JOBS,
    word=st.sampled_from(["", "NODE_FAIL", "CANCELLED", "COMPLETED"]),
    submitted=st.sampled_from([None, NOW - LAG_S / 2, LONG_AGO]),
)


@given(ANY)
def test_no_success_without_an_exit_code(one: Seen) -> None:
    assert judge(one).verdict.state != "succeeded" or one.exit_code == 0


@given(ANY)
def test_what_is_not_proven_is_never_final(one: Seen) -> None:
    judged = judge(one)
    assert not (judged.is_final and judged.verdict.state in (*LIVE_STATES, "lost"))


@given(ANY)
def test_without_an_answer_nothing_is_lost(one: Seen) -> None:
    silent = one._replace(answered=False, job=None, word="")
    assert judge(silent).verdict.state != "lost"
    assert not needs_word(silent)


@given(ANY)
def test_an_exit_code_outranks_slurm(one: Seen) -> None:
    if one.exit_code is None or one.terminated:
        return
    other = one._replace(job=Job("7", "NODE_FAIL", "", "n1", LONG_AGO), word="TIMEOUT", answered=True)
    found = judge(one)
    if found.verdict.state == "running":
        # Its job is about to end, with the word why it was killed.
        assert (one.exit_code, one.job and one.job.live, found.is_final) == (137, True, False)
    else:
        assert found.verdict[:2] == judge(other).verdict[:2]
