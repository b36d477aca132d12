"""Secrets in a log that comes in pieces: none is shown, and all else is, as soon as it can be."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from bgrun.logs import masked, reader
from bgrun.store import masking

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "tok-4711-secret"
MARKS = masking.parse(masking.marks([("TOKEN", SECRET)]))


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    """Return the pieces of some bytes, cut at random places."""
    places = sorted(chance.choices(range(len(data) + 1), k=5))
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_wherever_a_stream_is_cut_it_shows_the_same(seed: int) -> None:
    data = f"a {SECRET} b\r\n\x1b[31m{SECRET}\x1b[0m\nplain\n{SECRET}{SECRET} end".encode()
    stream = masked.Stream(MARKS)
    shown = b"".join([*map(stream.feed, cut(data, random.Random(seed))), stream.end()])  # noqa: S311
    assert SECRET.encode() not in shown
    assert shown.count(masking.MASK.encode()) == 4
    assert b"plain\n" in shown
    assert shown.endswith(b" end")


@pytest.mark.parametrize("seed", range(20))
def test_wherever_a_text_is_cut_it_shows_the_same(seed: int) -> None:
    whole, text, chance = f"é {SECRET} é {SECRET}", masked.Text(MARKS), random.Random(seed)  # noqa: S311
    places = sorted(chance.choices(range(len(whole)), k=5))
    parts = [whole[begin:end] for begin, end in zip([0, *places], [*places, len(whole)], strict=True)]
    assert "".join([*map(text.feed, parts), text.end()]) == "é *** é ***"


def test_without_secrets_everything_is_shown_at_once() -> None:
    stream = masked.Stream(())
    assert stream.feed(b"half a li") == b"half a li"
    assert stream.feed(b"ne\n") == b"ne\n"
    assert stream.end() == b""


def test_with_secrets_whole_lines_are_shown_and_a_plain_unfinished_one_on_request() -> None:
    stream = masked.Stream(MARKS)
    assert stream.feed(f"one\n{SECRET} asks for your full name: ".encode()) == b"one\n"
    early = stream.early()
    assert early.startswith(b"*** asks")
    assert len(early) + len(SECRET) > len("*** asks for your full name: ")
    assert early + stream.feed(b"me\n") == b"*** asks for your full name: me\n"


def test_an_unfinished_line_with_controls_is_not_shown_early() -> None:
    stream = masked.Stream(MARKS)
    stream.feed(b"\x1b[1mbold and long enough to be shown")
    assert stream.early() == b""


def test_a_line_that_never_ends_is_shown_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked, "LONGEST_LINE", 100)
    stream = masked.Stream(MARKS)
    shown = stream.feed(b"x" * 90 + SECRET.encode()) + stream.feed(b"y" * 60)
    assert shown.startswith(b"x" * 90 + b"***")
    assert shown + stream.end() == b"x" * 90 + b"***" + b"y" * 60


def test_an_unended_line_is_joined_and_forgotten() -> None:
    line = masked.Unended()
    assert not line
    line.add(b"")
    assert not line
    line.add(b"ab")
    line.add(b"c")
    assert (bool(line), line.size, line.data()) == (True, 3, b"abc")
    assert line.take() == b"abc"
    assert (bool(line), line.size, line.take()) == (False, 0, b"")


def gapped(path: Path, before: bytes, after: bytes) -> int:
    """Write a log whose middle was dropped, and return where its second part begins."""
    block = os.stat(path.parent).st_blksize
    path.write_bytes(b"-" * (block - len(before) - 1) + b"\n" + before)
    with path.open("r+b") as file:
        file.seek(5 * block)
        file.write(after)
    return 5 * block


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="dropped bytes are found by SEEK_DATA")
def test_around_dropped_bytes_nothing_of_a_half_secret_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    offset = gapped(log, b"ends in " + SECRET[:9].encode(), SECRET[9:].encode() + b" goes\nwhole line\n")
    data = b"".join(piece.data for piece in masked.read_from(str(log), 0, MARKS))
    if b"were dropped here" not in data:
        pytest.skip("this file system fills gaps")
    assert SECRET[:9].encode() not in data
    assert SECRET[9:].encode() not in data
    assert data.endswith(b"\nwhole line\n")
    # A reader that begins behind the gap does not see that there was one.
    later = b"".join(piece.data for piece in masked.read_from(str(log), offset, MARKS))
    assert SECRET[9:].encode() not in later
    assert later.endswith(b"\nwhole line\n")
    assert list(masked.read_from(str(log), offset, ())) == list(reader.read_from(str(log), offset))


def test_the_bytes_a_secret_may_take_grow_with_it() -> None:
    longer = masking.parse(masking.marks([("A", "x" * 400), ("B", "short")]))
    assert masked.ahead(longer) - masked.ahead(()) >= 400
    assert masked.ahead(MARKS) >= len(SECRET) * 2
