"""Read the beginning and the end of a log as clean lines, its secrets masked."""

from __future__ import annotations

from bgrun.logs import masked, reader
from bgrun.parsers import bounded_regex, terminal
from bgrun.store import masking
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.store.masking import Mark

BYTES = 64 << 10
"""How many bytes of a log are read for its first lines, and for its last ones."""


def head(path: str, known: Sequence[Mark]) -> list[str]:
    """Return the lines at the beginning of a log."""
    lines = _lines(path, known, 0, min(BYTES, reading.size(path)))
    # A line that is cut here may end with a part of a secret: keep only its beginning.
    return [line[: bounded_regex.LONGEST_LINE] for line in lines]


def tail(path: str, known: Sequence[Mark], most: int = BYTES) -> list[str]:
    """Return the complete lines in the last `most` bytes of a log; if there are none, the end of its last line."""
    size = reading.size(path)
    start = max(0, size - most)
    lines = _lines(path, known, start, size)
    if start and len(lines) > 1:
        return lines[1:]  # the first line is incomplete
    reach = max((mark.length for mark in known), default=1)
    return [line[reach:] for line in lines] if start else lines


def _lines(path: str, known: Sequence[Mark], start: int, end: int) -> list[str]:
    lines = [terminal.clean(line) for line in reader.lines_of(_blocks(path, known, start, end))]
    # All lines at once take a tenth of the time; no secret extends over a line feed.
    return masking.hide("\n".join(lines), known).split("\n") if known and lines else lines


def _blocks(path: str, known: Sequence[Mark], start: int, end: int) -> Iterator[bytes]:
    for data, reached in masked.read_from(path, start, known):
        yield data
        if reached >= end:
            break
