"""What several programs printed at once, each behind a prefix, is recognized as if each had printed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.parsers import prefixes, streams, terminal
from bgrun.parsers.prefixes import Prefixes, directory
from bgrun.parsers.recognize import Recognized, Recognizer
from bgrun.store import masking
from tests.parsers.test_tools import CASES, recognized

if TYPE_CHECKING:
    from collections.abc import Iterable

PYTEST = next(case for case in CASES if case.name == "pytest/styles_9_2")
JEST = next(case for case in CASES if case.name == "jest/jest30")
GO = next(case for case in CASES if case.name == "go/verbose")


def read(log: bytes, size: int = 1 << 16) -> Recognized:
    recognizer = Recognizer(lambda raw: terminal.clean(terminal.decode(raw)))
    for at in range(0, len(log), size):
        recognizer.feed(log[at : at + size])
    return recognizer.result()


def found(seen: Recognized) -> list[tuple[object, ...]]:
    """Return the problems of each tool in the order of the log."""
    every = [one.problem for one in seen.found]
    return sorted(((one.tool, one.file, one.line, one.id, one.message) for one in every), key=lambda one: str(one[0]))


def interleaved(*logs: tuple[str, bytes]) -> bytes:
    """Return the lines of several logs by turns, three at a time, each behind its prefix."""
    left = [(prefix.encode(), log.splitlines()) for prefix, log in logs]
    out = []
    while any(lines for _, lines in left):
        for prefix, lines in left:
            out += [prefix + line for line in lines[:3]]
            del lines[:3]
    return b"\n".join([*out, b""])


@pytest.mark.parametrize(
    "prefixes",
    [
        ("web-1  | ", "api-12 | "),
        ("[0] ", "[1] "),
        ("[web] ", "[api] "),
        ("[@shop/web]: ", "[@shop/api]: "),
        ("05:14:29 web.1  | ", "05:14:30 worker.1 | "),
        ("web:test: ", "@shop/api:test: "),
        ("packages/web test: ", "packages/api test: "),
        ("web: ", "api: "),
        ("[CI/build] | ", "[CI/lint ] | "),
        ("\x1b[36mweb-1  | \x1b[0m", "\x1b[33mapi-1  | \x1b[0m"),
        ("2026-11-26T05:00:00.123456789Z web-1  | ", "2026-11-26T05:00:01.123456789Z api-1  | "),
        ("web-1  | 2026-11-26T05:00:00.123456789Z ", "api-1  | 2026-11-26T05:00:00.123456789Z "),
        ("build\tRun tests\t2026-11-26T05:00:00.1234567Z ", "lint\tRun tests\t2026-11-26T05:00:00.1234567Z "),
        ("[pod/web-5d/web] ", "[pod/api-77/api] "),
        ("#12 1.234 ", "#9 12.34 "),
    ],
)
@pytest.mark.parametrize("size", [1 << 16, 700])
def test_each_of_two_programs_is_recognized(prefixes: tuple[str, str], size: int) -> None:
    seen = read(interleaved((prefixes[0], JEST.log), (prefixes[1], PYTEST.log)), size)
    assert found(seen) == sorted(
        found(recognized(JEST.log)) + found(recognized(PYTEST.log)), key=lambda one: str(one[0])
    )
    assert seen.counts["failed"] == recognized(JEST.log).counts["failed"] + recognized(PYTEST.log).counts["failed"]
    assert not seen.missing


@pytest.mark.parametrize(
    "prefix",
    [
        "2026-11-26T05:00:00.1234567Z ",
        "\ufeff2026-11-26T05:00:00.1234567Z ",
        "2026-11-26T05:00:00.123456Z 00O ",
        "[2026-11-26T05:00:00.123Z] ",
        "2026-11-26 05:00:00 ",
        "Nov 26 05:00:00 ",
        "Nov  6 05:00:00.123456 ",
        "05:00:00 ",
        "1764133000.123456 ",
    ],
)
def test_a_time_before_each_line_does_not_hide_a_tool(prefix: str) -> None:
    for case in (PYTEST, GO):
        log = b"".join(prefix.encode() + line for line in case.log.splitlines(keepends=True))
        assert found(read(log)) == found(recognized(case.log))


def test_what_a_test_prints_behind_a_prefix_is_the_tests() -> None:
    printed = b"".join(b"web-1  | " + line for line in JEST.log.splitlines(keepends=True))
    head, rule, rest = PYTEST.log.partition(b"=================================== FAILURES")
    assert found(read(head + printed + rule + rest)) == found(recognized(PYTEST.log))


def test_what_buildkit_repeats_of_a_step_counts_once() -> None:
    """In the form of https://github.com/tgve/tgvejs/issues/53."""
    step = b"".join(b"#15 3.624 " + line for line in PYTEST.log.splitlines(keepends=True))
    head = b"#15 [10/11] RUN pytest\n"
    process = b'process "/bin/sh -c pytest" did not complete successfully: exit code: 1\n'
    again = b"#15 ERROR: " + process + b"------\n > [10/11] RUN pytest:\n" + step
    end = b"------\nDockerfile:5\n--------------------\n   5 | >>> RUN pytest\n--------------------\n"
    for size in (1 << 16, 97):
        seen = read(head + step + again + end + b"ERROR: failed to solve: " + process, size)
        assert found(seen) == found(recognized(PYTEST.log))
        assert (seen.counts, seen.wrapped) == (recognized(PYTEST.log).counts, False)
    # Where a terminal was drawn over, only what is repeated is in the log.
    assert found(read(again + end)) == found(recognized(PYTEST.log))


