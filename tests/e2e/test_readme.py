"""The README's two set-up commands: CI runs both in a clone of this repository, whole and as they stand."""

from __future__ import annotations

import subprocess

from tests.conftest import TOP
from tests.docs.blocks import CLONE, blocks


def test_ci_runs_both_as_they_stand() -> None:
    marked = [block.text for block in blocks(TOP / "README.md") if block.note == CLONE]
    assert len(marked) == 2
    assert "bgrun group checks" in marked[0]
    done = subprocess.run([TOP / ".ci" / "run", "--commands"], capture_output=True, text=True, check=True)
    assert done.stdout == "".join(marked)
