"""Specs of a document: defaults merged in, shorthands written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bgrun.jobfile.specs import MOST_BACKOFF_S, JobSpec, of_document
from bgrun.plan import Concurrency, Hook, Retention


def job(raw: dict[str, Any], defaults: dict[str, Any] | None = None) -> JobSpec:
    return of_document(Path("/p/f"), {"defaults": defaults, "jobs": {"j": {"command": "x", **raw}}}).jobs["j"]


def test_env_and_retention_are_merged_key_by_key_and_all_else_is_replaced() -> None:
    defaults = {"env": {"A": 1, "B": 1}, "retention": {"max_runs": 3, "max_age": "1h"}, "tags": ["a", "b"]}
    settings = job({"env": {"B": 2}, "retention": {"max_runs": 5}, "tags": ["c"]}, defaults).settings
    assert settings.env == {"A": 1, "B": 2}
    assert settings.retention == Retention(5, 3600.0)
    assert settings.tags == ("c",)


@pytest.mark.parametrize(
    ("raw", "pauses"),
    [
        ({}, ()),
        ({"retry": {"max": 3}}, (1.0, 2.0, 4.0)),
        ({"retry": 3}, (1.0, 2.0, 4.0)),
        ({"retry": {"max": 2, "backoff": "40m"}}, (2400.0, MOST_BACKOFF_S)),
    ],
)
def test_the_delay_of_a_retry_doubles_up_to_an_hour(raw: dict[str, Any], pauses: tuple[float, ...]) -> None:
    assert job(raw).settings.retry.pauses_s == pauses


@pytest.mark.parametrize(
    ("raw", "hooks"),
    [
        ("echo", [Hook("finish", "echo")]),
        ({"notify": True}, [Hook("finish", notify=True)]),
        (["a", {"command": "b", "timeout": "5s"}], [Hook("finish", "a"), Hook("finish", "b", timeout_s=5.0)]),
    ],
)
def test_a_hook_is_a_command_an_object_or_several(raw: Any, hooks: list[Hook]) -> None:
    assert list(job({"on_finish": raw}).settings.hooks) == hooks


def test_a_timeout_is_a_time_or_a_share() -> None:
    fixed, share = job({"timeout": "2m"}).settings, job({"timeout": "150%"}).settings
    assert (fixed.limits.timeout_s, fixed.timeout_share) == (120.0, None)
    assert (share.limits.timeout_s, share.timeout_share) == (None, 1.5)


def test_a_string_is_the_name_of_a_concurrency_group() -> None:
    assert job({"concurrency": "db"}).settings.concurrency == Concurrency("db")
    assert job({"concurrency": {"limit": 2}}).settings.concurrency == Concurrency("", 2)
    assert job({}).settings.concurrency is None


@pytest.mark.parametrize(
    ("raw", "before", "edges"),
    [
        (["a"], ("a",), {}),
        ("a", ("a",), {}),
        ({"b": ["a"]}, (), {"b": ("a",)}),
        ({"b": "a"}, (), {"b": ("a",)}),
        ((), (), {}),
    ],
)
def test_dependencies_of_a_group_are_for_all_its_jobs_or_for_single_ones(
    raw: Any, before: tuple[str, ...], edges: dict[str, tuple[str, ...]]
) -> None:
    data = {"jobs": {}, "groups": {"g": {"jobs": ["b"], "depends_on": raw}}}
    group = of_document(Path("/p/f"), data).groups["g"]
    assert (group.before, group.edges) == (before, edges)


def test_a_single_dependency_needs_no_list() -> None:
    assert job({"depends_on": "build"}).depends_on == ("build",)


def test_a_parameter_without_a_default_is_required() -> None:
    params = job({"params": {"a": None, "b": {"default": "x"}, "c": {"default": "x", "required": True}}}).params
    assert [param.required for param in params] == [True, False, True]
