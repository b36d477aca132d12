"""Reading on in a log: the pages together are the log, whatever it holds and however it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.errors import UsageError
from bgrun.logs import pages as log_pages
from bgrun.parsers import bounded_regex

if TYPE_CHECKING:
    from pathlib import Path

texts = st.lists(st.sampled_from(["a", "é", "漢字", "x" * 40, "\n", "\n\n", " ", "b\n"]), max_size=60).map("".join)


def pages(path: Path, size: int) -> list[str]:
    """Read a finished log page by page."""
    found: list[str] = []
    at, wanted = 0, log_pages.PageRequest(head=size, raw=True)
    while True:
        page = log_pages.page(log_pages.lines_from(str(path), at), at, wanted)
        found += page.lines
        assert page.next_offset > at or not page.truncated, "it always gets on"
        at = page.next_offset
        if not page.truncated:
            return found


@settings(max_examples=60)
@given(texts, st.integers(1, 7))
def test_the_pages_together_are_the_log(tmp_path_factory: pytest.TempPathFactory, text: str, size: int) -> None:
    path = tmp_path_factory.mktemp("log") / "x.log"
    path.write_bytes(text.encode())
    assert "\n".join(pages(path, size)) == text.removesuffix("\n")


@settings(max_examples=60)
@given(st.lists(texts, max_size=8))
def test_a_log_that_grows_is_read_once(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    path = tmp_path_factory.mktemp("log") / "x.log"
    found: list[str] = []
    at = 0
    for place, piece in enumerate([*pieces, ""]):
        with path.open("ab") as log:
            log.write(piece.encode())
        final = place == len(pieces)
        page = log_pages.page(log_pages.lines_from(str(path), at, final=final), at, log_pages.PageRequest(raw=True))
        found += page.lines
        at = page.next_offset
    assert "\n".join(found) == "".join(pieces).removesuffix("\n")
    assert at == path.stat().st_size


def test_a_huge_line_comes_in_parts_of_whole_characters(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("é" * 200_000 + "\nend\n")
    lines = pages(path, 1)
    assert "".join(lines) == "é" * 200_000 + "end"
    assert max(len(line.encode()) for line in lines) <= log_pages.LONGEST_LINE


def test_a_log_that_was_cut_off_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("new\n")
    page = log_pages.page(log_pages.lines_from(str(path), 5000), 5000, log_pages.PageRequest())
    assert (page.lines, page.next_offset) == (("new",), 4)


def choose(lines: list[str], **wanted: object) -> tuple[str, ...]:
    every = [log_pages.Line(line.encode(), place + 1) for place, line in enumerate(lines)]
    return log_pages.page(every, 0, log_pages.PageRequest(**wanted)).lines  # type: ignore[arg-type]


def test_what_is_chosen() -> None:
    lines = [str(n) for n in range(1, 31)]
    three = bounded_regex.compiled("3")
    assert choose(lines, pattern=three) == ("3", "13", "23", "30")
    assert choose(lines, pattern=three, context=1) == (
        "2",
        "3",
        "4",
        "--",
        "12",
        "13",
        "14",
        "--",
        "22",
        "23",
        "24",
        "--",
        "29",
        "30",
    )
    assert choose(lines, pattern=three, tail=2) == ("23", "30")
    assert choose(lines, head=2) == ("1", "2")
    assert choose(lines, tail=2) == ("29", "30")
    assert choose(lines, most_bytes=6) == ("1", "2", "3")
    assert choose(lines, tail=30, most_bytes=6) == ("29", "30")
    assert choose(["a", "b"], pattern=bounded_regex.compiled("[ab]"), context=3) == ("a", "b")


def test_a_search_without_end_says_where_it_stopped() -> None:
    hostile = bounded_regex.compiled("^(a|aa)+b$")
    lines = [log_pages.Line(b"x", 1), log_pages.Line(b"a" * 4000, 4001), log_pages.Line(b"y", 4003)]
    page = log_pages.page(lines, 0, log_pages.PageRequest(pattern=hostile))
    assert (page.lines, page.next_offset, page.truncated) == ((), 1, True)


@pytest.mark.parametrize("text", ["", "x", "x@", "@3", "x@-1", "x@1.5", "x@" + "9" * 30, "y@3"])
def test_what_is_no_cursor_is_reported(text: str) -> None:
    with pytest.raises(UsageError):
        log_pages.unpack(text, "x")


def test_cursors_are_words() -> None:
    cursor = log_pages.Cursor("a@b_20261124_101010-2", 77)
    assert log_pages.unpack(log_pages.pack(cursor), cursor.run_id) == cursor
    assert log_pages.unpack("start", "x") == log_pages.Cursor("x", 0)
