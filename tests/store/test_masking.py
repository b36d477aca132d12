"""Secrets in clear text: whatever is cut, coloured or chunked, none is ever shown."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bgrun.logs import masked, pages, reader
from bgrun.logs import stream as streams
from bgrun.parsers import junit, terminal
from bgrun.store import masking

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = ["tok-4711-secret", "it's a $ecret", "pässwörd", "aaaa", "BEGIN-KEY\nline-of-a-key\nx\nEND-OF-IT"]
LINES = [line for secret in SECRETS for line in secret.split("\n") if len(line) >= masking.SHORTEST]
MARKS = masking.parse(masking.marks((f"S{place}", secret) for place, secret in enumerate(SECRETS)))
NOISE = [
    "x",
    " ",
    "é",
    "\n",
    "\r",
    "\t",
    "\x00",
    "\x08",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b]0;t\x07",
    "\x1b[1;3",
    "\x9b1m",
    "\x1b]",
    "\x1bP",
    "\x1b\\",
    "\x9d",
    "\x90",
    "\x9c",
    "\x07",
    "tok-",
    "aaa",
]


def coloured(secret: str, cuts: list[str]) -> str:
    """Return a secret with something that no terminal shows between its characters."""
    return "".join(itertools.chain.from_iterable(zip(secret, [*cuts, *[""] * len(secret)], strict=False)))


hidden = st.lists(
    st.sampled_from(["", "", "\x00", "\x1b[01;31m", "\x1b[K", "\x08", "\x9b1m", "\x9d0\x07", "\x1b]", "\x9d"]),
    max_size=20,
)
pieces = st.one_of(st.sampled_from(NOISE), st.builds(coloured, st.sampled_from(LINES), hidden), st.text(max_size=5))
texts = st.lists(pieces, max_size=25).map("".join)


# What kinds of terminals there are: each knows some of these, and drops the single control characters that it does not.
KINDS = [
    ["\x1b\\[[0-?]*[ -/]*[@-~]", "\x1b[\\]PX^_][^\n]*?(?:\x07|\x1b\\\\|\x9c)"],
    ["\x9b[0-?]*[ -/]*[@-~]", "[\x9d\x90\x98\x9e\x9f][^\n]*?(?:\x07|\x1b\\\\|\x9c)"],
]


def seen(text: str) -> list[str]:
    """Return what people see of a text, each with another terminal."""
    known = [KINDS[0], [*KINDS[0], *KINDS[1]], KINDS[0][:1], [KINDS[0][0], KINDS[1][0]]]
    rest = "\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    return [re.sub("|".join([*kind, rest]), "", text) for kind in known] + [terminal.without_controls(text)]


def leaks(text: str) -> list[str]:
    shown = [one.replace("\n", "") for one in seen(text)]
    return [line for line in LINES if line in text or any(line in one for one in shown)]


def at_most(text: str) -> str:
    """Return a text in which a secret over the end of a line is none: nobody promises that."""
    return "\n".join(f"{line}|" for line in text.split("\n"))


@settings(max_examples=400)
@given(texts, st.integers(1, 40))
@example("\x90t\x00ok-4711-secret\n", 1)  # a control string without an end: some terminals show its text
@example("\x1b]0;t\x00ok-4711-secret\x07", 1)
def test_no_way_of_showing_a_log_shows_a_secret(tmp_path_factory: pytest.TempPathFactory, text: str, size: int) -> None:
    data = at_most(text).encode("utf-8", "surrogatepass")
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert leaks("\n".join(masking.shown(line, MARKS) for line in at_most(text).split("\n"))) == []
    assert leaks(masking.mask(data, MARKS).decode("utf-8", "replace")) == []
    stream = masked.Stream(MARKS)
    out = [part for chunk in chunks for part in (stream.feed(chunk), stream.early())] + [stream.end()]
    assert leaks(b"".join(out).decode("utf-8", "replace")) == []
    lines = streams.Lines(MARKS)
    assert leaks(printed(lines, chunks)) == []
    # A new file each time: to write over an old one takes until the disk has it.
    descriptor, log = tempfile.mkstemp(dir=tmp_path_factory.getbasetemp())
    try:
        os.write(descriptor, data)
        for raw in (False, True):
            start = min(size, len(data))
            found = pages.lines_from(log, start, MARKS, raw=raw)
            assert leaks("\n".join(pages.page(found, start, pages.PageRequest(raw=raw)).lines)) == []
        assert leaks(streams.last_line(log, MARKS, size)) == []
    finally:
        os.close(descriptor)
        os.unlink(log)


def printed(lines: streams.Lines, chunks: list[bytes]) -> str:
    """Return what somebody sees who follows these chunks, with a look at what is early behind each."""
    out = ""
    for chunk in [*chunks, None]:
        found = lines.feed(chunk) if chunk is not None else [one for one in (lines.end(),) if one]
        if chunk is not None and (early := lines.early()):
            found.append(early)
        for piece in found:
            out += (piece.more if piece.more is not None else f"\n{piece.whole}") + ("\n" if piece.ends else "")
    return out


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["a", "é", "ab", "aaaa", "tok-4711-secret", "漢"]), max_size=40), st.integers(1, 9))
def test_in_pieces_it_is_the_same_as_in_one(parts: list[str], size: int) -> None:
    text = "".join(parts)
    stream = masked.Text(MARKS)
    cut = "".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size)) + stream.end()
    assert cut == masking.hide(text, MARKS)


def test_lines_without_secrets_are_followed_as_they_are() -> None:
    text = "one\n\ntwo é\n10%\r50%\r100%\nthree"
    for size in range(1, 12):
        lines = streams.Lines(())
        data = text.encode()
        found = [one for at in range(0, len(data), size) for one in lines.feed(data[at : at + size])]
        assert [one.whole for one in [*found, lines.end()] if one] == ["one", "", "two é", "100%", "three"]


def test_what_stands_of_a_line_is_given_early_and_only_what_is_new() -> None:
    lines = streams.Lines(())
    lines.feed(b"Overwrite? ")
    assert lines.early() == (None, "Overwrite? ", False)
    assert lines.early() is None
    lines.feed(b"[y/N] \x1b[3")
    assert lines.early() == ("[y/N] ", "Overwrite? [y/N] ", False)
    assert lines.feed(b"1mno\x1b[0m\n") == [("no", "Overwrite? [y/N] no", True)]
    lines.feed(b"10%\r20%\r")
    assert lines.early() == (None, "20%", False)
    lines.feed(b"30%")
    assert lines.early() == (None, "30%", False)
    assert lines.feed(b"\rdone\n") == [(None, "done", True)]


def test_with_secrets_the_end_of_what_stands_is_held_back() -> None:
    known = masking.parse(masking.marks([("T", "tok-4711-secret")]))
    lines = streams.Lines(known)
    lines.feed(b"login with tok-4711-")
    early = lines.early()
    assert early
    assert "login with tok-4711-".startswith(early.whole)
    assert "tok-4711" not in early.whole
    (last,) = lines.feed(b"secret now\n")
    assert early.whole + (last.more or "") == "login with *** now"


@pytest.mark.parametrize("known", [(), MARKS], ids=["no secrets", "secrets"])
@pytest.mark.parametrize("bar", [b"x" * 40, b"progress 10%\r"], ids=["one line", "a bar"])
def test_of_a_long_line_little_is_kept(known: tuple[masking.Mark, ...], bar: bytes) -> None:
    block = bar * ((64 << 10) // len(bar))
    lines, stream = streams.Lines(known), masked.Stream(known)
    kept = raw = 0
    for _ in range(64):
        kept += sum(len(piece.whole) for piece in lines.feed(block))
        raw += len(stream.feed(block))
        # What one block costs goes by what is kept between two: where that is bounded, time grows with the length.
        assert lines._rest.size + stream._rest.size <= 2 * (masking.LONGEST_LINE + len(block))
    if b"\r" not in bar:
        assert kept + len(lines.end().whole) == raw + len(stream.end()) == 64 * len(block)  # type: ignore[union-attr]


def test_a_secret_over_the_edge_of_a_part_of_a_long_line(tmp_path: Path) -> None:
    known = masking.parse(masking.marks([("T", "tok-4711-secret")]))
    path = tmp_path / "x.log"
    for back in range(0, 18, 3):
        text = "é" * ((pages.LONGEST_LINE - back) // 2) + "tok-4711-secret" + "y" * 3000
        path.write_text(text + "\nend\n")
        found: list[str] = []
        at = 0
        for _ in range(9):
            page = pages.page(pages.lines_from(str(path), at, known), at, pages.PageRequest(head=1))
            found += page.lines
            at = page.next_offset
        assert "".join(found).count("é") == text.count("é")
        assert found[-1] == "end"
        assert not any(part in "".join(found) for part in ("tok-4", "4711", "ecret"))


def test_a_mark_shows_where_no_secret_begins_and_finds_those_of_before() -> None:
    new = masking.marks([("T", "tok-4711-secret")])
    assert masking.parse(new)[0].traits is not None
    old = masking.parse(new.rpartition(":")[0])
    assert old[0].traits is None
    for known in (old, masking.parse(new)):
        assert masking.hide("a tok-4711-secret b", known) == "a *** b"


@pytest.mark.parametrize("text", ["abcdefghi", "abcdef", "defghi", "abcdefabcdefghi", "bcde"])
def test_of_secrets_that_overlap_no_part_is_shown(text: str) -> None:
    known = masking.parse(masking.marks([("A", "abcdef"), ("B", "defghi"), ("C", "bcde")]))
    hidden = masking.hide(f"1{text}2", known)
    assert hidden.replace(masking.MASK, "") == "12"
    assert masking.mask(f"1{text}2".encode(), known).decode() == hidden


def test_a_message_of_a_report_is_masked_before_it_is_cut(tmp_path: Path) -> None:
    known = masking.parse(masking.marks([("T", "tok-4711-secret")]))
    path = tmp_path / "r.xml"
    path.write_text(
        '<testsuite><testcase name="n tok-4711-secret" classname="c tok-4711-secret" file="tok-4711-secret.py">'
        f'<failure message="{"m" * 150} tok-4711-secret">tok-4711-secret.py:3: tok-4711-secret</failure></testcase></testsuite>'
    )
    with path.open("rb") as file:
        (problem,) = junit.parse(file, lambda line: masking.shown(line, known)).problems
    assert "tok" not in repr(problem)
    assert problem.file == "***.py"


def test_of_a_last_line_that_is_cut_off_no_end_of_a_secret_is_shown(tmp_path: Path) -> None:
    known = masking.parse(masking.marks([("T", "tok-4711-secret")]))
    path = tmp_path / "x.log"
    for length in range(1000, 1120):
        path.write_text("x" * 5000 + "tok-4711-secret" + "y" * length)
        line = streams.last_line(str(path), known, 40)
        assert line.lstrip("x").removeprefix("***") == "y" * len(line.lstrip("x").removeprefix("***"))
        assert len(line) > 40


def test_where_the_middle_of_a_log_was_dropped_no_part_of_a_secret_is_left(tmp_path: Path) -> None:
    known = masking.parse(masking.marks([("T", "tok-4711-secret")]))
    path = tmp_path / "x.log"
    block = 64 << 10
    with path.open("wb") as log:
        log.write(b"first\n" + b"x" * (block - 12) + b"tok-47")
        log.seek(4 * block)
        log.write(b"11-secret and so on\nlast\n")
    if not any(piece.data.startswith(b"\n[bgrun: ") for piece in reader.read_from(str(path))):
        pytest.skip("this file system keeps no gaps")
    for start in (0, 4 * block):
        for raw in (False, True):
            lines = [terminal.decode(line.data) for line in pages.lines_from(str(path), start, known, raw=raw)]
            assert lines[-1] == "last"
            assert (lines[0] == "first") == (start == 0)
            assert not any(part in line for line in lines for part in ("tok", "47", "11-", "secret"))
    stream = masked.Stream(known)
    data = b"".join(stream.feed(piece.data) for piece in masked.read_from(str(path), 0, known)) + stream.end()
    assert b"were dropped here" in data
    assert not any(part in data for part in (b"tok", b"secret"))
    assert sum(len(piece.data) for piece in reader.read_from(str(path), 0)) == len(data)
