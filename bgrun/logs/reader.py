"""Reading a log that another process may still be writing, and showing it without harm."""

from __future__ import annotations

import codecs
import errno
import os
import sys

from bgrun.light import NamedTuple
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK = 1 << 16


class Piece(NamedTuple):
    """Bytes of a log, and the offset at which reading goes on behind them."""

    data: bytes
    end: int


def read_from(path: str, offset: int = 0, most: int = sys.maxsize) -> Iterator[Piece]:
    """Give the bytes of a log from `offset` to its end as it is now, or to the offset `most`, block by block.

    In place of what was dropped from its middle (see `local.log_limit`) comes a line that says so.
    """
    try:
        fd = files.open_regular(path)
    except FileNotFoundError:
        return
    try:
        end = min(os.fstat(fd).st_size, most)
        while offset < end:
            data_at = min(_next_data(fd, offset), end)
            if data_at > offset:
                told = f"\n[bgrun: {data_at - offset} bytes of the log were dropped here, see log.max_size]\n"
                yield Piece(told.encode(), data_at)
                offset = data_at
            elif data := os.pread(fd, min(BLOCK, end - offset), offset):
                offset += len(data)
                yield Piece(data, offset)
            else:
                return
    finally:
        os.close(fd)


def _next_data(fd: int, offset: int) -> int:
    """Return where the next bytes are that were not dropped (lseek(2), SEEK_DATA); huge if there are none."""
    if not hasattr(os, "SEEK_DATA"):
        return offset
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        return sys.maxsize if error.errno == errno.ENXIO else offset


def size(path: str) -> int:
    """Return the bytes in a log; 0 where there is none."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def bytes_before(path: str, offset: int, count: int) -> bytes:
    """Return the last bytes of a log before an offset, at most so many."""
    try:
        fd = files.open_regular(path)
    except FileNotFoundError:
        return b""
    try:
        start = max(0, offset - count)
        return os.pread(fd, offset - start, start)
    finally:
        os.close(fd)


def was_truncated(path: str, offset: int, seen: bytes) -> bool:
    """Return whether a log is no longer the one that was read up to an offset, of which `seen` were the last bytes.

    Somebody may have emptied it in place (`: > log`, or copytruncate), after which it grows anew.
    """
    if offset == 0:
        return False
    try:
        fd = files.open_regular(path)
    except FileNotFoundError:
        return False
    try:
        end = os.fstat(fd).st_size
        if end <= offset:
            return end < offset
        found = os.pread(fd, len(seen), offset - len(seen))
        return found != seen and bool(found.strip(b"\0"))  # what was dropped from its middle reads as zeros
    finally:
        os.close(fd)


def tail_offset(path: str, lines: int) -> int:
    """Return where the last `lines` lines of a log begin, reading no more than they take."""
    try:
        fd = files.open_regular(path)
    except FileNotFoundError:
        return 0
    try:
        end = os.fstat(fd).st_size
        return _tail_offset(lambda start, count: _kept(fd, start, count), end, lines)
    finally:
        os.close(fd)


def _kept(fd: int, start: int, count: int) -> bytes:
    """Return bytes of a log, none where they were dropped."""
    data = os.pread(fd, count, start)
    return data if data.strip(b"\0") or _next_data(fd, start) == start else b""


def _tail_offset(read: Callable[[int, int], bytes], end: int, lines: int) -> int:
    if lines <= 0:
        return end
    # A line feed at the very end closes the last line and begins no other.
    position = end - 1 if end and read(end - 1, 1) == b"\n" else end
    wanted = lines
    while position > 0:
        start = max(0, position - BLOCK)
        block = read(start, position - start)
        if not block:
            return position
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