def test_of_several_attempts_the_last_one_counts() -> None:
    log = interleaved(("[0] ", JEST.log), ("[1] ", PYTEST.log))
    again = b"--- bgrun: attempt 2 of 2 in 0 s; the one before ended with exit code 1 ---\n"
    recognizer = Recognizer(bytes.decode, retried=True)
    recognizer.feed(log + again + b"[0] fine\n[1] src/a.c:1:2: error: no such thing\n[1] gcc exited with code 1\n")
    assert [(one.problem.tool, one.problem.file) for one in recognizer.result().found] == [("gcc", "src/a.c")]


def test_a_secret_that_begins_in_the_prefix_is_masked() -> None:
    known = masking.parse(masking.marks([("TOKEN", "web-1 | E       hunter2")]))
    recognizer = Recognizer(lambda raw: masking.shown(terminal.decode(raw), known))
    lines = ["=== FAILURES ===", "______ test_a ______", "E       hunter2", "t.py:1: AssertionError"]
    lines += ["=== short test summary info ===", "FAILED t.py::test_a - hunter2", "=== 1 failed in 0.1s ==="]
    recognizer.feed("".join(f"web-1 | {line}\n" for line in lines).encode())
    (problem,) = [one.problem for one in recognizer.result().found]
    assert "E       hunter2" not in str(problem)


# --- what is no prefix ----------------------------------------------------------------------------


def rows(known: Prefixes, lines: Iterable[str], at: int = 0) -> list[tuple[int, str, str]]:
    """Return the place, the prefix and the rest of each line with a prefix, in order."""
    data = "".join(f"{line}\n" for line in lines).encode()
    found = []
    for part in known.parts(data, at, lambda at: at, is_lazy=True):
        places = part.places() if callable(part.places) else part.places
        found += zip(places, [part.name.decode()] * len(places), map(bytes.decode, part.texts), strict=True)
    return sorted(found)


def parted(*lines: str) -> list[tuple[str, str]]:
    return [(name, text) for _, name, text in rows(Prefixes(), lines)]


@pytest.mark.parametrize(
    "line",
    [
        "src/a.c:3: error: bad",
        "src/a.c:3:14: error: bad",
        "error: bad",
        "Warning: bad",
        "[ERROR] bad",
        "[INFO] fine",
        "[ 50%] Building a.o",
        "make: *** [all] Error 2",
        "12 |     let x = 1;",
        "E       assert 3 == 4",
        "a.ts(3,4): error TS1: bad",
        "   web: indented",
        "2026-11-26 05:00:00,123 ERROR a logger of Python",
        "# TAP",
    ],
)
def test_a_tools_own_text_is_no_prefix(line: str) -> None:
    assert parted(line, line, line, line) == []


def test_names_must_come_again_and_lines_follow_each_other() -> None:
    assert parted("Test Suites: 1 failed", "Tests:       1 failed", "Snapshots:   0 total", "Time:        1 s") == []
    assert parted("web: a", "b", "web: c", "d", "web: e") == []
    assert parted("web: a", "api: b", "web: c") == [("web:", "a"), ("api:", "b"), ("web:", "c")]
    assert parted("x", "[0] a", "[0]   b", "c", "[0] d") == [("[0]", "a"), ("[0]", "  b"), ("[0]", "d")]


def test_the_directory_of_a_package() -> None:
    assert [directory(one) for one in (b"packages/a test:", b". test:", b"@shop/a test:", b"web:test:", b"[0]")] == [
        "packages/a", ".", "", "", "",
    ]  # fmt: skip


def test_of_very_many_prefixes_some_are_parted() -> None:
    log = "".join(f"w{n}: FAILED t.py::a\nw{n}: b\nw{n}: c\n" for n in range(3000)).encode()
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(log)
    recognizer.result()
    assert len(recognizer._stream._every) == streams.MOST


TEXTS = """
[0] a|[1] b|[0]|[0] │ d|[0]: e|web: c|web$ c|web:test: d|web  │ e|web │|api: d|plain||error: bad
05:00:00 e|[2026-11-26T05:00:00Z] g|Nov 26 05:00:00 h|web: 05:00:00 f
"""
LINES = st.lists(st.sampled_from(TEXTS.strip().replace("\n", "|").split("|")), max_size=40)


@given(LINES, st.integers(1, 30))
def test_it_is_the_same_in_small_pieces(lines: list[str], size: int) -> None:
    known, at, pieces = Prefixes(), 0, []
    for start in range(0, len(lines), size):
        some = lines[start : start + size]
        pieces += rows(known, some, at)
        at += len("".join(f"{line}\n" for line in some).encode())
    assert sorted(pieces) == rows(Prefixes(), lines)


@given(LINES)
def test_lines_split_at_once_are_those_that_are_split_one_by_one(lines: list[str]) -> None:
    at_once = rows(Prefixes(), lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefixes, "_MOST_AT_ONCE", -1)
        assert rows(Prefixes(), lines) == at_once


@pytest.mark.parametrize("prefix", ["web  | ", "05:00:00 ", "web  | 05:00:00 "])
@pytest.mark.parametrize("size", [1000, 1 << 16])
def test_a_finding_behind_a_prefix_is_where_its_line_begins(prefix: str, size: int) -> None:
    lines = [f"{prefix}line {number} of a program" for number in range(1500)]
    for place in (0, 700, 701, 1499):
        lines[place] = f"{prefix}src/a.c:{place + 1}:2: error: bad"
    log = "".join(f"{line}\n" for line in lines)
    starts = [log.index(f"{prefix}src/a.c:{place + 1}:") for place in (0, 700, 701, 1499)]
    assert [one.at for one in read(log.encode(), size).found] == starts
