"""Job files good and bad: each file under positive/ loads, each under negative/ is reported as its .txt says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.errors import JobFileError
from bgrun.jobfile import include, yaml_source
from bgrun.jobfile.checks import check
from bgrun.jobfile.loader import load
from bgrun.jobfile.project import LOG_DIR, peek_log_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(HERE.glob("positive/*.yaml")), ids=lambda path: path.stem)
def test_a_good_file_loads(path: Path) -> None:
    assert load(path).jobs


@pytest.mark.parametrize("path", sorted(HERE.glob("negative/*.yaml")), ids=lambda path: path.stem)
def test_every_error_of_a_bad_file_is_reported(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobFileError) as caught:
        load(Path(path.name))
    assert "\n".join(map(str, caught.value.problems)) + "\n" == path.with_suffix(".txt").read_text()
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("path", sorted(HERE.glob("negative/*.yaml")), ids=lambda path: path.stem)
def test_every_error_has_a_fix(path: Path) -> None:
    found = check.faults(path.name, yaml_source.read(path.name, path.read_bytes()))
    assert found
    assert [fault for fault in found if not fault.hint] == []


def faults_of(raw: bytes) -> list[str]:
    return [str(fault) for fault in check.faults("f.yaml", yaml_source.read("f.yaml", raw))]


@settings(max_examples=150)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_no_text_ends_in_a_traceback(raw: bytes) -> None:
    faults_of(raw)


_KEYS = st.sampled_from(
    [
        "jobs",
        "groups",
        "defaults",
        "command",
        "env",
        "params",
        "a",
        "timeout",
        "retention",
        "x-y",
        "services",
        "ready",
        "port",
        "depends_on",
        "http",
        "log",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("{{ x }}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(
    st.fixed_dictionaries(
        {"jobs": st.dictionaries(st.just("a"), VALUES) | VALUES},
        optional=dict.fromkeys(("groups", "defaults", "include", "log_dir"), VALUES),
    )
)
def test_no_document_ends_in_a_traceback(data: object) -> None:
    faults_of(yaml.safe_dump(data).encode())


WHOLE = yaml.safe_load((HERE / "positive" / "everything.yaml").read_text(encoding="utf-8"))
_ODD = VALUES | st.sampled_from([[{"name": "a", "command": "ls"}], {"x": [{}]}, [["a"]], {"a": [{}], "include": 1}])


def _paths(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from _paths(value, (*path, key))


@settings(max_examples=100)
@given(st.sampled_from([one for one in _paths(WHOLE) if one]), _ODD)
def test_no_odd_part_of_a_whole_document_ends_in_a_traceback(path: tuple[Any, ...], odd: object) -> None:
    data = copy.deepcopy(WHOLE)
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = odd
    source = include.read(str(HERE / "positive" / "odd.yaml"), yaml.safe_dump(data).encode())
    if not check.all_faults(source):
        check.warnings(source)
        include.specs_of(source)


@pytest.mark.parametrize(
    "jobs", ["[{name: a, command: ls}]", "[[a]]", "[null]", "1", "1.5", "true", "a", "null", "!!set {a}"]
)
def test_jobs_that_are_no_object_are_one_error(jobs: str) -> None:
    (fault,) = faults_of(f"jobs: {jobs}\ngroups: {{g: {{jobs: [a]}}}}\n".encode())[:1]
    assert fault.startswith("f.yaml:1:")
    assert ": jobs: " in fault


@pytest.mark.parametrize("value", ["!!bool maybe", '!!int ""', "!!int -", '!!float ""', "!!timestamp x", "!!binary é"])
def test_text_that_does_not_fit_its_tag_is_an_error(value: str) -> None:
    (fault,) = faults_of(f"jobs: {{a: {{command: x, timeout: {value}}}}}".encode())
    assert fault.startswith("f.yaml:1:")
    assert peek_log_dir(f"log_dir: {value}\n") == LOG_DIR


def test_a_huge_file_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "compose", lambda *_, **__: pytest.fail("it is parsed"))
    assert faults_of(b"a: " + b"x" * (2 << 20)) == [
        "f.yaml:1:1: the file is larger than 1 MiB; move commands to scripts"
    ]


@pytest.mark.parametrize("raw", [b"[" * 5000, b"a: " + b"{a: " * 3000, b"- " * 5000 + b"x"])
def test_deep_nesting_is_reported(raw: bytes) -> None:
    assert faults_of(raw)
