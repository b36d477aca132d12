"""The reference pages are what the schema and the table of commands say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

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


def keys_of(part: Any) -> set[str]:
    """Return every key that a schema declares, at any depth."""
    below = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = part.get("properties", {}) if isinstance(part, dict) else {}
    return {*own, *(key for one in below for key in keys_of(one))}


@pytest.mark.parametrize("path", sorted((TOP / "schemas").glob("*.schema.json")), ids=lambda path: path.name)
def test_every_key_of_a_schema_is_in_the_reference(path: Path) -> None:
    page = "job-file.md" if path.name == "bgjobs.schema.json" else "json.md"
    text = (TOP / "docs" / "reference" / page).read_text(encoding="utf-8")
    shown = {part for name in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE) for part in re.findall(r"[\w-]+", name)}
    found = keys_of(json.loads(path.read_text(encoding="utf-8")))
    assert len(found) > 3
    assert found - shown == set()


def test_every_key_of_the_json_and_of_the_job_file_says_what_it_means() -> None:
    for page, least in (("json.md", 100), ("job-file.md", 50)):
        lines = (TOP / "docs" / "reference" / page).read_text(encoding="utf-8").splitlines()
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| `")]
        meanings = {row[0].strip(): row[2 if page == "json.md" else 1].strip() for row in rows}
        assert len(rows) > least
        assert [key for key, meaning in meanings.items() if not meaning] == []
