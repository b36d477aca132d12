"""The environment of a job: what its templates and its `if` see, what is unset, which files may be absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bgrun.errors import UsageError
from bgrun.jobfile.specs import EnvFile, Settings
from bgrun.render.variables import Layers
from bgrun.templating import template
from bgrun.templating.inputs import RenderInputs
from tests.api.test_plan_cache import age
from tests.conftest import Cli

CALLER = {"HOME": "/home/me", "STAGE": "test", "A": "caller", "GONE": "caller"}


def layers(root: Path, files: tuple[EnvFile, ...] = (), *, lenient: bool = False, **env: Any) -> Layers:
    settings = Settings(env=env, env_file=files)
    return Layers(settings, root, {"x": "X"}, "j: ", RenderInputs(CALLER), lenient=lenient)


def rendered(found: Layers, text: str) -> str:
    return template.render(text, found.values, "w")


def test_a_template_sees_the_caller_then_env_files_then_env(tmp_path: Path) -> None:
    (tmp_path / "test.env").write_text("A=file\nB=file\nC=file\n")
    found = layers(
        tmp_path, (EnvFile("{{ env.STAGE }}.env"),), C="{{ env.C }}+{{ env.A }}", D="{{ x }}", N=5, GONE=None
    )
    assert rendered(found, "{{ env.HOME }} {{ env.A }} {{ env.B }} {{ env.C }} {{ env.D }} {{ env.N }}") == (
        "/home/me file file file+file X 5"
    )
    assert rendered(found, "{{ env.get('GONE', 'no') }} {{ 'GONE' in env }} {{ env | sort | join(',') }}") == (
        "no false A,B,C,D,HOME,N,STAGE"
    )
    assert found.declared() == {"A": "file", "B": "file", "C": "file+file", "D": "X", "N": "5", "GONE": None}


def test_a_removed_variable_is_not_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="environment variable GONE is not set"):
        rendered(layers(tmp_path, GONE=None), "{{ env.GONE }}")


def test_a_layer_that_is_not_asked_for_is_not_made(tmp_path: Path) -> None:
    found = layers(tmp_path, (EnvFile("none.env"),), BAD="{{ nope }}", GOOD="{{ x }}")
    assert rendered(found, "{{ env.GOOD }}") == "X"
    for text, message in (
        ("{{ env.BAD }}", "j: env.BAD: 'nope' is undefined"),
        ("{{ env.HOME }}", "cannot read env_file"),
    ):
        for _ in range(2):
            with pytest.raises(UsageError, match=message):
                rendered(found, text)
    assert rendered(layers(tmp_path, (EnvFile("none.env"),), lenient=True), "{{ env.HOME }}") == "/home/me"


JOBS = """
jobs:
  flagged: {command: 'echo "$FLAG {{ env.FLAG }}"', env: {FLAG: "1"}, if: env.get('FLAG')}
  filed: {command: 'echo "$FLAG"', env_file: [{path: "{{ which }}.env", required: false}], if: env.FLAG is defined,
          params: {which: {default: dev}}}
  unset: {command: 'echo "${CALLERS-unset} ${PYTHONUNBUFFERED-unset} ${IFS-unset}"',
          env: {CALLERS: null, PYTHONUNBUFFERED: ~}}
  shell: {command: 'echo "${OLDPWD-unset}"', env: {OLDPWD: null, CALLERS: x}}
  required: {command: "true", env_file: none.env, if: "env.get('FLAG', 'x') == 'x'"}
"""


def test_runs_get_what_their_templates_see(bg: Cli) -> None:
    bg.jobs(JOBS)
    for name, expected in (("flagged", "1 1"), ("unset", "unset unset  \t\n"), ("shell", "unset")):
        bg("start", name, "--wait", CALLERS="caller")
        assert bg("logs", name).out.strip("\n") == expected.strip("\n")
    assert "cannot read env_file none.env" in bg("start", "required", code=2).err


def test_a_file_that_may_be_absent_is_an_input_of_the_plan(bg: Cli) -> None:
    bg.jobs(JOBS)
    for _ in range(2):
        assert "skipped" in bg("start", "filed", "--wait", code=1).out
    (bg.folder / "dev.env").write_text("FLAG=on\n")
    age(bg.folder / "dev.env")
    for _ in range(2):
        bg("start", "filed", "--wait")
        assert bg("logs", "filed").out.strip() == "on"
    assert "skipped" in bg("start", "filed", "which=prod", "--wait", code=1).out


@pytest.mark.parametrize(
    "more", ["label: 'x {{ env.TOKEN }}'", "working_dir: '{{ env.TOKEN }}'", "concurrency: 'x {{ env.TOKEN }}'"]
)
def test_no_error_has_the_value_of_a_secret_of_an_env_file(bg: Cli, more: str) -> None:
    (bg.folder / ".env").write_text("TOKEN=super-secret-value\n")
    bg.jobs(f"jobs:\n  j:\n    command: 'true'\n    env_file: .env\n    secrets: [TOKEN]\n    {more}\n")
    err = bg("start", "j", code=2).err
    assert "***" in err
    assert "super-secret" not in err and "secret-value" not in err
