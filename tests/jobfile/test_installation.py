"""The schemas are found wherever the package is, and a mark tells its code from any other."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bgrun.jobfile import installation
from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path


def test_a_package_that_is_a_link_into_a_checkout_finds_the_schemas(tmp_path: Path) -> None:
    (tmp_path / "bgrun").symlink_to(TOP / "bgrun")
    look = (
        "import sys; sys.path.insert(0, sys.argv[1]); from bgrun.jobfile import installation as here; "
        "print(here.__file__, here.schema_dir())"
    )
    words = [sys.executable, "-c", look, str(tmp_path)]
    said = subprocess.run(words, cwd="/", check=True, capture_output=True, text=True).stdout.split()
    assert said == [f"{tmp_path}/bgrun/jobfile/installation.py", str(TOP / "schemas")]


def test_the_mark_names_version_interpreter_and_every_source_of_a_checkout() -> None:
    mark = installation.code_mark()
    assert sys.version in mark
    assert f"{TOP}/bgrun/jobfile/specs.py " in mark
    assert mark == installation.code_mark()
