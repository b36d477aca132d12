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


def test_combinations_of_a_matrix_that_share_a_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = (
        "  a: {command: ls, matrix: {path: ['a/b', 'a b']}}\n"
        "  b: {command: ls, matrix: {n: [1, 2]}, label: '{{ p }}_{{ matrix | length }}', params: {p: {default: 5}}}\n"
        "  started: {command: ls, matrix: {n: [1, 2]}, label: '{{ p }}_{{ matrix | length }}', params: {p: {}}}\n"
        "  fine: {command: ls, matrix: {n: [1.1, 1.10]}}"
    )
    assert [line.partition(";")[0] for line in warnings(tmp_path, jobs, monkeypatch)] == [
        "f.yaml:2:20: jobs.a.matrix: two matrix combinations have the label 'a_a-b'",
        "f.yaml:3:41: jobs.b.label: two matrix combinations have the label '5_1'",
    ]


def test_a_command_that_its_shell_cannot_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = (
        "  a: {command: 'if true; then echo hi'}\n  b: {command: 'echo \"x', shell: sh}\n"
        "  c: {command: 'if true; then {{ x }}', params: {x: {}}}\n  d: {command: 'if (', shell: python3}\n"
        "  e: {command: 'for i in 1; do echo; done'}"
    )
    found = warnings(tmp_path, jobs, monkeypatch)
    assert [line.split(": ")[1] for line in found] == ["jobs.a.command", "jobs.b.command"]
    assert "no start can run it: invalid bash syntax" in found[0]
    assert "; close each quote, bracket and block" in found[0]


def test_the_address_of_a_service_that_does_not_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = (
        "  a: {command: 'curl {{ services.web.url }}', depends_on: late}\n"
        "  b: {command: ls, env: {PORT: '{{ services.db.port }}'}}\n"
        "  c: {command: 'curl {{ services.web.url }} {{ services.db.url }}', depends_on: web}\n"
        "  late: {command: ls, depends_on: web}\n"
        "  d: {command: 'curl {{ services.of_group.url }}'}\n"
        "services:\n  db: {command: ls, port: auto, ready: {port: true}}\n"
        "  web: {command: 'ls {{ services.web.port }}', port: auto, ready: {port: true}, depends_on: db}\n"
        "  of_group: {command: ls, port: auto, ready: {port: true}}\n"
        "  proxy: {command: 'ls {{ services.web.url }}', port: auto, ready: {port: true}}\n"
        "groups: {checks: {jobs: [d], depends_on: of_group}}"
    )
    assert warnings(tmp_path, jobs, monkeypatch) == [
        "f.yaml:2:7: jobs.a.command: the service 'web' does not start with this job; add 'web' to its `depends_on:`",
        "f.yaml:3:26: jobs.b.env.PORT: the service 'db' does not start with this job; add 'db' to its `depends_on:`",
        "f.yaml:11:11: services.proxy.command: the service 'web' does not start with this service; "
        "add 'web' to its `depends_on:`",
    ]
