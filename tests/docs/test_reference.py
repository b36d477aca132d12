"""The reference pages are what the schema and the table of commands say."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path


def test_the_picture_of_the_live_view_is_of_a_real_run(tmp_path: Path) -> None:
    picture = tmp_path / "live.svg"
    subprocess.run([sys.executable, str(TOP / "scripts" / "live_view.py"), str(picture)], check=True)
    for path in (picture, TOP / "docs" / "assets" / "live-view.svg"):
        shown = "\n".join(re.findall(">([^<]*)</text>", path.read_text(encoding="utf-8"))).replace("&#160;", " ")
        for line in (
            "running +checks",
            "running +types",
            "running +tests +━+ *─+ ",
            "build +━+ *─+ .*\\[34/48]",
            "~.* left",
        ):
            assert re.search(line, shown.replace("\n", " ")), (path, line, shown)


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(TOP / "scripts" / "docs_reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "up to date\n"), done
