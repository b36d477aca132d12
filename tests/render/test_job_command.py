"""The command of a declared job: where the arguments after `--` go."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bgrun.errors import JobFileError, UsageError
from bgrun.jobfile.loader import load
from bgrun.render.job import Request, render_job
from bgrun.templating.inputs import RenderInputs

WORDS = ("-k", "a b", "$(touch hacked)")


def shown(folder: Path, command: str, *given: str, extra: tuple[str, ...] = WORDS, more: str = "") -> str:
    (folder / "bgjobs.yaml").write_text(f"jobs:\n  j:\n    command: {command}\n    {more}\n")
    job = render_job(load(folder / "bgjobs.yaml"), Request("j", given, extra), RenderInputs(os.environ))
    script = folder / "j.sh"
    script.write_text(job.script)
    return subprocess.run(["bash", script], capture_output=True, text=True, check=True, cwd=folder).stdout


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("printf '%s|' {{ extra }} end | cat  # all", "-k|a b|$(touch hacked)|end|"),
        ('[printf, "%s|", "{{ extra }}", end]', "-k|a b|$(touch hacked)|end|"),
        ("""'printf "%s|" "all={{ extra }}"'""", "all=-k a b $(touch hacked)|"),
        ("printf '%s|' {% if extra %}{{ extra | length }}{% else %}none{% endif %}", "3|"),
        ("printf '%s|' \"$@\" | cat", "-k|a b|$(touch hacked)|"),
    ],
)
def test_the_words_are_where_the_command_has_a_place_for_them(tmp_path: Path, command: str, expected: str) -> None:
    assert shown(tmp_path, command) == expected
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("command", ["printf '%s|' {{ extra }} end | cat", '[printf, "%s|", "{{ extra }}", end]'])
def test_without_words_the_place_is_empty(tmp_path: Path, command: str) -> None:
    assert shown(tmp_path, command, extra=()) == "end|"


def test_a_parameter_of_this_name_is_that_parameter(tmp_path: Path) -> None:
    text = shown(tmp_path, "printf '%s|' {{ extra }}", "extra=x", more="params: {extra: {}}")
    assert text == "x|-k|a b|$(touch hacked)|"


def test_only_a_command_knows_the_words(tmp_path: Path) -> None:
    with pytest.raises(JobFileError, match=r"jobs\.j\.label: undefined variable 'extra'"):
        shown(tmp_path, "ls", more="label: x_{{ extra }}")


def test_a_syntax_error_from_the_words_names_the_place_for_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        shown(tmp_path, "if true; then ls; fi")
    assert "{{ extra }}" in caught.value.hint
