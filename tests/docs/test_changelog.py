"""The changelog has one short line for each entry."""

from __future__ import annotations

from tests.conftest import TOP


def test_each_entry_is_one_line_of_at_most_100_characters() -> None:
    lines = (TOP / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    _, *entries = [line for line in lines if line and not line.startswith("#")]  # after what it is
    assert len(entries) > 30
    assert [line for line in entries if not line.startswith("- ") or not line.endswith(".") or len(line) > 100] == []
