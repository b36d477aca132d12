"""Reading logs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.logs import reader
from bgrun.parsers import terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain\n", "plain"),
        ("tab\there", "tab\there"),
        ("10%\r50%\r100%\r\n", "100%"),
        ("a\r\n", "a"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;aGk=\x1b\\after", "after"),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1b]unterminated", ""),
        ("\x9b2Jcleared", "cleared"),
        ("bell\x07 back\x08", "bell back"),
        ("\x1bcreset", "reset"),
        ("\x1b", ""),
        ("ünïcödé", "ünïcödé"),
    ],
)
def test_a_shown_line_cannot_drive_the_terminal(line: str, shown: str) -> None:
    assert terminal.clean(line) == shown


@given(st.text())
def test_no_control_character_is_ever_shown(line: str) -> None:
    shown = terminal.clean(line.replace("\n", ""))
    assert all(c == "\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160) for c in shown)


@given(st.lists(st.binary(max_size=300).map(lambda b: b.replace(b"\n", b"")), max_size=30), st.integers(1, 12))
def test_the_tail_is_the_last_lines(lines: list[bytes], count: int) -> None:
    for ending in (b"", b"\n"):
        data = b"\n".join(lines) + (ending if lines else b"")
        offset = reader._tail_offset(lambda start, size, d=data: d[start : start + size], len(data), count)  # type: ignore[misc]
        whole = data.removesuffix(b"\n").split(b"\n") if data else []
        assert data[offset:].removesuffix(b"\n") == b"\n".join(whole[-count:])


def test_the_tail_of_a_log_of_one_huge_line(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"first\n" + b"x" * (4 << 20))
    assert reader.tail_offset(str(log), 1) == 6


@given(st.binary(), st.integers(1, 5))
def test_lines_do_not_depend_on_where_the_blocks_are_cut(data: bytes, size: int) -> None:
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(reader.lines_of(blocks)) == list(reader.lines_of([data]))


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list(reader.read_from(str(tmp_path / "none.log"))) == []


@pytest.mark.parametrize("start", [0, 1, 4095, 4096, 5000])
def test_dropped_bytes_are_never_read_wherever_they_and_the_reading_begin(start: int, tmp_path: Path) -> None:
    """A log of some 100 KiB keeps a head that ends within a block; reading may begin anywhere in it."""
    path = tmp_path / "x.log"
    head, tail_at = 3 * os.stat(tmp_path).st_blksize, 40 * os.stat(tmp_path).st_blksize
    path.write_bytes(b"h" * head)
    with path.open("r+b") as log:
        log.seek(tail_at)
        log.write(b"the end\n")
    pieces = list(reader.read_from(str(path), start))
    if path.stat().st_blocks * 512 > tail_at:
        pytest.skip("this file system keeps no gaps")
    notice = f"\n[bgrun: {tail_at - head} bytes of the log were dropped here, see log.max_size]\n".encode()
    assert b"".join(piece.data for piece in pieces) == b"h" * (head - start) + notice + b"the end\n"
    assert [piece.end for piece in pieces] == [head, tail_at, tail_at + len(b"the end\n")]


def test_a_log_without_zeros_is_not_searched_for_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a tmpfs a search goes through all that is left of the file."""
    log = tmp_path / "x.log"
    log.write_bytes(b"text " * reader.BLOCK)
    monkeypatch.setattr(os, "lseek", None)
    assert b"".join(piece.data for piece in reader.read_from(str(log))) == b"text " * reader.BLOCK
    assert [piece.end for piece in reader.read_from(str(log), 7, 10)] == [10]
