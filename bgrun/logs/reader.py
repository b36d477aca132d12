"""Read a log while another process may still be writing it."""

from __future__ import annotations

import codecs
import errno
import os
import sys

from bgrun.light import NamedTuple
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK = 1 << 16


class Piece(NamedTuple):
    """Bytes of a log; `end` is the offset of the first byte after them."""

    data: bytes
    end: int


def read_from(path: str, offset: int = 0, most: int = sys.maxsize) -> Iterator[Piece]:
    """Yield the bytes of a log in blocks, from `offset` to its present end, or to the offset `most`.

    Where its middle was dropped (see `local.supervision.log_limit`), the piece is a line that says so, not zero bytes.
    """
    try:
        fd = reading.open_regular(path)
    except FileNotFoundError:
        return
    try:
        end = min(os.fstat(fd).st_size, most)
        while offset < end and (data := os.pread(fd, min(BLOCK, end - offset), offset)):
            # Dropped bytes read as zeros. Asking for the next gap each time takes minutes for a long log on a tmpfs.
            if b"\0" in data:
                data_at = min(_next_data(fd, offset), end)
                if data_at > offset:
                    notice = f"\n[bgrun: {data_at - offset} bytes of the log were dropped here, see log.max_size]\n"
                    yield Piece(notice.encode(), data_at)
                    offset = data_at
                    continue
                data = data[: max(0, _next_gap(fd, offset, end) - offset)]
            offset += len(data)
            if data:
                yield Piece(data, offset)
    finally:
        os.close(fd)


def _next_data(fd: int, offset: int) -> int:
    """Return the offset of the next bytes that were not dropped (lseek(2), SEEK_DATA), or `sys.maxsize`."""
    if not hasattr(os, "SEEK_DATA"):
        return offset
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        return sys.maxsize if error.errno == errno.ENXIO else offset


def _next_gap(fd: int, offset: int, end: int) -> int:
    """Return the offset of the next dropped bytes (lseek(2), SEEK_HOLE), at most `end`."""
    if not hasattr(os, "SEEK_HOLE"):
        return end
    try:
        return min(os.lseek(fd, offset, os.SEEK_HOLE), end)
    except OSError:
        return end


def bytes_before(path: str, offset: int, count: int) -> bytes:
    """Return the bytes of a log before an offset, at most `count`."""
    try:
        fd = reading.open_regular(path)
    except FileNotFoundError:
        return b""
    try:
        start = max(0, offset - count)
        return os.pread(fd, offset - start, start)
    finally:
        os.close(fd)


def was_truncated(path: str, offset: int, seen: bytes) -> bool:
    """Return whether a log was truncated since it was read up to an offset.

    A user may have emptied it in place (`: > log`, or copytruncate), after which it grows again.

    Args:
        path: the log.
        offset: up to which offset it was read.
        seen: the last bytes before that offset, as they were.
    """
    if offset == 0:
        return False
    try:
        fd = reading.open_regular(path)
    except FileNotFoundError:
        return False
    try:
        end = os.fstat(fd).st_size
        if end <= offset:
            return end < offset
        found = os.pread(fd, len(seen), offset - len(seen))
        return found != seen and bool(found.strip(b"\0"))  # dropped bytes read as zeros
    finally:
        os.close(fd)


def tail_offset(path: str, lines: int) -> int:
    """Return the offset of the last `lines` lines of a log; only those are read."""
    try:
        fd = reading.open_regular(path)
    except FileNotFoundError:
        return 0
    try:
        end = os.fstat(fd).st_size
        return _tail_offset(lambda start, count: _kept(fd, start, count), end, lines)
    finally:
        os.close(fd)


def _kept(fd: int, start: int, count: int) -> bytes:
    """Return bytes of a log, or b"" if they were dropped."""
    data = os.pread(fd, count, start)
    return data if data.strip(b"\0") or _next_data(fd, start) == start else b""


def _tail_offset(read: Callable[[int, int], bytes], end: int, lines: int) -> int:
    if lines <= 0:
        return end
    # A line feed at the end closes the last line; it does not begin another one.
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
    """Yield the lines of a log, each with its line feed if it has one; invalid UTF-8 becomes U+FFFD."""
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
