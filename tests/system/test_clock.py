"""Times: what is written is read back, in any time zone; what is no time is None."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.store import paths
from bgrun.system import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati"]


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each time zone in turn."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("module", ["_datetime", "datetime"])
def test_a_time_is_read_back_to_the_millisecond(zone: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if module == "datetime":
        monkeypatch.setitem(sys.modules, "_datetime", None)

    @given(st.floats(0, 4e9))
    def check(at: float) -> None:
        found = clock.epoch(clock.iso(at))
        assert found is not None
        assert abs(found - at) <= 0.000_501, zone

    check()


@given(st.floats(0, 4e9))
def test_what_is_written_has_one_length_and_sorts(at: float) -> None:
    assert len(clock.iso(at)) == len("2026-11-23T23:31:16.042+01:00")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00.000+00:00", 0.0),
        ("2026-11-23T23:31:16.042+01:00", 1_795_473_076.042),
        ("2026-11-23T22:31:16+00:00", 1_795_473_076.0),
    ],
)
def test_times_with_an_offset_are_instants(zone: str, text: str, at: float) -> None:
    assert clock.epoch(text) == pytest.approx(at, abs=1e-6), zone


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01T00:00:00.000+00:00", "2026-02-30T00:00:00.000+00:00", "2026"])
def test_what_is_no_time_is_none_and_shown_as_it_is(text: str) -> None:
    assert clock.epoch(text) is None
    assert clock.local(text) == text


def test_a_stamp_is_local_time(zone: str) -> None:
    for at in (86_400 * 20_000, 86_400 * 20_100 + 3661):
        assert clock.of_stamp(paths.stamp(at)) == at, zone
        assert paths.stamp(at) == clock.local(clock.iso(at)).replace("-", "").replace(":", "").replace(" ", "_")


@pytest.mark.parametrize("stamp", ["", "x", "20261123", "2026112a_000000", "_"])
def test_what_is_no_stamp_is_none(stamp: str) -> None:
    assert clock.of_stamp(stamp) is None
