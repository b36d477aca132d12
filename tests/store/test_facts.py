"""A job written to a meta comes back as the job that it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.model import RunId
from bgrun.plan import Concurrency, Hook, Limits, Output, RenderedJob, Retention
from bgrun.store import facts, meta
from bgrun.system.git import GitFacts

ORIGIN = facts.Origin("/project", GitFacts("0123", "main"), "host", "user", "boot")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = st.text("abcXYZ_09", min_size=1, max_size=8)
SECONDS = st.floats(0.001, 1e7) | st.integers(1, 10**7).map(float)
HOOKS = st.builds(Hook, st.sampled_from(["finish", "success", "failure"]), TEXTS, st.booleans(), SECONDS)
LIMITS = st.builds(
    Limits,
    st.none() | SECONDS,
    st.sampled_from(["SIGTERM", "SIGINT", "SIGKILL"]),
    SECONDS,
    st.lists(st.integers(0, 255), min_size=1, max_size=4).map(tuple),
    st.integers(1, 1 << 40),
)
JOBS = st.builds(
    RenderedJob,
    label=WORDS,
    script=st.just("script"),
    cmd=TEXTS,
    shell=st.sampled_from(["bash", "sh", "zsh"]),
    working_dir=TEXTS,
    venv=TEXTS,
    job=WORDS,
    params=st.lists(st.tuples(WORDS, TEXTS), max_size=3).map(tuple),
    tags=st.lists(WORDS, max_size=3).map(tuple),
    limits=LIMITS,
    inhibit_sleep=st.booleans(),
    retention=st.builds(Retention, st.none() | st.integers(1, 10**8), st.none() | SECONDS),
    hooks=st.lists(HOOKS, max_size=2).map(tuple),
    concurrency=st.none() | st.builds(Concurrency, WORDS, st.integers(1, 9), st.just("join"), st.just("user")),
    progress=st.lists(TEXTS, max_size=2).map(tuple),
    problems=st.lists(TEXTS | st.just({"owner": "x"}), max_size=2).map(tuple),
    junit=TEXTS,
    outputs=st.lists(st.builds(Output, TEXTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=2).map(tuple)), max_size=2).map(
        tuple
    ),
)


@given(JOBS)
def test_a_job_comes_back_from_its_meta(job: RenderedJob) -> None:
    written = facts.of_run(RunId("x", "20260101_000000"), job, ORIGIN, facts.Membership("g", "g_20260101_000000"))
    assert facts.job_of(meta.unpack(meta.pack(written)), "script") == job
    assert facts.retention_of(written) == job.retention


@given(
    st.dictionaries(
        st.sampled_from(["params", "hooks", "concurrency", "progress", "problems", "outputs", "timeout_s"]), TEXTS
    )
)
def test_what_is_unreadable_is_as_if_it_was_not_there(odd: dict[str, str]) -> None:
    written = facts.of_run(RunId("x", "20260101_000000"), RenderedJob("x", "", "true", "bash", "/"), ORIGIN)
    assert facts.job_of(written | odd, "").label == "x"


@pytest.mark.parametrize("odd", ["{}", "[1, 2", "null", '[["finish", "x", 1, 2, 3, 4, 5]]', '"text"', "[[]]"])
def test_hooks_of_another_form_are_none(odd: str) -> None:
    assert facts.job_of({"hooks": odd}, "").hooks == ()


def test_a_long_command_is_shortened_and_says_so() -> None:
    assert facts.shortened("x" * facts.MOST_CMD) == "x" * facts.MOST_CMD
    found = facts.shortened("y" * (facts.MOST_CMD + 1))
    assert found.startswith("y" * facts.MOST_CMD + "…")
    assert str(facts.MOST_CMD + 1) in found


def test_a_meta_that_readers_would_refuse_is_refused_with_its_largest_line() -> None:
    small = {"run_id": "x_20260101_000000", "cmd": "true"}
    facts.check_size(small)
    with pytest.raises(UsageError) as caught:
        facts.check_size(small | {"params": "x" * meta.MOST})
    assert "x_20260101_000000" in caught.value.message
    assert "params" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "name"), [("bash -eo pipefail", "bash"), ("/bin/sh -e", "sh"), ("", "bash"), (" zsh ", "zsh")]
)
def test_the_shell_is_its_name(words: str, name: str) -> None:
    job = RenderedJob("x", "", "true", words, "/")
    assert facts.of_run(RunId("x", "20260101_000000"), job, ORIGIN)["shell"] == name
