"""Env files and virtual environments: what they give, and what is reported of a broken one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.errors import UsageError
from bgrun.jobfile.specs import EnvFile
from bgrun.render.environment import find_venv, read_env_files
from bgrun.templating.inputs import RenderInputs

if TYPE_CHECKING:
    from pathlib import Path


def test_later_files_win_and_references_are_expanded_from_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("A=1\nB=${A}${OUTER}\nC=${NONE:-default}\n")
    (tmp_path / "b").write_text("A=2\nD=${A}${B}\n")
    inputs = RenderInputs({"OUTER": "o", "A": "outer"})
    assert read_env_files(tmp_path, [EnvFile("a"), EnvFile("b")], inputs) == {
        "A": "2",
        "B": "1o",
        "C": "default",
        "D": "21o",
    }
    assert {subject for kind, subject, _ in inputs.recorded() if kind == "stamp"} == {
        str(tmp_path / "a"),
        str(tmp_path / "b"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read env_file x.env: No such file or directory"),
        (b"A=\xff\n", "env_file x.env is not UTF-8"),
        (b"A=1\n\nnot an assignment\n", "x.env:3: expected NAME=value"),
        (b"A=1\n1B=2\n", "x.env:2: expected NAME=value"),
        (b"A=1\nBGRUN_GATE=2\n", "x.env:2: variable BGRUN_GATE is reserved for the job script"),
        (b"A=1\nB=x" + b" " * 251 + b"y\n", "x.env:2: more than 250 consecutive spaces"),
        (b"A=" + b"${A}" * 1001, "env_file x.env has more than 1000 `${`"),
        (b"#" * ((1 << 18) + 1), "env_file x.env is larger than 256 KiB"),
    ],
    ids=["missing", "encoding", "line", "name", "reserved", "spaces", "references", "size"],
)
def test_a_broken_env_file(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.env").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_env_files(tmp_path, [EnvFile("x.env")], RenderInputs({}))
    assert caught.value.message == message
    assert caught.value.hint


def test_a_named_virtual_environment_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="venv env is not a virtual environment") as caught:
        find_venv("env", tmp_path, tmp_path, RenderInputs({}))
    assert caught.value.hint == f"create it: python3 -m venv {tmp_path / 'env'}"
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert find_venv("env", tmp_path, tmp_path, RenderInputs({})) == str(tmp_path / "env")
    assert find_venv(named=False, working_dir=tmp_path, root=tmp_path, inputs=RenderInputs({})) == ""
    assert find_venv("auto", tmp_path, tmp_path, RenderInputs({})) == ""
