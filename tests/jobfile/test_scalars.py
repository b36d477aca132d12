"""A scalar keeps its own text where text is meant, whatever YAML 1.1 reads in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bgrun.jobfile.loader import parse
from bgrun.jobfile.params import bind
from bgrun.jobfile.specs import JobSpec
from bgrun.model import as_text


def job(text: str) -> JobSpec:
    return parse(str(Path("/p/f.yaml")), f"jobs:\n  j:\n    command: ls\n    {text}\n".encode()).jobs["j"]


WRITTEN = ["NO", "on", "1.10", "0755", "22:22", "1_000", "0x1F", ".5", "1.", "True", "2024-01-01", ".inf", "0b11", "=x"]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_variable_a_default_and_a_value_of_a_matrix_are_what_the_file_says(text: str) -> None:
    found = job(f"env: {{X: {text}}}\n    params: {{p: {{default: {text}}}}}\n    matrix: {{m: [{text}, other]}}")
    values = (found.settings.env["X"], bind(found, [])["p"], found.matrix[0]["m"])
    assert list(map(as_text, values)) == [text] * 3  # type: ignore[arg-type]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_word_of_a_command_and_a_tag_are_what_the_file_says(text: str) -> None:
    spec = parse("/p/f.yaml", f"jobs: {{j: {{command: [echo, {text}]}}}}".encode()).jobs["j"]
    assert spec.command == ("echo", text)
    assert job(f"description: {text}").description == text


def test_a_value_that_reads_one_way_only_keeps_its_type() -> None:
    matrix = job("matrix: {n: [3, 3.9, 3.10, true, yes]}").matrix
    assert [one["n"] for one in matrix] == [3, 3.9, "3.10", True, "yes"]


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("inhibit_sleep: no", "inhibit_sleep", False),
        ("venv: off", "venv", False),
        ("tags: [2024, 1.10]", "tags", ("2024", "1.10")),
    ],
)
def test_booleans_are_booleans_where_the_schema_takes_them_and_text_elsewhere(
    text: str, key: str, expected: Any
) -> None:
    assert getattr(job(text).settings, key) == expected


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("1.50", 1.5), ("+5", 5.0), ("1_000", 1000.0)])
def test_a_number_of_seconds_may_be_written_as_any_number(text: str, seconds: float) -> None:
    assert job(f"timeout: {text}").settings.limits.timeout_s == seconds


def test_a_condition_may_still_be_a_boolean() -> None:
    assert job("if: yes").condition == "True"


def test_a_typed_parameter_reads_the_text_of_its_default() -> None:
    found = job("params: {b: {type: boolean, default: yes}, n: {type: integer, default: 7}}")
    assert bind(found, []) == {"b": True, "n": 7}


def test_text_is_kept_through_anchors_and_merges() -> None:
    raw = b"""
x-env: &env {A: NO, B: 1.10}
jobs:
  j: {command: ls, env: {<<: *env, A: 0755}}
  k: {command: ls, env: *env}
"""
    jobs = parse("/p/f.yaml", raw).jobs
    assert jobs["j"].settings.env == {"A": "0755", "B": "1.10"}
    assert jobs["k"].settings.env == {"A": "NO", "B": "1.10"}
