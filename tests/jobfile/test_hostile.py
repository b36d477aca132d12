"""Hostile labels, env files and parameters: whatever they hold, an error of ours or the exact value."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.jobfile.label import check_label
from bgrun.jobfile.params import convert
from bgrun.jobfile.specs import EnvFile, Param
from bgrun.render.environment import read_env_files
from bgrun.store.paths import RunPaths, next_run_id
from bgrun.templating.inputs import RenderInputs
from tests.conftest import in_folder

if TYPE_CHECKING:
    from collections.abc import Callable

IN_FOLDER = in_folder(100)


@given(st.text(max_size=120) | st.from_regex(r"[A-Za-z0-9._/-]{0,110}", fullmatch=True))
def test_a_label_is_a_plain_file_name_or_refused(text: str) -> None:
    try:
        label = check_label(text)
    except UsageError as error:
        assert error.hint
        return
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", label)
    files = RunPaths("/logs", str(next_run_id(label, 0, None)))
    for path in (*files.all_visible, *files.all_hidden):
        assert Path(path).parent in (Path("/logs"), Path("/logs/jobs"))
        assert len(Path(path).name) < 200


@IN_FOLDER
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: f"A={text}\n".encode("utf-8", "surrogatepass")))
def test_an_env_file_is_read_or_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / ".env").write_bytes(raw)
    try:
        values = read_env_files(tmp_path, [EnvFile(".env")], RenderInputs({}))
    except UsageError as error:
        assert ".env" in error.message
        return
    assert all(name.isidentifier() and isinstance(value, str) for name, value in values.items())


@IN_FOLDER
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'$\\"), max_size=40))
def test_a_quoted_value_of_an_env_file_arrives_exactly(tmp_path: Path, value: str) -> None:
    (tmp_path / ".env").write_text(f"A='{value}'\n", encoding="utf-8")
    assert read_env_files(tmp_path, [EnvFile(".env")], RenderInputs({})) == {"A": value}


@given(st.sampled_from(["string", "integer", "number", "boolean", "choice", "path"]), st.text(max_size=30))
def test_a_parameter_is_of_its_type_or_refused(kind: str, text: str) -> None:
    param = Param("p", kind, choices=("a", "b"))
    try:
        value = convert(param, text)
    except ValueError as error:
        assert str(error)
        return
    types = {"integer": (int,), "number": (int, float), "boolean": (bool,)}
    assert isinstance(value, types.get(kind, (str,)))
    assert kind not in ("string", "path") or value == text


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_reported_and_hangs_nobody(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / ".env")
    with pytest.raises(UsageError, match=r"env_file \.env is not a regular file"):
        read_env_files(tmp_path, [EnvFile(".env")], RenderInputs({}))
