"""Each parser gets the lines that it needs, in order and once, however the log comes and however long its lines are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.parsers import terminal
from bgrun.parsers.shape import Parser, numbered
from bgrun.parsers.sifting import sieve
from bgrun.parsers.sifting.sieve import Sieve


class Noted(Parser):
    """A parser that notes its lines; after `{` it wants every line until `}`."""

    stems = ("error", "✕")
    starts = ("Ran ", r"\d[0-9]* passed", r"\*\*\* ")

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.places: list[int] = []
        self._inside = False

    def feed(self, line: str) -> bool:
        self.lines.append(line)
        self.places.append(self.at)
        self._inside = "{" in line or (self._inside and "}" not in line)
        return self._inside


class Both(Noted):
    """One that needs two texts in a line."""

    stems = (("rror: ", ".rs:"), *numbered(".py:"), "warning")
    starts = ()


class Leaping(Noted):
    """One that leaps over lines of `-` while it wants every line."""

    leaps = True

    def leap(self, data: bytes, at: int) -> tuple[int, int]:
        end = at
        while data.startswith(b"-\n", end):
            end += 2
        self.lines += ["leap"] if end > at else []
        return end, data.find(b"\n", end) + 1 or len(data)


class Before(Noted):
    """One that also wants the two lines before."""

    context = 2


class All(Noted):
    """One that wants every line."""

    stems = ()
    starts = ()


def given_to(kind: type[Noted], log: bytes, size: int = 1 << 16) -> Noted:
    sifted = Sieve([kind], lambda raw: terminal.clean(terminal.decode(raw)))
    for at in range(0, len(log), size):
        sifted.feed(log[at : at + size])
    sifted.end()
    (parser,) = sifted.parsers
    assert isinstance(parser, Noted)
    return parser


@pytest.mark.parametrize(
    ("log", "lines"),
    [
        ("a\nan error\nb\n", ["an error"]),
        ("✕ one\nplain\n", ["✕ one"]),
        ("Ran 3\n  Ran 4\nso Ran 5\n", ["Ran 3", "  Ran 4"]),
        ("12 passed\nx 3 passed\n", ["12 passed"]),
        ("*** a\n", ["*** a"]),
        ("error {\nany\nmore }\nnone\n", ["error {", "any", "more }"]),
        ("\x1b[31mRan\x1b[0m 3\n\x1b[1mer\x1b[0mror\n", ["Ran 3", "error"]),
        ("10%\r20%\rRan 3\r\nwas error\rnow fine\n", ["Ran 3", "now fine"]),
        ("no line feed error", ["no line feed error"]),
        ("", []),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1 << 16])
def test_lines_with_a_stem_or_a_start(log: str, lines: list[str], size: int) -> None:
    assert given_to(Noted, log.encode(), size).lines == lines


def test_of_texts_that_belong_together_all_are_in_the_line() -> None:
    log = "error: a\nb.rs:1: error: c\nrror: x.rs:2\nx.py:3\nx.py::test\nx.py:y\nwarnin\nwarning\n"
    for size in (1, 7, 1 << 16):
        assert given_to(Both, log.encode(), size).lines == ["b.rs:1: error: c", "rror: x.rs:2", "x.py:3", "warning"]


def test_a_parser_may_leap_over_lines_while_no_other_wants_them() -> None:
    log = b"-\nerror {\n-\n-\nx\n-\n}\n-\nerror\n"
    parser = given_to(Leaping, log, 8)
    assert parser.lines == ["error {", "leap", "x", "leap", "}", "error"]
    assert parser.places == [log.index(line) for line in (b"error {", b"x", b"}", b"error\n")]


def test_lines_before_are_given_once() -> None:
    log = "1\n2\n3\nerror 4\nerror 5\n6\n7\n8\nerror 9\n"
    for size in (1, 3, 100):
        parser = given_to(Before, log.encode(), size)
        assert parser.lines == ["2", "3", "error 4", "error 5", "7", "8", "error 9"]
        assert parser.places == sorted(set(parser.places))


@given(
    st.lists(st.text("ab✕{}\r 1R", max_size=8).map(lambda text: text + "error"[: len(text)]), max_size=12),
    st.integers(1, 20),
)
def test_every_line_is_given_to_one_that_wants_all(lines: list[str], size: int) -> None:
    log = "".join(f"{line}\n" for line in lines).encode()
    assert given_to(All, log, size).lines == [terminal.clean(line) for line in lines]
    # And of these, one with stems gets the same as if it were asked line by line.
    assert given_to(Noted, log, size).lines == given_to(Noted, log).lines


def test_a_very_long_line_is_held_in_part() -> None:
    log = b"error " + b"x" * 5_000_000 + b"\nRan 1\n"
    for size in (1 << 16, 1 << 20):
        first, last = given_to(Noted, log, size).lines
        assert (first[:7], len(first), last) == ("error x", sieve.LONGEST_LINE, "Ran 1")
    # Of a progress bar without an end the last state counts.
    log = b"x" * 200_000 + b"\r" + b"y" * 200_000 + b"\rRan 2\n"
    assert given_to(Noted, log).lines == ["Ran 2"]


def test_after_a_jump_nothing_continues() -> None:
    sifted = Sieve([Noted], lambda raw: raw.decode())
    sifted.feed(b"error {\nin\npart")
    sifted.jump()
    sifted.feed(b"outside\nerror\n")
    (parser,) = sifted.parsers
    assert isinstance(parser, Noted)
    assert parser.lines == ["error {", "in", "error"]


def test_a_restart_forgets_everything() -> None:
    sifted = Sieve([Noted], lambda raw: raw.decode())
    sifted.feed(b"error {\n")
    sifted.restart()
    sifted.feed(b"x\nerror\n")
    (parser,) = sifted.parsers
    assert isinstance(parser, Noted)
    assert parser.lines == ["error"]


def test_the_starts_of_all_tools_are_searched_at_once_and_few_stems_are_left() -> None:
    from bgrun.parsers import registry

    sifted = Sieve(registry.makers(), lambda raw: raw.decode())
    assert not sifted._stems.has_always, "a parser that wants every line would take minutes for a long log"
    # Each of these takes 0.05 s for 100 MB, of the 4 s that a first look may take.
    ascii_stems = [stem for stem in sifted._stems.searched if stem.isascii()]
    assert len(ascii_stems) <= 50
    assert all(len(stem) >= 3 for stem in ascii_stems)
    assert all(
        not re.match(r"[+*?{]", start[2 if start[0] == "\\" else 1 :]) for one in sifted.parsers for start in one.starts
    )
