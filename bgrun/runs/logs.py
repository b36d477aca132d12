"""Reading a log that another process may still be writing, and showing it without harm."""

from __future__ import annotations

import codecs
import os
import re

from bgrun.runs import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK = 1 << 16
# ECMA-48: control sequences (CSI), control strings (OSC, DCS, SOS, PM, APC), other escapes; then
# the single controls, of which only tab and line feed may reach a terminal.
_ESCAPE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\\\|\x9c|$)"
    "|\x1b[ -/]*[0-~]?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def clean(line: str) -> str:
    """Return a line of a log as a terminal may be shown it: no escape sequence, no control character.

    Of a progress bar that went back with carriage returns, what was left standing remains.
    """
    line = line.rstrip("\r\n")
    if "\r" in line:
        line = line.rsplit("\r", 1)[1] or line.rsplit("\r", 2)[-2]
    return line if line.isprintable() else _ESCAPE.sub("", line)


def decode(data: bytes) -> str:
    """Return log bytes as text; what is not UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")


def read_from(path: str, offset: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Give the bytes of a log from `offset` to its end as it is now (or to `stop`), block by block."""
    try:
        fd = files.open_regular(path)
    except FileNotFoundError:
        return
    try:
        end = os.fstat(fd).st_size if stop is None else stop
        while offset < end and (data := os.pread(fd, min(BLOCK, end - offset), offset)):
            offset += len(data)
            yield data
    finally:
        os.close(fd)


def size(path: str) -> int:
    """Return the bytes in a log; 0 where there is none."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def tail_offset(path: str, lines: int) -> int:
    """Return where the last `lines` lines of a log begin, reading no more than they take."""
    try:
        fd = files.open_regular(path)
    except FileNotFoundError:
        return 0
    try:
        end = os.fstat(fd).st_size
        return _tail_offset(lambda start, count: os.pread(fd, count, start), end, lines)
    finally:
        os.close(fd)


def _tail_offset(read: Callable[[int, int], bytes], end: int, lines: int) -> int:
    if lines <= 0:
        return end
    # A line feed at the very end closes the last line and begins no other.
    position = end - 1 if end and read(end - 1, 1) == b"\n" else end
    wanted = lines
    while position > 0:
        start = max(0, position - BLOCK)
        block = read(start, position - start)
        while (found := block.rfind(b"\n")) >= 0:
            wanted -= 1
            if not wanted:
                return start + found + 1
            block = block[:found]
        position = start
    return 0


def lines_of(blocks: Iterable[bytes]) -> Iterator[str]:
    """Give the lines of a log, each with its line feed if it has one; invalid UTF-8 becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest: list[str] = []
    for block in blocks:
        pieces = decoder.decode(block).split("\n")
        rest.append(pieces[0])
        for piece in pieces[1:]:
            yield "".join(rest) + "\n"
            rest = [piece]
    last = "".join(rest) + decoder.decode(b"", final=True)
    if last:
        yield last
