"""What the schemas of the JSON output say of run IDs is what bgrun makes and reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.model import RunId
from bgrun.store.paths import next_run_id
from tests.conftest import TOP

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = [path for path in sorted((TOP / "schemas").glob("*.schema.json")) if path.name != "bgjobs.schema.json"]


def run_ids(part: Any) -> Iterator[dict[str, Any]]:
    """Give what a schema says of each key that holds a run ID."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("run_id", "group_run") and isinstance(value, dict):
                yield value
            yield from run_ids(value)
    elif isinstance(part, list):
        for one in part:
            yield from run_ids(one)


FOUND = [(path.name, one) for path in SCHEMAS for one in run_ids(json.loads(path.read_text(encoding="utf-8")))]
PATTERNS = sorted({str(one.get("pattern")) for _, one in FOUND})


def test_every_run_id_is_described_alike() -> None:
    assert {name for name, _ in FOUND} >= {"run.schema.json", "runs.schema.json", "logs.schema.json"}
    assert len(PATTERNS) == 1
    assert {one["description"] for _, one in FOUND if "<" in one["description"]} == {
        "<label>_<YYYYmmdd_HHMMSS>; later runs of the same second end in z2 … z9, zz10 … "
        "(-2, -3 … in runs of older versions)"
    }


@given(st.integers(1, 10**9 - 1), st.booleans())
def test_the_pattern_holds_for_every_serial_number(serial: int, dashed: bool) -> None:
    run_id = RunId("my.job-2", "20260101_000000", serial, dashed and serial > 1)
    later = next_run_id("my.job-2", 0.0, run_id)
    assert all(re.search(PATTERNS[0], str(one)) for one in (run_id, later))


@pytest.mark.parametrize(
    "text", ["", "job", "_20260101_000000", "job_20260101", "job_20260101_000000z", "job_20260101_000000z0"]
)
def test_the_pattern_refuses_what_is_no_run_id(text: str) -> None:
    assert not re.search(PATTERNS[0], text)
