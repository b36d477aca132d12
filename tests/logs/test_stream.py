"""A log while it is written: what `follow` appends to a terminal, piece by piece, is in the end the log."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from bgrun.logs import stream
from bgrun.store import masking

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "tok-4711-secret"
MARKS = masking.parse(masking.marks([("TOKEN", SECRET)]))


def written(pieces: list[stream.Piece]) -> list[str]:
    """Return the finished lines that somebody sees who appends `more`, or begins a new line with `whole`."""
    done, line = [], ""
    for piece in pieces:
        line = line + piece.more if piece.more is not None else piece.whole
        if piece.ends:
            done.append(line)
            line = ""
    return done + ([line] if line else [])


def fed(data: bytes, seed: int, known: tuple[masking.Mark, ...], *, early: bool) -> list[stream.Piece]:
    """Return the pieces of some bytes that come cut at random places."""
    lines, chance, at = stream.Lines(known), random.Random(seed), 0  # noqa: S311
    pieces: list[stream.Piece | None] = []
    while at < len(data):
        step = chance.randint(1, 30)
        pieces += lines.feed(data[at : at + step])
        pieces += [lines.early()] if early else []
        at += step
    return [piece for piece in (*pieces, lines.end()) if piece]


@pytest.mark.parametrize(("seed", "early"), [*itertools.product(range(15), (False, True))])
def test_the_pieces_add_up_to_the_lines(seed: int, early: bool) -> None:
    data = f"first\n\nägypten {SECRET} here\n 10%\r 20%\r100%\r\n\x1b[31mred\x1b[0m\nno line feed".encode()
    assert written(fed(data, seed, (), early=early)) == [
        "first", "", f"ägypten {SECRET} here", "100%", "red", "no line feed",
    ]  # fmt: skip
    masked = written(fed(data, seed, MARKS, early=early))
    assert masked == ["first", "", "ägypten *** here", "100%", "red", "no line feed"]


def test_an_unfinished_line_is_continued_and_not_repeated() -> None:
    lines = stream.Lines(())
    assert lines.feed(b"Passw") == []
    assert lines.is_open
    assert lines.early() == stream.Piece(None, "Passw", ends=False)
    assert lines.early() is None, "nothing is new"
    lines.feed(b"ord: ")
    assert lines.early() == stream.Piece("ord: ", "Password: ", ends=False)
    assert lines.feed(b"ok\n") == [stream.Piece("ok", "Password: ok", ends=True)]
    assert not lines.is_open
    assert lines.end() is None


def test_a_line_that_was_overwritten_is_shown_anew() -> None:
    lines = stream.Lines(())
    lines.feed(b"10%")
    lines.early()
    lines.feed(b"\r20%")
    assert lines.early() == stream.Piece(None, "20%", ends=False)


def test_of_an_unfinished_line_no_beginning_of_a_secret_is_shown() -> None:
    lines = stream.Lines(MARKS)
    lines.feed(f"the token is: {SECRET[:10]}".encode())
    piece = lines.early()
    assert piece and "the token".startswith(piece.whole[:9])
    assert SECRET[:4] not in piece.whole
    assert lines.feed(f"{SECRET[10:]}!\n".encode())[-1].whole == "the token is: ***!"


def test_a_very_long_line_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LONGEST_LINE", 50)
    lines = stream.Lines(())
    pieces = lines.feed(b"x" * 60)
    assert pieces == [stream.Piece("x" * 60, "x" * 60, ends=False)]
    assert lines.early() is None
    assert written([*pieces, *lines.feed(b"y\nz\n")]) == ["x" * 60 + "y", "z"]


def test_of_a_very_long_progress_bar_the_newest_state_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LONGEST_LINE", 50)
    lines = stream.Lines(())
    assert lines.feed(b"".join(b"%3d%%\r" % number for number in range(101))) == []
    assert lines.feed(b"\n") == [stream.Piece(None, "100%", ends=True)]


@pytest.mark.parametrize(
    ("log", "unended", "expected"),
    [
        ("one\ntwo\n", False, "two"),
        ("one\ntwo\n", True, ""),
        ("one\nPassword: ", True, "Password: "),
        ("one\n 1%\r 2%", False, " 2%"),
        (f"one\ntoken {SECRET}", False, "token ***"),
        ("", False, ""),
    ],
)
def test_the_last_line(log: str, unended: bool, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text(log)
    assert stream.last_line(str(path), MARKS, 1000, unended=unended) == expected


def test_of_a_long_last_line_the_end_is_shown_and_no_end_of_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text(f"{SECRET} {'x' * 3000}{SECRET} done")
    assert stream.last_line(str(path), (), 10) == "ecret done"
    for most in range(1, 40):
        shown = stream.last_line(str(path), MARKS, most)
        assert "secret" not in shown
        assert shown.endswith("done"[-most:])
