"""The first and the last lines of a log, clean and masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgrun.logs import excerpt
from bgrun.parsers import bounded_regex
from bgrun.store import masking

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-and-more"
KNOWN = masking.parse(masking.marks([("TOKEN", SECRET)]))


def log_of(folder: Path, text: str) -> str:
    path = folder / "x.log"
    path.write_bytes(text.encode())
    return str(path)


def test_lines_are_without_controls_and_keep_their_indentation(tmp_path: Path) -> None:
    path = log_of(tmp_path, "\x1b[31m  red\x1b[0m\n10%\r100%\n\n\tlast")
    assert excerpt.head(path, ()) == excerpt.tail(path, ()) == ["  red", "100%", "", "\tlast"]


def test_of_a_log_that_does_not_exist_or_is_empty_there_are_none(tmp_path: Path) -> None:
    assert excerpt.head(log_of(tmp_path, ""), ()) == []
    assert excerpt.tail(str(tmp_path / "none"), ()) == []


def test_secrets_are_masked_at_both_ends(tmp_path: Path) -> None:
    path = log_of(
        tmp_path, f"first {SECRET}\n" + "x\n" * excerpt.BYTES + f"\x1b[1m{SECRET[:5]}\x1b[0m{SECRET[5:]} last\n"
    )
    assert excerpt.head(path, KNOWN)[0] == "first ***"
    assert excerpt.tail(path, KNOWN)[-1] == "*** last"


def test_a_line_that_is_cut_off_at_the_end_of_the_head_is_shown_in_part(tmp_path: Path) -> None:
    path = log_of(tmp_path, "a\n" + "y" * (2 * excerpt.BYTES))
    assert [len(line) for line in excerpt.head(path, ())] == [1, bounded_regex.LONGEST_LINE]


def test_the_tail_begins_with_a_whole_line_or_after_what_may_be_a_part_of_a_secret(tmp_path: Path) -> None:
    path = log_of(tmp_path, "one\ntwo\nthree\n")
    assert excerpt.tail(path, (), 7) == ["three"]
    # The log is one long line, and the read begins within a secret.
    path = log_of(tmp_path, "z" * 100 + SECRET + "!" * 40)
    (line,) = excerpt.tail(path, KNOWN, 50)
    assert line == "!" * (50 - len(SECRET))
    assert not any(part in line for part in (SECRET[-4:], SECRET[6:]))
