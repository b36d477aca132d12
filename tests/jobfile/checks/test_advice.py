"""Warnings: what is allowed, and probably not meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgrun.jobfile.include import read
from bgrun.jobfile.loader import check


def warnings(folder: Path, jobs: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(folder)
    return list(map(str, check(read("f.yaml", f"jobs:\n{jobs}\n".encode()))))


def test_a_program_whose_name_is_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "my tool").touch()
    jobs = (
        '  a: {command: [make build, make test]}\n  b: {command: [./my tool], working_dir: sub}\n'
        '  c: {command: [ls, "a b"]}\n  d: {command: make build}\n  e: {command: ["{{ x }} y"], params: {x: {}}}'
    )  # fmt: skip
    assert warnings(tmp_path, jobs, monkeypatch) == [
        "f.yaml:2:17: jobs.a.command[0]: no program is named 'make build'; "
        "write each word as an item: `[make, build]`; for several commands write a string"
    ]


def test_a_matcher_with_a_group_that_its_regexp_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = "  a:\n    command: ls\n    problems: [{owner: x, pattern: [{regexp: '^(.*)$', file: 1, message: 2}]}]"
    (found,) = warnings(tmp_path, jobs, monkeypatch)
    assert found.startswith("f.yaml:4:16: jobs.a.problems[0]: message is group 2, and the regexp has 1")
