"""The reference pages are what the schema and the table of commands say."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import TOP


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(TOP / "scripts" / "docs_reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "up to date\n"), done
